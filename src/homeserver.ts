/** The composition root: the only place where the parts are made and joined. Up from the bottom, down from the top. */
import { type Clock, systemClock } from './clock.ts';
import type { Config } from './config/index.ts';
import { createLogger, type Logger } from './telemetry/log.ts';

/** What a running server is made of besides its configuration; tests pass their own. */
export interface HomeserverDeps {
  readonly clock?: Clock;
  readonly logger?: Logger;
}

/** A running homeserver. Disposing of it stops it gracefully. */
export interface Homeserver extends AsyncDisposable {
  readonly config: Config;
  readonly logger: Logger;
}

/** Starts every part of the server; resolves when it serves. Throws, with nothing left running, where a part can't start. */
export async function startHomeserver(config: Config, deps: HomeserverDeps = {}): Promise<Homeserver> {
  const clock = deps.clock ?? systemClock;
  const logger = deps.logger ?? createLogger(config.logging);
  await using parts = new AsyncDisposableStack();
  void clock;
  const running = parts.move();
  return { config, logger, [Symbol.asyncDispose]: () => running.disposeAsync() };
}
