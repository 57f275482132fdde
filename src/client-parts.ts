/** A part of the composition root: what stands on the rooms and is there for clients only, such as search. */
import type { Accounts } from './accounts/index.ts';
import type { Clock } from './clock.ts';
import type { Config } from './config/index.ts';
import type { Jobs } from './jobs/index.ts';
import type { RoomParts } from './room-parts.ts';
import { Search, SearchIndexer, searchMigrations } from './search/index.ts';
import { type Database, joinMigrations } from './storage/index.ts';
import { Cursors, type Hub } from './streams/index.ts';
import type { Logger } from './telemetry/log.ts';

/** What these parts are built on. */
export interface ClientPartsDeps extends RoomParts {
  readonly config: Config;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly database: Database;
  readonly hub: Hub;
  readonly jobs: Jobs;
  readonly accounts: Accounts;
}

/** These parts. Disposing of them stops what `startFollowing` has started. */
export interface ClientParts extends AsyncDisposable {
  readonly search: Search;
  readonly searchIndexer: SearchIndexer;
  /** Begins to follow the streams. */
  startFollowing(): void;
}

export const clientMigrations = joinMigrations(searchMigrations);

/** Makes the parts; nothing runs before `startFollowing`. */
export function makeClientParts(deps: ClientPartsDeps): ClientParts {
  const { database, hub, streams, rooms, logger } = deps;
  const consumers = { database, streams, hub, cursors: new Cursors(), log: logger.child({ part: 'consumers' }) };
  const searchIndexer = new SearchIndexer({ ...consumers, events: rooms.events });
  return {
    search: new Search(rooms.reading, searchIndexer),
    searchIndexer,
    startFollowing: () => searchIndexer.start(),
    [Symbol.asyncDispose]: () => searchIndexer.stop(),
  };
}
