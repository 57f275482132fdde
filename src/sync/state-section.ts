import { acceptsEverything, asksForRelated, matchesRoomEvent, type RoomEventFilter } from '../protocol/filter/index.ts';
import type { RoomId, UserId } from '../protocol/ids/index.ts';
import type { StoredEvent } from '../rooms/index.ts';
import type { ReadTx } from '../storage/index.ts';
import type { DeviceMembers } from './lazy-members.ts';
import type { SyncRooms } from './ports.ts';
import { changesBetween, entriesAt, eventAt, type StatePoint } from './state-at.ts';

export interface StateRequest {
  readonly roomId: RoomId;
  readonly filter: RoomEventFilter;
  /** The whole state, what changed in it, or nothing but the members that are needed. */
  readonly scope: 'all' | 'changes' | 'members';
  /** The state that the client knows; undefined: it knows none. */
  readonly known: StatePoint | undefined;
  /** The state to bring it to. */
  readonly wanted: StatePoint;
  /** The state at the timeline's end, where the timeline doesn't tell all that leads there; undefined where it does. */
  readonly end: StatePoint | undefined;
  readonly timeline: readonly StoredEvent[];
  /** With lazy loading: whose member events it needs, changed or not. */
  readonly needed: ReadonlySet<UserId>;
  /** Needed members are told again though the device knows them. */
  readonly tellsKnown: boolean;
  readonly members: DeviceMembers;
}

/** State key nid -> event nid. */
type Entries = ReadonlyMap<number, number>;

const NO_ENTRIES: Entries = new Map();

/** The state events that a client needs to get from the state that it knows to the one that is wanted. */
export async function readState(tx: ReadTx, rooms: SyncRooms, request: StateRequest): Promise<readonly StoredEvent[]> {
  const { known, wanted, scope, filter } = request;
  const changes =
    known === undefined || scope === 'members' ? NO_ENTRIES : await changesBetween(tx, rooms, known, wanted);
  const isWhole = scope === 'all' || (scope === 'changes' && known === undefined);
  const base = isWhole ? await entriesAt(tx, rooms, wanted) : changes;
  const untold = await untoldChanges(tx, rooms, request);
  const nids = filter.lazyLoadMembers
    ? await lazily(tx, rooms, request, base, new Map([...changes, ...untold]))
    : [...new Map([...base, ...untold]).values()];
  const events = await rooms.eventsByNids(tx, nids);
  if (acceptsEverything(filter)) return events;
  const matching = events.filter(({ event }) => matchesRoomEvent(filter, event));
  return asksForRelated(filter) ? rooms.withRelated(tx, matching, filter) : matching;
}

/** What changes between the wanted state and that at the timeline's end without standing in the timeline. */
async function untoldChanges(tx: ReadTx, rooms: SyncRooms, { wanted, end, timeline }: StateRequest): Promise<Entries> {
  if (end === undefined || end === wanted) return NO_ENTRIES;
  const told = new Set(timeline.map((event) => event.nid));
  const untold = new Map<number, number>();
  for (const [key, nid] of await changesBetween(tx, rooms, wanted, end)) if (!told.has(nid)) untold.set(key, nid);
  return untold;
}

/** Leaves out the members that the client can do without, and adds those it needs and wasn't told of. */
async function lazily(
  tx: ReadTx,
  rooms: SyncRooms,
  { roomId, wanted, needed, members, tellsKnown }: StateRequest,
  base: Entries,
  changes: Entries,
): Promise<readonly number[]> {
  const nids = new Map<number, number>();
  // Without the members first: of a large room they are nearly all there is.
  const names = await rooms.stateKeyNames(tx, [...base.keys()]);
  for (const [key, nid] of base) if (names.get(key)?.type !== 'm.room.member') nids.set(key, nid);
  // A member who changed while the client wasn't told is no longer what the client knows.
  for (const [key, nid] of changes) nids.set(key, nid);
  const events = new Set(nids.values());
  for (const userId of needed) {
    if (!tellsKnown && members.knows(roomId, userId)) continue;
    const key = await rooms.findStateKey(tx, 'm.room.member', userId);
    if (key !== undefined && nids.has(key)) continue;
    const nid = await eventAt(tx, rooms, wanted, 'm.room.member', userId);
    if (nid !== undefined) events.add(nid);
  }
  return [...events];
}
