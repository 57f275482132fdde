/** The composition root: the only place where the parts are made and joined. Up from the bottom, down from the top. */
import { mkdirSync } from 'node:fs';
import { z } from 'zod';
import { Accounts, accountsMigrations, accountsStreams } from './accounts/index.ts';
import { adminApiRoutes } from './admin-api/index.ts';
import { clientApiRoutes } from './client-api/index.ts';
import { type ClientParts, clientMigrations, makeClientParts } from './client-parts.ts';
import { type Clock, systemClock } from './clock.ts';
import type { Config } from './config/index.ts';
import { controlSocket, startControl } from './control.ts';
import { devicesMigrations, devicesStreams } from './devices/index.ts';
import { makeMailer } from './email/index.ts';
import {
  allFederationMigrations,
  type FederationParts,
  makeFederation,
  makeFederationParts,
} from './federation-parts.ts';
import { databaseConfigOf, rateLimitsOf } from './homeserver-options.ts';
import {
  type BoundAddress,
  createRemoteOf,
  healthRoutes,
  metricsRoutes,
  openApiRoutes,
  Pipeline,
  RateLimits,
  type Route,
  startListeners,
} from './http/index.ts';
import { Identity, identityMigrations } from './identity/index.ts';
import { Jobs, job, jobsMigrations } from './jobs/index.ts';
import { Media, mediaMigrations } from './media/index.ts';
import { signJson } from './protocol/crypto/index.ts';
import { makeRoomParts, type RoomParts } from './room-parts.ts';
import { eventsStream, receiptsStream, roomsMigrations } from './rooms/index.ts';
import { readOrMakeSigningKeys } from './signing-key-file.ts';
import { type Database, joinMigrations, openDatabase } from './storage/index.ts';
import { Cursors, Hub, streamsMigrations } from './streams/index.ts';
import { createLogger, type Logger } from './telemetry/log.ts';
import { Metrics } from './telemetry/metrics.ts';
import { VERSION } from './version.ts';
import { lazyWeb } from './web-fallback.ts';

/** What a running server is made of besides its configuration; tests pass their own. */
export interface HomeserverDeps {
  readonly clock?: Clock;
  readonly logger?: Logger;
  /** The very first account becomes an administrator, if it is made from this machine itself. */
  readonly firstLocalUserIsAdmin?: boolean;
}

/** A running homeserver. Disposing of it stops it gracefully. */
export interface Homeserver extends AsyncDisposable {
  readonly config: Config;
  readonly logger: Logger;
  /** The addresses that are listened on. */
  readonly listeners: readonly BoundAddress[];
  /** Every endpoint. */
  readonly routes: readonly Route[];
}

/** The parts below HTTP: what commands of the CLI work on when no server runs. */
export interface Domains extends RoomParts, ClientParts, FederationParts {
  readonly database: Database;
  readonly accounts: Accounts;
  readonly media: Media;
  readonly identity: Identity;
  /** Checks that the database answers. */
  checkHealth(): Promise<unknown>;
  /** Starts to run background jobs. */
  startJobs(): Promise<AsyncDisposable>;
}

/** What all parts share. */
interface Common {
  readonly config: Config;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly rateLimits: RateLimits;
  readonly firstLocalUserIsAdmin: boolean;
}

const MIGRATIONS = joinMigrations(
  streamsMigrations,
  jobsMigrations,
  accountsMigrations,
  devicesMigrations,
  mediaMigrations,
  roomsMigrations,
  identityMigrations,
  clientMigrations,
  allFederationMigrations,
);

const EXPIRED_EVERY_MS = 3_600_000;

