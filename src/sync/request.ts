import type { Filter } from '../protocol/filter/index.ts';
import type { RoomId, UserId } from '../protocol/ids/index.ts';
import type { Viewer } from '../rooms/index.ts';
import type { SyncToken } from '../streams/index.ts';
import type { DeviceMembers } from './lazy-members.ts';
import type { OnlineUser, UserRoom } from './online-user.ts';
import type { RoomChunks } from './room-chunks.ts';

/** What a client asks for. */
export interface SyncQuery {
  readonly since: string | undefined;
  readonly filter: Filter;
  readonly fullState: boolean;
  /** `state_after` in place of `state` (v1.16): the state after the timeline, changes in the timeline included. */
  readonly useStateAfter: boolean;
  /** The name of that section in the answer; MSC4222's own while the client asks with the unstable name. */
  readonly stateAfterKey: 'state_after' | 'org.matrix.msc4222.state_after';
  readonly timeoutMs: number;
}

/** One answer in the making: who asks, from where to where. */
export interface SyncContext {
  readonly viewer: Viewer;
  readonly user: OnlineUser;
  readonly query: SyncQuery;
  readonly since: SyncToken | undefined;
  readonly to: SyncToken;
  readonly ignored: ReadonlySet<UserId>;
  /** Whether the viewer wants to see no invite of a user. */
  readonly hidesInvite: (inviter: UserId) => Promise<boolean>;
  readonly members: DeviceMembers;
  readonly chunks: RoomChunks;
  /** Up to where there were events in the skeleton's joined rooms, as it saw them; a token goes further. */
  readonly lastEvents: ReadonlyMap<RoomId, number>;
  /** All joined rooms of the user, as the skeleton saw them. */
  readonly rooms: readonly UserRoom[];
}
