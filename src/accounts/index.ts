/** Accounts: who there is, how they prove it, and what they keep with us. */
import type { Clock } from '../clock.ts';
import type { Config } from '../config/index.ts';
import type { Mailer } from '../email/index.ts';
import type { RateLimits } from '../http/rate-limits.ts';
import type { Job, Jobs } from '../jobs/index.ts';
import { TypePattern } from '../protocol/filter/index.ts';
import { type ServerName, serverNameOf, type UserId } from '../protocol/ids/index.ts';
import { type Database, type ReadTx, StorageRefusedError, type StreamDeclaration } from '../storage/index.ts';
import { type Hub, stream } from '../streams/index.ts';
import { AccountData } from './account-data.ts';
import { Devices } from './devices.ts';
import { ExternalIds } from './external-ids.ts';
import { Filters } from './filters.ts';
import { AccountInvitePolicy } from './invite-policy.ts';
import { LastSeen } from './last-seen.ts';
import { localUserId, toServerName } from './own-names.ts';
import { PasswordLogin } from './password-login.ts';
import { Passwords } from './passwords.ts';
import type { Profile } from './profile.ts';
import { Profiles } from './profiles.ts';
import { enqueueLeavingRooms, type ProfilePublisher, propagationJobs } from './propagation.ts';
import { PushRules } from './push-rules.ts';
import { RateLimitOverrides } from './rate-limit-overrides.ts';
import { ReAuthentication } from './re-authentication.ts';
import { Registration } from './registration.ts';
import { RoomSettings } from './room-settings.ts';
import { newSecret } from './secrets.ts';
import { Sessions } from './sessions.ts';
import { ShadowBans } from './shadow-bans.ts';
import { SharedSecret } from './shared-secret.ts';
import { ShortTokens } from './short-tokens.ts';
import { lastAccountDataPosition } from './store/account-data.ts';
import { lastProfilePosition } from './store/profiles.ts';
import { deleteExpiredShortTokens } from './store/short-tokens.ts';
import { deleteExpiredTokens } from './store/tokens.ts';
import { deleteExpiredUiaSessions, getOrCreateSecret } from './store/uia.ts';
import { deleteExpiredValidations, deleteThreePidsOf } from './threepids/store.ts';
import { ThreePids } from './threepids/threepids.ts';
import { TokenAuthenticator } from './token-authenticator.ts';
import { allStages, Uia } from './uia/index.ts';
import { Users } from './users.ts';

export type { AccountData, AccountDataItem } from './account-data.ts';
export type { Device, Devices } from './devices.ts';
export type { ExternalId, ExternalIds } from './external-ids.ts';
export type { Filters } from './filters.ts';
export { fieldOf, type Profile, toJson as profileToJson } from './profile.ts';
export type { Profiles } from './profiles.ts';
export type { ProfilePublisher } from './propagation.ts';
export type { OwnRateLimits, RateLimitOverrides } from './rate-limit-overrides.ts';
export type { Registered, Registration } from './registration.ts';
export { hashSecret, newSecret } from './secrets.ts';
export { type Session, type Sessions, type SessionWish, userLocked } from './sessions.ts';
export type { ShadowBans } from './shadow-bans.ts';
export { accountsMigrations } from './store/migrations.ts';
export {
  CONFIRM_PATH,
  mediumNotSupported,
  type ThreePids,
  toAddress as toEmailAddress,
} from './threepids/threepids.ts';
export type { AuthData, Flow, OAuthApproval, StageName, Uia } from './uia/index.ts';
export { type NewUser, type User, type Users, userInUse } from './users.ts';

/** The durable streams of accounts. */
export const accountsStreams: readonly StreamDeclaration[] = [
  stream({ name: 'account_data', lane: 'main', load: lastAccountDataPosition }),
  stream({ name: 'profiles', lane: 'main', load: lastProfilePosition }),
];

/** What accounts are told by the configuration. */
export type AccountsConfig = Pick<
  Config,
  'server' | 'registration' | 'terms' | 'login' | 'email' | 'push' | 'sso' | 'server_notices'
>;

