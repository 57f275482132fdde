/**
 * What the hub carries beside a key when something happened in rooms, so that whoever listens needs no query to know what.
 * It is a hint: whoever misses it reads the tables.
 */
import type { RoomId } from '../protocol/ids/index.ts';
import type { Membership } from './store/index.ts';

/** Under `room:!id` and `user:@id`: there is something at this position of a stream. */
export interface StreamNews {
  readonly stream: string;
  /** The room, where the stream is one of rooms. */
  readonly roomId?: RoomId;
  readonly position: number;
}

/** A part of the stream 'events', with its positions: member events. For those who need to know who shares a room with whom. */
export const MEMBERS = 'members';

/** A part of the stream 'events', with its positions: sticky events (MSC4354). */
export const STICKY = 'sticky';

/** Under `user:@id`: the user's membership in a room changed. */
export interface MembershipNews {
  readonly roomId: RoomId;
  readonly roomNid: number;
  readonly membership: Membership;
  readonly eventNid: number;
  /** In the stream 'events'. */
  readonly position: number;
  /** The user has forgotten the room that this member event left. */
  readonly forgotten?: boolean;
}