/** Starts every part of the server; resolves when it serves. Rejects, with nothing left running, where a part can't start. */
export async function startHomeserver(config: Config, deps: HomeserverDeps = {}): Promise<Homeserver> {
  const common = commonParts(config, deps);
  const { clock, logger, rateLimits } = common;
  const metrics = new Metrics();
  await using parts = new AsyncDisposableStack();

  const domains = parts.use(await openDomainsWith(common));
  parts.use(await domains.startJobs());
  await domains.startFollowing();
  await domains.startSending();

  const { accounts } = domains;
  const served: readonly Route[] = [
    ...clientApiRoutes({ ...domains, config }),
    ...domains.federationRoutes,
    ...adminApiRoutes(domains),
    ...healthRoutes({ check: () => domains.checkHealth() }),
    ...metricsRoutes({ metrics }),
  ];
  const routes: readonly Route[] = [...served, ...openApiRoutes({ routes: served, version: VERSION })];
  const remoteOf = createRemoteOf(config.http.trusted_proxies);
  const pipeline = new Pipeline({
    routes,
    authenticator: accounts.authenticator,
    federationAuthenticator: domains.federation?.verifier,
    rateLimits,
    remoteOf,
    allowQueryTokens: config.login.query_tokens,
    logger: logger.child({ part: 'http' }),
    metrics: metrics.requests,
    clock,
  });
  const listeners = parts.use(
    await startListeners({
      listeners: config.listeners,
      pipeline,
      web: lazyWeb({
        config,
        logger,
        remoteOf,
        hasAccounts: async () => !(await accounts.users.isEmpty()),
        firstLocalUserIsAdmin: common.firstLocalUserIsAdmin,
      }),
      dataFolder: config.server.data_folder,
      serverName: config.server.name,
      shutdownTimeoutMs: config.http.shutdown_timeout,
      logger,
    }),
  );

  const socket = controlSocket(config.server.data_folder);
  if (socket === undefined) logger.warn('the path of the data folder is too long for the control socket');
  else parts.use(await startControl(socket, domains));

  const running = parts.move();
  return {
    config,
    logger,
    listeners: listeners.addresses,
    routes,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** Opens the database and the domains on it, without serving anything. */
export function openDomains(config: Config, deps: HomeserverDeps = {}): Promise<Domains> {
  return openDomainsWith(commonParts(config, deps));
}

function commonParts(config: Config, deps: HomeserverDeps): Common {
  const clock = deps.clock ?? systemClock;
  const logger = deps.logger ?? createLogger(config.logging);
  const rateLimits = new RateLimits({ clock, ...rateLimitsOf(config) });
  return { config, clock, logger, rateLimits, firstLocalUserIsAdmin: deps.firstLocalUserIsAdmin ?? false };
}

async function openDomainsWith({ config, clock, logger, rateLimits, firstLocalUserIsAdmin }: Common): Promise<Domains> {
  await using parts = new AsyncDisposableStack();
  mkdirSync(config.server.data_folder, { recursive: true, mode: 0o700 });
  const signingKeys = readOrMakeSigningKeys(config.server.signing_key_file);
  const [signingKey] = signingKeys;

  const database = parts.use(
    await openDatabase(databaseConfigOf(config), MIGRATIONS, {
      clock,
      streams: [...accountsStreams, ...devicesStreams, eventsStream, receiptsStream],
      log: logger.child({ part: 'storage' }),
    }),
  );
  const hub = new Hub((error) => logger.error({ err: error, part: 'streams' }, 'a listener failed'));
  const jobs = new Jobs({ database, hub, clock, random: Math.random, log: logger.child({ part: 'jobs' }) });
  const mailer = makeMailer(config.email);
  const accounts = parts.use(
    await Accounts.open({
      database,
      hub,
      jobs,
      clock,
      rateLimits,
      config,
      mailer,
      firstLocalUserIsAdmin,
      onError: (error) => logger.error({ err: error, part: 'accounts' }, 'background work failed'),
    }),
  );
  jobs.declare(
    job({
      name: 'accounts.delete_expired',
      payload: z.object({}),
      everyMs: EXPIRED_EVERY_MS,
      handle: () => accounts.deleteExpired(),
    }),
  );

  const federation = makeFederation({ config, clock, database, accounts, signingKeys });
  const media = parts.use(
    await Media.open({
      database,
      hub,
      jobs,
      clock,
      serverName: accounts.serverName,
      config: config.media,
      federation,
      sign: (record) => signJson(record, accounts.serverName, signingKey),
      onError: (error) => logger.error({ err: error, part: 'media' }, 'background work failed'),
    }),
  );

  accounts.users.onDeactivated(async (tx, userId, { erase }) => {
    if (erase) await media.admin.erase(tx, userId);
  });

  const log = logger.child({ part: 'devices' });
  const roomParts = makeRoomParts({
    config,
    clock,
    database,
    hub,
    jobs,
    accounts,
    rateLimits,
    signingKey,
    federation,
    log,
  });
  parts.use(roomParts.typing);
  await roomParts.rooms.partial.load(database);
  jobs.declare(
    job({
      name: 'devices.delete_expired',
      payload: z.object({}),
      everyMs: EXPIRED_EVERY_MS,
      handle: () => roomParts.devices.deleteExpired(),
    }),
  );

  const clientParts = parts.use(
    await makeClientParts({
      config,
      clock,
      logger,
      database,
      hub,
      jobs,
      accounts,
      media,
      rateLimits,
      mailer,
      ...roomParts,
    }),
  );

  const { rooms } = roomParts;
  const identity = parts.use(
    new Identity({ config: config.identity, signingKey, database, jobs, rooms, federation, accounts }),
  );
  const federationParts = parts.use(
    makeFederationParts({ config, clock, logger, database, hub, accounts, identity, media, ...roomParts, federation }),
  );

  const opened = parts.move();
  return {
    database,
    accounts,
    media,
    identity,
    ...roomParts,
    ...clientParts,
    ...federationParts,
    startFollowing: async () => {
      const { streams } = roomParts;
      const consumersLog = logger.child({ part: 'consumers' });
      media.startFollowing({ database, streams, hub, cursors: new Cursors(), log: consumersLog });
      await clientParts.startFollowing();
    },
    checkHealth: () => accounts.users.isEmpty(),
    startJobs: () => jobs.start(),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}