export interface AccountsOptions {
  readonly database: Database;
  readonly hub: Hub;
  readonly jobs: Jobs;
  readonly clock: Clock;
  readonly rateLimits: RateLimits;
  readonly config: AccountsConfig;
  /** Undefined where no e-mail can be sent. */
  readonly mailer?: Mailer | undefined;
  /** The very first account becomes an administrator, if it is made from this machine itself. */
  readonly firstLocalUserIsAdmin: boolean;
  /** What goes wrong where nobody waits for it. */
  readonly onError: (error: unknown) => void;
}

/** Expired tokens are kept this long, so that their clients are told to refresh and not that they are logged out. */
const EXPIRED_TOKENS_KEPT_MS = 30 * 24 * 60 * 60 * 1000;

/** The face of this domain. */
export class Accounts implements AsyncDisposable {
  readonly serverName: ServerName;
  /** For the HTTP pipeline. */
  readonly authenticator: TokenAuthenticator;
  readonly users: Users;
  readonly devices: Devices;
  readonly sessions: Sessions;
  readonly passwords: Passwords;
  readonly passwordLogin: PasswordLogin;
  readonly registration: Registration;
  /** Undefined where the server has no shared secret. */
  readonly sharedSecret: SharedSecret | undefined;
  readonly uia: Uia;
  readonly profiles: Profiles;
  readonly accountData: AccountData;
  readonly pushRules: PushRules;
  readonly filters: Filters;
  readonly roomSettings: RoomSettings;
  /** OpenID tokens and login tokens. */
  readonly shortTokens: ShortTokens;
  readonly invitePolicy: AccountInvitePolicy;
  /** In whose name the server speaks to its users. */
  readonly noticesUser: UserId;
  /** Who users are at providers of single sign-on. */
  readonly externalIds: ExternalIds;
  /** How users who are logged in can show once more who they are. */
  readonly reAuthentication: ReAuthentication;
  /** E-mail addresses of accounts. */
  readonly threePids: ThreePids;
  readonly shadowBans: ShadowBans;
  readonly rateLimitOverrides: RateLimitOverrides;
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #lastSeen: LastSeen;

  /**
   * Reads what accounts need before the first request. Throws `StorageRefusedError` where the accounts in the database
   * are those of another server: every id, event and signature in it carries that server's name.
   */
  static async open(options: AccountsOptions): Promise<Accounts> {
    const uiaSecret = await options.database.write('main', (tx) => getOrCreateSecret(tx, 'uia', newSecret()));
    const accounts = new Accounts(options, uiaSecret);
    await accounts.#assertSameServer();
    await accounts.pushRules.load();
    await Promise.all([accounts.users.load(), accounts.shadowBans.load(), accounts.rateLimitOverrides.load()]);
    return accounts;
  }

