/** Whether a client has a room already: which depends on whether the user was in it at the client's token. */
import { readString } from '../protocol/json/index.ts';
import type { ReadTx } from '../storage/index.ts';
import type { UserRoom } from './online-user.ts';
import type { SyncRooms } from './ports.ts';
import type { SyncContext } from './request.ts';
import { eventAt, stateAtPosition } from './state-at.ts';

/**
 * The position up to which the client has a room that the user is in or was in; undefined where it has nothing of it.
 * Who left and came back since has what was before.
 */
export async function knownPosition(
  tx: ReadTx,
  rooms: SyncRooms,
  { viewer, since }: SyncContext,
  room: UserRoom,
): Promise<number | undefined> {
  if (since === undefined) return undefined;
  const position = since.events;
  if (room.position <= position) return room.membership === 'join' ? position : undefined;
  const then = await stateAtPosition(tx, rooms, room.roomNid, position);
  const nid = then && (await eventAt(tx, rooms, then, 'm.room.member', viewer.userId));
  const [member] = nid === undefined ? [] : await rooms.eventsByNids(tx, [nid]);
  return member !== undefined && readString(member.event.content, 'membership') === 'join' ? position : undefined;
}
