import type { Clock } from '../clock.ts';
import type { Remote } from '../http/route.ts';
import { forbidden, MatrixError, missingParam } from '../protocol/errors.ts';
import { localpartOf, makeUserId, type ServerName, type UserId } from '../protocol/ids/index.ts';
import { type Database, isUniqueViolation, type WriteTx } from '../storage/index.ts';
import type { Passwords } from './passwords.ts';
import { newLocalpart, newSecret } from './secrets.ts';
import { parseWish, type Session, type Sessions, type SessionWish } from './sessions.ts';
import {
  insertConsents,
  insertRegistrationToken,
  isRegistrationTokenValid,
  useRegistrationToken,
} from './store/registration-tokens.ts';
import { findUser, hasNoUsers } from './store/users.ts';
import type { ThreePids } from './threepids/threepids.ts';
import type { Flow, UiaOutcome } from './uia/index.ts';
import { type NewUser, type Users, userInUse } from './users.ts';

/** Who may register, and what is asked of them. */
export interface RegistrationRules {
  readonly openTo: 'nobody' | 'local' | 'everyone';
  readonly steps: readonly ('registration_token' | 'terms' | 'recaptcha' | 'email')[];
  readonly guests: boolean;
  /** Localparts that nobody gets by registering, in lower case; `*` stands for any characters. */
  readonly reservedNames: { matches(localpart: string): boolean };
  /** The very first account becomes an administrator, if it is made from this machine itself. */
  readonly firstLocalUserIsAdmin: boolean;
}

/** What somebody asks for who registers. */
export interface RegistrationWish extends SessionWish {
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** No session is wanted. */
  readonly inhibitLogin?: boolean | undefined;
  /** The guest who registers, and so keeps the account. */
  readonly guest?: UserId | undefined;
}

/** An account that an administrator makes. */
export interface AdminMadeAccount {
  readonly username: string;
  readonly password: string;
  readonly isAdmin: boolean;
  readonly displayName?: string | undefined;
  readonly userType?: string | undefined;
}

/** A new account, and its first session where one was wanted. */
export interface Registered {
  readonly userId: UserId;
  readonly session: Session | undefined;
}

/** Lets people make accounts for themselves. Spec: client-server-api/#legacy-account-registration */
export class Registration {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #users: Users;
  readonly #sessions: Sessions;
  readonly #passwords: Passwords;
  readonly #rules: RegistrationRules;
  readonly #serverName: ServerName;
  readonly #threePids: ThreePids;

  constructor(parts: {
    readonly database: Database;
    readonly clock: Clock;
    readonly users: Users;
    readonly sessions: Sessions;
    readonly passwords: Passwords;
    readonly rules: RegistrationRules;
    readonly serverName: ServerName;
    readonly threePids: ThreePids;
  }) {
    this.#database = parts.database;
    this.#clock = parts.clock;
    this.#users = parts.users;
    this.#sessions = parts.sessions;
    this.#passwords = parts.passwords;
    this.#rules = parts.rules;
    this.#serverName = parts.serverName;
    this.#threePids = parts.threePids;
  }

  /** Whether someone at this address may register. */
  isOpenTo(remote: Remote): boolean {
    const { openTo } = this.#rules;
    return openTo === 'everyone' || (openTo === 'local' && remote.isLocal);
  }

  /** Throws 403 `M_FORBIDDEN` where nobody at this address may register. */
  assertOpenTo(remote: Remote): void {
    if (!this.isOpenTo(remote)) throw forbidden('Registration is not open');
  }

  /** What those who register must go through. */
  get flows(): readonly Flow[] {
    const { steps } = this.#rules;
    if (steps.length === 0) return [['m.login.dummy']];
    return [steps.map((step) => (step === 'email' ? 'm.login.email.identity' : (`m.login.${step}` as const)))];
  }

  /**
   * Throws where the name can't be registered: `M_INVALID_USERNAME` or `M_USER_IN_USE`. Upper case is taken as lower.
   * Spec: client-server-api/#get_matrixclientv3registeravailable
   */
  async assertAvailable(username: string): Promise<void> {
    const userId = this.#newUserId(username);
    if ((await this.#database.read((tx) => findUser(tx, userId))) !== undefined) throw userInUse();
  }

  /** Throws where the wish can't be fulfilled. Ask before the user has to authenticate. */
  async assertPossible(wish: RegistrationWish): Promise<void> {
    parseWish(wish);
    if (wish.password !== undefined) this.#passwords.check(wish.password);
    if (wish.guest !== undefined) assertOwnName(wish.guest, wish.username);
    else if (wish.username !== undefined) await this.assertAvailable(wish.username);
  }

  /** Makes an account for somebody who went through the flows. */
  async register(wish: RegistrationWish, outcome: UiaOutcome, remote: Remote): Promise<Registered> {
    if (wish.password === undefined) throw missingParam('Missing key: password');
    const userId = wish.guest ?? this.#newUserId(wish.username ?? newLocalpart());
    const passwordHash = await this.#passwords.hash(wish.password);
    return this.#database.write('main', async (tx) => {
      await outcome.close(tx);
      await this.#useUp(tx, outcome, userId);
      if (wish.guest !== undefined) {
        await this.#users.upgradeGuest(tx, userId, passwordHash);
        return this.#withSession(tx, userId, wish, remote);
      }
      const isAdmin = this.#rules.firstLocalUserIsAdmin && remote.isLocal && (await hasNoUsers(tx));
      return this.create(tx, { userId, passwordHash, displayName: localpartOf(userId), isAdmin }, wish, remote);
    });
  }

