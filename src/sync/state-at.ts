/** The state of a room at a point of its timeline, and how it differs from that at another point. */
import type { StoredEvent } from '../rooms/index.ts';
import type { ReadTx } from '../storage/index.ts';
import type { SyncRooms } from './ports.ts';

/** A state: that of a root in the state tree, and one event on top, where that was a state event. */
export interface StatePoint {
  readonly root: number;
  readonly over: StoredEvent | undefined;
}

/** The state before an event. */
export function stateBefore(event: StoredEvent): StatePoint {
  return { root: event.stateBefore, over: undefined };
}

/** The state after an event. */
export function stateAfter(event: StoredEvent): StatePoint {
  return { root: event.stateBefore, over: event.event.isState ? event : undefined };
}

/** The state after the last event at or before a position; undefined where the room had no events yet. */
export async function stateAtPosition(
  tx: ReadTx,
  rooms: SyncRooms,
  roomNid: number,
  position: number,
): Promise<StatePoint | undefined> {
  const [last] = await rooms.eventsInRoom(tx, roomNid, { from: position, dir: 'b', limit: 1 });
  return last === undefined ? undefined : stateAfter(last);
}

/** The event under a key of a state, as a nid. */
export async function eventAt(
  tx: ReadTx,
  rooms: SyncRooms,
  point: StatePoint,
  type: string,
  stateKey: string,
): Promise<number | undefined> {
  if (point.over?.event.type === type && point.over.event.stateKey === stateKey) return point.over.nid;
  const key = await rooms.findStateKey(tx, type, stateKey);
  return key === undefined ? undefined : rooms.stateEvent(tx, point.root, key);
}

/** State key nid -> event nid, of the whole state. */
export async function entriesAt(tx: ReadTx, rooms: SyncRooms, point: StatePoint): Promise<ReadonlyMap<number, number>> {
  const entries = await rooms.stateEntries(tx, point.root);
  const key = await overlaidKey(tx, rooms, point);
  if (key === undefined || point.over === undefined) return entries;
  return new Map(entries).set(key, point.over.nid);
}

/** State key nid -> event nid, of what is other in `after` than in `before`. Walks only the parts that differ. */
export async function changesBetween(
  tx: ReadTx,
  rooms: SyncRooms,
  before: StatePoint,
  after: StatePoint,
): Promise<ReadonlyMap<number, number>> {
  const changes = new Map<number, number>();
  for (const [key, nid] of await rooms.stateDiff(tx, before.root, after.root)) {
    if (nid !== undefined) changes.set(key, nid);
  }
  const afterKey = await overlaidKey(tx, rooms, after);
  if (afterKey !== undefined && after.over !== undefined) changes.set(afterKey, after.over.nid);
  const beforeKey = await overlaidKey(tx, rooms, before);
  if (beforeKey === undefined || before.over === undefined) return changes;
  if (changes.get(beforeKey) === before.over.nid) changes.delete(beforeKey);
  // The older state under that key came back: the roots agree there, the event that lay on top of the first is gone.
  else if (!changes.has(beforeKey)) {
    const nid = await rooms.stateEvent(tx, after.root, beforeKey);
    if (nid !== undefined && nid !== before.over.nid) changes.set(beforeKey, nid);
  }
  return changes;
}

async function overlaidKey(tx: ReadTx, rooms: SyncRooms, point: StatePoint): Promise<number | undefined> {
  const event = point.over?.event;
  return event?.stateKey === undefined ? undefined : rooms.findStateKey(tx, event.type, event.stateKey);
}
