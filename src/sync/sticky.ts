/**
 * Sticky events (MSC4354): those that are sticky reach everybody in the room, whatever the timeline leaves out. Their place
 * in the token is their own, as not all may fit into one answer.
 */
import { matchesRoom } from '../protocol/filter/index.ts';
import { STICKY, type StoredEvent } from '../rooms/index.ts';
import type { ReadTx } from '../storage/index.ts';
import type { SyncToken } from '../streams/index.ts';
import type { OnlineUser, UserRoom } from './online-user.ts';
import type { SyncRooms } from './ports.ts';
import type { SyncContext } from './request.ts';

/**
 * How many go into one answer; of rooms that are new to the client, all do. High, since the rest of them waits for the next
 * answer, calls in quiet rooms behind a flood in another one.
 */
const EVENTS_MAX = 1_000;
/** More than a room will ever have: an hour of them. */
const NEW_ROOM_EVENTS_MAX = 100_000;

/** The sticky events of an answer. */
export interface StickyNews {
  /** By room nid, in their order. */
  readonly byRoom: ReadonlyMap<number, readonly StoredEvent[]>;
  /** How far the client has them then. */
  readonly upTo: number;
}

/** Whether there may be sticky events since a token: no query. */
export function hasStickyNews(user: OnlineUser, since: SyncToken): boolean {
  return user.newest(STICKY) > since.sticky;
}

/**
 * The sticky events that are news to the client in the rooms that the user is in: all that came after the token, and in
 * rooms that are new to the client those from before it too. Those of ignored users are left out.
 */
export async function stickyNews(
  tx: ReadTx,
  rooms: SyncRooms,
  context: SyncContext,
  newRooms: readonly UserRoom[],
): Promise<StickyNews> {
  const { since, to, user, query } = context;
  const start = since?.sticky ?? 0;
  const byRoom: Gathered = new Map();
  if (newRooms.length > 0 && start > 0) {
    const roomNids = newRooms.map((room) => room.roomNid);
    const upTo = Math.min(start, to.sticky);
    await gather(tx, rooms, context, { roomNids, after: 0, upTo, limit: NEW_ROOM_EVENTS_MAX }, byRoom);
  }
  if (since !== undefined && !hasStickyNews(user, since)) return { byRoom, upTo: to.sticky };
  const joined = context.rooms.filter((room) => matchesRoom(query.filter.room, room.roomId));
  const roomNids = joined.map((room) => room.roomNid);
  const before = byRoom.size;
  for (let after = start; ; ) {
    const range = { roomNids, after, upTo: to.sticky, limit: EVENTS_MAX };
    const last = await gather(tx, rooms, context, range, byRoom);
    if (last === undefined) return { byRoom, upTo: to.sticky };
    // Where all of them are of ignored users, the answer isn't full.
    if (byRoom.size > before) return { byRoom, upTo: last };
    after = last;
  }
}

type Gathered = Map<number, StoredEvent[]>;
type Range = Parameters<SyncRooms['sticky']>[1];

/** Adds the events of a range; gives the last position where there may be more behind it. */
async function gather(
  tx: ReadTx,
  rooms: SyncRooms,
  { ignored, viewer }: SyncContext,
  range: Range,
  byRoom: Gathered,
): Promise<number | undefined> {
  const places = await rooms.sticky(tx, range);
  if (places.length === 0) return undefined;
  const nids = places.map((place) => place.event_nid);
  for (const stored of await rooms.eventsByNids(tx, nids)) {
    const { sender } = stored.event;
    if (sender !== viewer.userId && ignored.has(sender)) continue;
    const ofRoom = byRoom.get(stored.roomNid);
    if (ofRoom === undefined) byRoom.set(stored.roomNid, [stored]);
    else ofRoom.push(stored);
  }
  return places.length === range.limit ? places.at(-1)?.position : undefined;
}
