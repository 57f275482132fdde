/** How parts of an answer come to `/sync` that are neither rooms nor account data. */
import type { Viewer } from '../rooms/index.ts';
import type { ReadTx } from '../storage/index.ts';
import type { SyncToken } from '../streams/index.ts';
import type { OnlineUser } from './online-user.ts';
import type { SyncContext } from './request.ts';

/** What an extension adds to an answer. */
export interface Produced {
  /** Members of the answer's JSON object, such as `"to_device":{…}`; none where there is no news. */
  readonly members: readonly string[];
  /** Where the answer's token stops short of the present, as not all fits into one answer. */
  readonly upTo?: Partial<SyncToken>;
}

/** A part of the answer. Each is asked by memory first; only what has news may query. */
export interface SyncExtension {
  /** The streams that it follows: of a user who comes for the first time, all up to now counts as news. */
  readonly streams: readonly string[];
  /** Whether there may be anything since the token: no query. */
  hasNews(user: OnlineUser, viewer: Viewer, since: SyncToken): boolean;
  /** The device has everything up to the token. */
  confirm?(user: OnlineUser, viewer: Viewer, since: SyncToken): Promise<void>;
  produce(tx: ReadTx, context: SyncContext): Promise<Produced>;
  /** Members of every answer, those without news too: from memory. */
  always?(viewer: Viewer): Promise<readonly string[]>;
}
