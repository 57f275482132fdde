/** Whether a client has a room already: which depends on whether the user was in it at the client's token. */
import type { UserId } from '../protocol/ids/index.ts';
import { readString } from '../protocol/json/index.ts';
import type { ReadTx } from '../storage/index.ts';
import type { UserRoom } from './online-user.ts';
import type { SyncRooms } from './ports.ts';
import type { SyncContext } from './request.ts';
import { eventAt, type StatePoint, stateAtPosition, stateBefore } from './state-at.ts';

/** What a client has of a room. */
export interface KnownPart {
  /** Up to this position it has the room; undefined: nothing that goes on into the present. */
  readonly position: number | undefined;
  /** It has something from an earlier stay of the user, which must not be taken for what comes before the timeline. */
  readonly hasOld: boolean;
}

const NOTHING: KnownPart = { position: undefined, hasOld: false };

/**
 * What a client has of a room that the user is in or was in. Who left and came back since the token has what was before;
 * for who came back to what was left before the token, the room begins anew.
 */
export async function knownPart(
  tx: ReadTx,
  rooms: SyncRooms,
  { viewer, since, query }: SyncContext,
  room: UserRoom,
): Promise<KnownPart> {
  if (since === undefined) return NOTHING;
  const position = since.events;
  // It had no members, so that those who want all of them were not told of it.
  if (!query.filter.room.state.lazyLoadMembers && rooms.completedAt(room.roomNid) > position) return NOTHING;
  if (room.position <= position) return room.membership === 'join' ? { position, hasOld: false } : NOTHING;
  const then = await stateAtPosition(tx, rooms, room.roomNid, position);
  const member = then && (await memberAt(tx, rooms, then, viewer.userId));
  if (member === undefined) return NOTHING;
  const membership = readString(member.event.content, 'membership');
  if (membership === 'join') return { position, hasOld: false };
  if (membership === 'leave' || membership === 'ban') return { position: undefined, hasOld: true };
  const before = await memberAt(tx, rooms, stateBefore(member), viewer.userId);
  return { position: undefined, hasOld: before !== undefined };
}

async function memberAt(tx: ReadTx, rooms: SyncRooms, point: StatePoint, userId: UserId) {
  const nid = await eventAt(tx, rooms, point, 'm.room.member', userId);
  return nid === undefined ? undefined : (await rooms.eventsByNids(tx, [nid]))[0];
}