  async #assertSameServer(): Promise<void> {
    const [first] = await this.users.list('', 1);
    const owner = first?.userId.slice(first.userId.indexOf(':') + 1) ?? this.serverName;
    if (owner === this.serverName) return;
    throw new StorageRefusedError(
      `The data is that of the server ${owner}, but server.name is ${this.serverName}. ` +
        'A server cannot be renamed: set server.name back, or begin with an empty data folder and database.',
    );
  }

  private constructor(options: AccountsOptions, uiaSecret: string) {
    const { database, hub, jobs, clock, rateLimits, config } = options;
    const serverName = toServerName(config.server.name);
    this.#database = database;
    this.#clock = clock;
    this.serverName = serverName;
    this.#lastSeen = new LastSeen(database, clock, options.onError);
    this.authenticator = new TokenAuthenticator(database, clock, this.#lastSeen);
    this.devices = new Devices(database, this.authenticator);
    this.sessions = new Sessions(database, clock, this.devices, this.authenticator, {
      accessMs: config.login.access_token_lifetime,
      refreshMs: config.login.refresh_token_lifetime,
    });
    this.passwords = new Passwords(config.login.password_hash, config.login.password_length_min);
    this.profiles = new Profiles(database, hub, jobs);
    this.accountData = new AccountData(database, hub);
    this.pushRules = new PushRules(database, this.accountData, { encryptedEvents: config.push.encrypted_events });
    this.filters = new Filters(database);
    this.roomSettings = new RoomSettings(database, this.accountData, this.pushRules);
    this.shortTokens = new ShortTokens(database, clock, this.sessions);
    this.noticesUser = localUserId(config.server_notices.user, serverName);
    this.invitePolicy = new AccountInvitePolicy(this.accountData, this.noticesUser);
    this.externalIds = new ExternalIds(database, clock);
    this.reAuthentication = new ReAuthentication(database, this.externalIds, {
      passwords: config.login.password,
      providers: config.sso.providers.map(({ id }) => id),
    });
    this.shadowBans = new ShadowBans(database, clock);
    this.rateLimitOverrides = new RateLimitOverrides(database);
    rateLimits.overrideBy((key, name) => this.rateLimitOverrides.find(key, name));
    const { authenticator, devices, sessions, passwords, profiles } = this;
    this.users = new Users({ database, clock, passwords, authenticator, devices, profiles });
    this.passwordLogin = new PasswordLogin({
      database,
      passwords,
      sessions,
      rateLimits,
      serverName,
      isEnabled: config.login.password,
    });
    this.threePids = new ThreePids({
      database,
      clock,
      mailer: options.mailer,
      appName: config.email.app_name,
      tokenLifetimeMs: config.email.token_lifetime,
      publicUrl: (config.server.public_url ?? `https://${serverName}`).replace(/\/+$/, ''),
    });
    const rules = registrationRules(config, options.firstLocalUserIsAdmin);
    this.registration = new Registration({
      database,
      clock,
      users: this.users,
      sessions,
      passwords,
      rules,
      serverName,
      threePids: this.threePids,
    });
    const secret = config.registration.shared_secret;
    this.sharedSecret = secret === undefined ? undefined : new SharedSecret(secret, clock);
    const stages = allStages({
      threePids: this.threePids,
      passwordLogin: this.passwordLogin,
      recaptcha: config.registration.recaptcha,
      terms: config.terms,
      isTokenValid: (token) => this.registration.isTokenValid(token),
      oauth: () => this.reAuthentication.oauth,
    });
    this.uia = new Uia(database, clock, stages, uiaSecret);
    this.users.onDeactivated(async (tx, userId, { erase }) => {
      if (erase) await this.accountData.deleteAll(tx, userId);
      await deleteThreePidsOf(tx, userId);
      await enqueueLeavingRooms(jobs, tx, userId);
    });
  }

  /** Whether the user belongs to this server. */
  isLocal(userId: UserId): boolean {
    return serverNameOf(userId) === this.serverName;
  }

  /** The profile of one of our users; undefined where there is no such user. */
  async getProfile(userId: UserId): Promise<Profile | undefined> {
    return this.profiles.find(userId);
  }

  /** `getProfile` within a transaction. */
  profileOf(tx: ReadTx, userId: UserId): Promise<Profile | undefined> {
    return this.profiles.findIn(tx, userId);
  }

  /** Whom the user ignores. */
  ignoredUsers(userId: UserId): Promise<ReadonlySet<UserId>> {
    return this.accountData.ignoredUsers(userId);
  }

  /** The background jobs of this domain; `rooms` is who tells rooms what becomes of their members. */
  jobs(rooms: ProfilePublisher): readonly Job[] {
    return propagationJobs(rooms);
  }

  /** A secret of this server, made when it is first asked for. */
  secret(name: string): Promise<string> {
    return this.#database.write('main', (tx) => getOrCreateSecret(tx, name, newSecret()));
  }

  /** Deletes tokens and sessions that have expired. To be called now and then, such as once an hour. */
  async deleteExpired(): Promise<void> {
    const now = this.#clock.now();
    await this.#database.write('main', async (tx) => {
      await deleteExpiredTokens(tx, now, EXPIRED_TOKENS_KEPT_MS);
      await deleteExpiredUiaSessions(tx, now);
      await deleteExpiredShortTokens(tx, now);
      await deleteExpiredValidations(tx, now);
    });
  }

  /** Writes what is still in memory. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lastSeen[Symbol.asyncDispose]();
  }
}

function registrationRules({ registration, login, server_notices }: AccountsConfig, firstLocalUserIsAdmin: boolean) {
  const { open_to: openTo, steps, guests, reserved_names: reserved } = registration;
  return {
    openTo: login.password ? openTo : ('nobody' as const),
    steps,
    guests,
    reservedNames: new TypePattern([...reserved, server_notices.user]),
    firstLocalUserIsAdmin,
  };
}
