import { forbidden } from '../../protocol/errors.ts';
import type { RoomId, UserId } from '../../protocol/ids/index.ts';
import type { ReadTx } from '../../storage/types.ts';
import { findMembership, findRoom, type RoomRow, type StoredEvent } from '../store/index.ts';
import { membershipOf } from './history-visibility.ts';
import type { StateReader } from './state-reader.ts';

/** What a user is to a room, for reading it. */
export type Standing =
  | { readonly kind: 'joined' }
  /** Was in the room; `departure` is the event that ended the last stay. */
  | { readonly kind: 'left'; readonly departure: StoredEvent }
  /** Never was in the room (or forgot it). */
  | { readonly kind: 'stranger' };

/** A room as one user may read it. */
export interface ReadableRoom {
  readonly room: RoomRow;
  readonly standing: Standing;
}

/** How many member events a search for the last stay goes back. */
const MEMBER_EVENTS_MAX = 200;

/**
 * The room, for a user who may read in it: who is in it, was in it and hasn't forgotten it, or anyone where it is
 * world-readable now.
 * @throws M_FORBIDDEN for everybody else, and for unknown rooms
 */
export async function getReadableRoom(
  tx: ReadTx,
  states: StateReader,
  roomId: RoomId,
  userId: UserId,
): Promise<ReadableRoom> {
  const room = await findRoom(tx, roomId);
  if (room === undefined) throw forbidden('You are not in this room');
  const standing = await standingOf(tx, states, room.room_nid, userId);
  if (standing.kind === 'stranger' && room.history_visibility !== 'world_readable') {
    throw forbidden('You are not in this room');
  }
  return { room, standing };
}

/**
 * The room, for a user who is in it now.
 * @throws M_FORBIDDEN
 */
export async function getJoinedRoom(tx: ReadTx, roomId: RoomId, userId: UserId): Promise<RoomRow> {
  const room = await findRoom(tx, roomId);
  const membership = room === undefined ? undefined : await findMembership(tx, userId, room.room_nid);
  if (room === undefined || membership?.membership !== 'join') throw forbidden('You are not in this room');
  return room;
}

/** What a user is to a room. */
export async function standingOf(tx: ReadTx, states: StateReader, roomNid: number, userId: UserId): Promise<Standing> {
  const row = await findMembership(tx, userId, roomNid);
  if (row === undefined || row.forgotten === 1) return { kind: 'stranger' };
  if (row.membership === 'join') return { kind: 'joined' };
  const departure = await lastDeparture(tx, states, row.event_nid, userId);
  return departure === undefined ? { kind: 'stranger' } : { kind: 'left', departure };
}

/** Follows a user's member events back from one that isn't a join to the one that ended the last stay. */
async function lastDeparture(
  tx: ReadTx,
  states: StateReader,
  memberEventNid: number,
  userId: UserId,
): Promise<StoredEvent | undefined> {
  let [event] = await states.events.byNids(tx, [memberEventNid]);
  for (let step = 0; event !== undefined && step < MEMBER_EVENTS_MAX; step++) {
    const before: StoredEvent | undefined = await states.memberEvent(tx, event.stateBefore, userId);
    if (before !== undefined && membershipOf(before.event.content) === 'join') return event;
    event = before;
  }
  return undefined;
}
