import { acceptsEverything, matchesRoomEvent, type RoomEventFilter } from '../protocol/filter/index.ts';
import type { RoomId, UserId } from '../protocol/ids/index.ts';
import type { StoredEvent } from '../rooms/index.ts';
import type { ReadTx } from '../storage/index.ts';
import type { DeviceMembers } from './lazy-members.ts';
import type { SyncRooms } from './ports.ts';
import { changesBetween, entriesAt, eventAt, type StatePoint } from './state-at.ts';

export interface StateRequest {
  readonly roomId: RoomId;
  readonly filter: RoomEventFilter;
  /** The state that the client knows; undefined: it knows none. */
  readonly known: StatePoint | undefined;
  /** The state to bring it to. */
  readonly wanted: StatePoint;
  /** With lazy loading: whose member events it needs, changed or not. */
  readonly needed: ReadonlySet<UserId>;
  readonly members: DeviceMembers;
}

/** The state events that a client needs to get from the state that it knows to the one that is wanted. */
export async function readState(tx: ReadTx, rooms: SyncRooms, request: StateRequest): Promise<readonly StoredEvent[]> {
  const { known, wanted, filter } = request;
  const entries = known ? await changesBetween(tx, rooms, known, wanted) : await entriesAt(tx, rooms, wanted);
  const nids = filter.lazyLoadMembers ? await lazily(tx, rooms, request, entries) : [...entries.values()];
  const events = await rooms.eventsByNids(tx, nids);
  return acceptsEverything(filter) ? events : events.filter(({ event }) => matchesRoomEvent(filter, event));
}

/** Leaves out the members that the client can do without, and adds those it needs and wasn't told of. */
async function lazily(
  tx: ReadTx,
  rooms: SyncRooms,
  { roomId, wanted, needed, members, filter }: StateRequest,
  entries: ReadonlyMap<number, number>,
): Promise<readonly number[]> {
  const nids = new Set<number>();
  const names = await rooms.stateKeyNames(tx, [...entries.keys()]);
  for (const [key, nid] of entries) {
    const name = names.get(key);
    if (name?.type !== 'm.room.member' || isIn(needed, name.stateKey)) nids.add(nid);
  }
  for (const userId of needed) {
    if (!filter.includeRedundantMembers && members.knows(roomId, userId)) continue;
    const nid = await eventAt(tx, rooms, wanted, 'm.room.member', userId);
    if (nid !== undefined) nids.add(nid);
  }
  return [...nids];
}

function isIn(users: ReadonlySet<string>, userId: string): boolean {
  return users.has(userId);
}
