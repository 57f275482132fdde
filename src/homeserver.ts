/** The composition root: the only place where the parts are made and joined. Up from the bottom, down from the top. */
import { mkdirSync } from 'node:fs';
import { type Clock, systemClock } from './clock.ts';
import type { Config } from './config/index.ts';
import { databaseConfigOf, rateLimitsOf } from './homeserver-options.ts';
import {
  type BoundAddress,
  createRemoteOf,
  healthRoutes,
  metricsRoutes,
  Pipeline,
  RateLimits,
  type Route,
  startListeners,
} from './http/index.ts';
import { unknownToken } from './protocol/errors.ts';
import { roomsMigrations } from './rooms/index.ts';
import { readOrMakeSigningKeys } from './signing-key-file.ts';
import { joinMigrations, openDatabase } from './storage/index.ts';
import { Hub, Streams } from './streams/index.ts';
import { createLogger, type Logger } from './telemetry/log.ts';
import { Metrics } from './telemetry/metrics.ts';
import { lazyWeb } from './web-fallback.ts';

/** What a running server is made of besides its configuration; tests pass their own. */
export interface HomeserverDeps {
  readonly clock?: Clock;
  readonly logger?: Logger;
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

/** Starts every part of the server; resolves when it serves. Rejects, with nothing left running, where a part can't start. */
export async function startHomeserver(config: Config, deps: HomeserverDeps = {}): Promise<Homeserver> {
  const clock = deps.clock ?? systemClock;
  const logger = deps.logger ?? createLogger(config.logging);
  const metrics = new Metrics();
  await using parts = new AsyncDisposableStack();

  mkdirSync(config.server.data_folder, { recursive: true, mode: 0o700 });
  const signingKeys = readOrMakeSigningKeys(config.server.signing_key_file);
  const database = parts.use(
    await openDatabase(databaseConfigOf(config), joinMigrations(roomsMigrations), {
      clock,
      log: logger.child({ part: 'storage' }),
    }),
  );
  const hub = new Hub((error) => logger.error({ err: error, part: 'streams' }, 'a listener failed'));
  const streams = new Streams(database);
  void [signingKeys, hub, streams];

  const routes: readonly Route[] = [
    ...healthRoutes({ check: () => database.read(async () => undefined) }),
    ...metricsRoutes({ metrics }),
  ];

  const remoteOf = createRemoteOf(config.http.trusted_proxies);
  const pipeline = new Pipeline({
    routes,
    authenticator: {
      authenticate: () => {
        throw unknownToken('Nobody has an account yet');
      },
    },
    rateLimits: new RateLimits({ clock, ...rateLimitsOf(config) }),
    remoteOf,
    logger: logger.child({ part: 'http' }),
    metrics: metrics.requests,
    clock,
  });
  const web = lazyWeb({ config, logger, remoteOf, hasAccounts: async () => false });
  const listeners = parts.use(
    await startListeners({
      listeners: config.listeners,
      pipeline,
      web,
      dataFolder: config.server.data_folder,
      serverName: config.server.name,
      shutdownTimeoutMs: config.http.shutdown_timeout,
      logger,
    }),
  );

  const running = parts.move();
  return {
    config,
    logger,
    listeners: listeners.addresses,
    routes,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