  /**
   * Makes an account on behalf of an administrator: reserved names are allowed, and short passwords. The command line and
   * whoever knows the shared secret come here.
   */
  async registerByAdmin(
    account: AdminMadeAccount,
    wish: SessionWish & { readonly inhibitLogin?: boolean },
    remote: Remote,
  ): Promise<Registered> {
    parseWish(wish);
    const userId = this.#userIdOf(account.username);
    const passwordHash = await this.#passwords.hashAny(account.password);
    const { isAdmin, userType } = account;
    const displayName = account.displayName ?? localpartOf(userId);
    const user = { userId, passwordHash, displayName, isAdmin, userType };
    return this.#database.write('main', (tx) => this.create(tx, user, wish, remote));
  }

  /** Makes a guest account, if there are guests. Spec: client-server-api/#guest-access */
  async registerGuest(deviceName: string | undefined, remote: Remote): Promise<Registered> {
    if (!this.#rules.guests) throw new MatrixError('M_GUEST_ACCESS_FORBIDDEN', 'There are no guests on this server');
    parseWish({ deviceName });
    const user = { userId: this.#newUserId(newLocalpart()), passwordHash: undefined, isGuest: true };
    return this.#database.write('main', (tx) => this.create(tx, user, { deviceName }, remote));
  }

  /**
   * Makes an account for somebody whom a provider of single sign-on knows. It has no password. Throws `M_INVALID_USERNAME`
   * and `M_USER_IN_USE`.
   */
  async registerExternal(tx: WriteTx, username: string, displayName: string | undefined): Promise<UserId> {
    const userId = this.#newUserId(username);
    await this.#users.create(tx, { userId, passwordHash: undefined, displayName: displayName ?? localpartOf(userId) });
    return userId;
  }

  /** Adds an account, and a session where one is wanted, within a transaction. */
  async create(tx: WriteTx, user: NewUser, wish: RegistrationWish, remote: Remote): Promise<Registered> {
    await this.#users.create(tx, user);
    return this.#withSession(tx, user.userId, wish, remote);
  }

  async #withSession(tx: WriteTx, userId: UserId, wish: RegistrationWish, remote: Remote): Promise<Registered> {
    const session = wish.inhibitLogin === true ? undefined : await this.#sessions.open(tx, userId, wish, remote);
    return { userId, session };
  }

  /** The id of an account that somebody registers for themselves. Throws `M_INVALID_USERNAME`. */
  #newUserId(username: string): UserId {
    const userId = this.#userIdOf(username);
    if (this.#rules.reservedNames.matches(localpartOf(userId))) {
      throw new MatrixError('M_INVALID_USERNAME', 'This user name is reserved');
    }
    return userId;
  }

  /** The id of a new account, reserved names included. Throws `M_INVALID_USERNAME`. */
  #userIdOf(username: string): UserId {
    const userId = makeUserId(username.toLowerCase(), this.#serverName);
    if (userId !== undefined) return userId;
    throw new MatrixError(
      'M_INVALID_USERNAME',
      'A user name consists of a-z, 0-9 and . _ = - / +, and is not too long',
    );
  }

  /** Whether the registration token can still be used. Throws 403 where nobody may register. */
  async isTokenValid(token: string): Promise<boolean> {
    if (this.#rules.openTo === 'nobody') throw forbidden('Registration is not open');
    return this.#database.read((tx) => isRegistrationTokenValid(tx, token, this.#clock.now()));
  }

  /**
   * Makes a registration token, a random one where none is named. `usesAllowed` and `expiresTs` (milliseconds since the
   * epoch) are undefined for no limit.
   */
  async createToken(options: {
    readonly token?: string;
    readonly usesAllowed?: number;
    readonly expiresTs?: number;
  }): Promise<string> {
    const token = options.token ?? newSecret().slice(0, 16);
    const row = {
      token,
      uses_allowed: options.usesAllowed ?? null,
      completed: 0,
      expires_ts: options.expiresTs ?? null,
      created_ts: this.#clock.now(),
    };
    await this.#database
      .write('main', (tx) => insertRegistrationToken(tx, row))
      .catch((error: unknown) => {
        throw isUniqueViolation(error) ? new MatrixError('M_INVALID_PARAM', 'There is such a token already') : error;
      });
    return token;
  }

  /** What the stages found out is of consequence only now. */
  async #useUp(tx: WriteTx, { results }: UiaOutcome, userId: UserId): Promise<void> {
    const now = this.#clock.now();
    const token = results.get('m.login.registration_token');
    if (token !== undefined && !(await useRegistrationToken(tx, token, now))) {
      throw forbidden('The registration token has been used up');
    }
    const address = results.get('m.login.email.identity');
    if (address !== undefined) await this.#threePids.addIn(tx, userId, address);
    const terms = results.get('m.login.terms');
    if (terms === undefined) return;
    const versions: Record<string, string> = JSON.parse(terms);
    const documents = Object.entries(versions).map(([id, version]) => ({ id, version }));
    await insertConsents(tx, userId, documents, now);
  }
}

/** Guests who register keep their name, and must say so. Spec: client-server-api/#guest-access */
function assertOwnName(guest: UserId, username: string | undefined): void {
  if (username === undefined) throw missingParam('Missing key: username');
  if (username.toLowerCase() !== localpartOf(guest)) {
    throw new MatrixError('M_INVALID_USERNAME', 'Guests who register keep their user name');
  }
}
