import { LRUCache } from 'lru-cache';
import type { MissingEventsRequest } from '../../federation/index.ts';
import { upTo } from '../../lru.ts';
import { forbidden, notFound } from '../../protocol/errors.ts';
import { type Event, redactEvent } from '../../protocol/event/index.ts';
import type { EventId, RoomId, ServerName } from '../../protocol/ids/index.ts';
import { parseUserId, serverNameOf } from '../../protocol/ids/index.ts';
import { readString } from '../../protocol/json/index.ts';
import type { ReadTx } from '../../storage/index.ts';
import { isErasable } from '../read/erasure.ts';
import type { StateReader } from '../read/state-reader.ts';
import { type EventAtTime, eventByTimestampForServer } from '../read/timestamps.ts';
import type { StoredEvent } from '../store/index.ts';
import type { ReceiveDeps } from './deps.ts';
import { impliedCreate } from './outliers.ts';
import type { ServeMemberships } from './serve-memberships.ts';

/** Events as JSON texts. */
export interface ServedState {
  readonly state: readonly string[];
  readonly authChain: readonly string[];
}

const AUTH_CHAIN_EVENTS_MAX = 200_000;
const WALK_EVENTS_MAX = 5_000;
const OWED_MAX = 5_000;

/** Gives other servers what they ask for of the rooms they are in. Spec: server-server-api/#retrieving-events and the like */
export class ServeHistory {
  readonly #deps: ReceiveDeps;
  readonly #states: StateReader;
  readonly #memberships: ServeMemberships;
  /** The joins of other servers that were answered with a part of the state, lately. */
  readonly #owed = new LRUCache<string, true>(upTo(OWED_MAX));

  constructor(deps: ReceiveDeps, states: StateReader, memberships: ServeMemberships) {
    this.#deps = deps;
    this.#states = states;
    this.#memberships = memberships;
  }

  /** The state before an event with its auth chain. `isVisible` false: for those who are just coming in. */
  async stateBefore(roomId: RoomId, eventId: EventId): Promise<ServedState & { readonly events: readonly Event[] }> {
    return this.#deps.database.read(async (tx) => {
      const stored = await this.#placed(tx, roomId, eventId);
      const state = (await this.#states.allEvents(tx, stored.stateBefore)).map((one) => one.event);
      const chain = await this.#authChain(tx, [stored.event, ...state]);
      return { events: state, state: state.map((event) => event.json), authChain: chain.map((event) => event.json) };
    });
  }

  /** As `stateBefore`, for a server in the room, by ids. @throws MatrixError 403, 404 */
  async stateIds(origin: ServerName, roomId: RoomId, eventId: EventId) {
    await this.#assertGivesState(origin, roomId, eventId);
    return this.#deps.database.read(async (tx) => {
      const stored = await this.#placed(tx, roomId, eventId);
      const state = (await this.#states.allEvents(tx, stored.stateBefore)).map((one) => one.event);
      const chain = await this.#authChain(tx, state);
      return { pduIds: state.map((event) => event.eventId), authChainIds: chain.map((event) => event.eventId) };
    });
  }

  /** @throws MatrixError 403, 404 */
  async state(origin: ServerName, roomId: RoomId, eventId: EventId): Promise<ServedState> {
    await this.#assertGivesState(origin, roomId, eventId);
    return this.stateBefore(roomId, eventId);
  }

  /** One event, redacted where the server may not see it. @throws MatrixError 403, 404 */
  async event(origin: ServerName, eventId: EventId): Promise<string> {
    const [stored] = await this.#deps.database.read((tx) => this.#deps.reader.byIds(tx, [eventId]));
    if (stored === undefined || stored.isRejected) throw notFound('There is no such event');
    await this.#assertInRoom(origin, stored.event.roomId);
    const [event] = await this.#deps.database.read((tx) => this.#seenBy(tx, origin, [stored]));
    if (event === undefined) throw notFound('There is no such event');
    return event.json;
  }

  /** The auth chain of an event. @throws MatrixError 403, 404 */
  async eventAuth(origin: ServerName, roomId: RoomId, eventId: EventId): Promise<readonly string[]> {
    await this.#assertInRoom(origin, roomId);
    return this.#deps.database.read(async (tx) => {
      const [stored] = await this.#deps.reader.byIds(tx, [eventId]);
      if (stored === undefined || stored.event.roomId !== roomId) throw notFound('There is no such event in this room');
      return (await this.#authChain(tx, [stored.event])).map((event) => event.json);
    });
  }

  /** Events and their predecessors, newest first. @throws MatrixError 403, 404 */
  async backfill(
    origin: ServerName,
    roomId: RoomId,
    from: readonly EventId[],
    limit: number,
  ): Promise<readonly string[]> {
    await this.#assertInRoom(origin, roomId);
    return this.#deps.database.read(async (tx) => {
      const found = await this.#walkBack(tx, roomId, from, limit, new Set());
      return (await this.#seenBy(tx, origin, found)).map((event) => event.json);
    });
  }

  /** The events between two points of the graph, oldest first. @throws MatrixError 403, 404 */
  async missingEvents(origin: ServerName, roomId: RoomId, asked: MissingEventsRequest): Promise<readonly string[]> {
    await this.#assertInRoom(origin, roomId);
    return this.#deps.database.read(async (tx) => {
      const latest = await this.#deps.reader.byIds(tx, asked.latest);
      const start = latest
        .filter((stored) => stored.event.roomId === roomId)
        .flatMap((stored) => stored.event.prevEvents);
      const stop = new Set([...asked.earliest, ...asked.latest]);
      const found = await this.#walkBack(tx, roomId, start, asked.limit, stop, asked.minDepth);
      return (await this.#seenBy(tx, origin, found.toReversed())).map((event) => event.json);
    });
  }

  /** The event nearest to a time. @throws MatrixError 403, 404 */
  async eventByTimestamp(
    origin: ServerName,
    asked: { readonly roomId: RoomId; readonly ts: number; readonly dir: 'b' | 'f' },
  ): Promise<EventAtTime> {
    await this.#assertInRoom(origin, asked.roomId);
    return eventByTimestampForServer({ database: this.#deps.database, events: this.#deps.reader }, asked);
  }

  /** A server that was given a part of the state before its join may fetch the rest, whatever becomes of us in the room. */
  oweRest(origin: ServerName, eventId: EventId): void {
    this.#owed.set(`${origin} ${eventId}`, true);
  }

  async #assertGivesState(origin: ServerName, roomId: RoomId, eventId: EventId): Promise<void> {
    if (this.#owed.has(`${origin} ${eventId}`)) return;
    await this.#assertInRoom(origin, roomId);
    this.#memberships.assertWhole(roomId);
  }

  async #assertInRoom(origin: ServerName, roomId: RoomId): Promise<void> {
    await this.#memberships.assertServed(roomId, origin);
    const room = await this.#deps.hotRooms.find(roomId);
    if (room !== undefined && this.#deps.partial.find(room.roomNid)?.servers.has(origin) === true) return;
    if (room?.isResident(origin) !== true) throw forbidden('Your server is not in this room');
  }

  async #placed(tx: ReadTx, roomId: RoomId, eventId: EventId): Promise<StoredEvent> {
    const [stored] = await this.#deps.reader.byIds(tx, [eventId]);
    if (stored === undefined || stored.event.roomId !== roomId || !stored.isPlaced || stored.isRejected) {
      throw notFound('There is no such event in this room');
    }
    return stored;
  }

  async #authChain(tx: ReadTx, starts: readonly Event[]): Promise<readonly Event[]> {
    const chain = new Map<EventId, Event>();
    let open = idsBehind(starts, chain);
    while (open.length > 0 && chain.size < AUTH_CHAIN_EVENTS_MAX) {
      const events = (await this.#deps.reader.byIds(tx, open)).map((stored) => stored.event);
      for (const event of events) chain.set(event.eventId, event);
      open = idsBehind(events, chain);
    }
    return [...chain.values()];
  }

  /** Breadth first against time: the deepest are taken first. */
  async #walkBack(
    tx: ReadTx,
    roomId: RoomId,
    from: readonly EventId[],
    limit: number,
    stop: ReadonlySet<EventId>,
    minDepth = 0,
  ): Promise<readonly StoredEvent[]> {
    const seen = new Set(stop);
    const found: StoredEvent[] = [];
    let open: StoredEvent[] = [];
    let ids = from.filter((id) => !seen.has(id));
    for (let step = 0; step < WALK_EVENTS_MAX && found.length < limit; step++) {
      for (const id of ids) seen.add(id);
      for (const stored of await this.#deps.reader.byIds(tx, ids)) {
        const { event } = stored;
        if (event.roomId === roomId && stored.isPlaced && !stored.isRejected && event.depth >= minDepth)
          open.push(stored);
      }
      open = open.toSorted((a, b) => b.event.depth - a.event.depth);
      const next = open.shift();
      if (next === undefined) break;
      if (!next.isRefused) found.push(next);
      ids = next.event.prevEvents.filter((id) => !seen.has(id));
    }
    return found;
  }

  /**
   * The events as a server may see them: redacted where the history visibility keeps them from all of its users, unless they
   * are sticky (MSC4354), and where an erased user sent them while none of its users was there.
   * Spec: server-server-api/#backfilling-and-retrieving-missing-events, client-server-api/#room-history-visibility
   */
  async #seenBy(tx: ReadTx, origin: ServerName, events: readonly StoredEvent[]): Promise<readonly Event[]> {
    const visibilities = await this.#states.historyVisibilities(
      tx,
      new Set(events.map((stored) => stored.stateBefore)),
    );
    const sticky = await this.#states.stickyUntil(tx, events);
    const { erasedUsers } = this.#deps;
    const byRoot = new Map<number, boolean>();
    const present = new Map<number, boolean>();
    const seen: Event[] = [];
    for (const stored of events) {
      const visibility = visibilities.get(stored.stateBefore) ?? 'shared';
      let isSeen =
        visibility === 'world_readable' || visibility === 'shared' || stored.event.isState || sticky.has(stored.nid);
      if (!isSeen) {
        if (this.#deps.partial.find(stored.roomNid)?.servers.has(origin) === true) {
          seen.push(stored.event);
          continue;
        }
        const known = byRoot.get(stored.stateBefore);
        isSeen = known ?? (await this.#hasMember(tx, stored.stateBefore, origin, visibility === 'invited'));
        byRoot.set(stored.stateBefore, isSeen);
      }
      const { event } = stored;
      if (isSeen && erasedUsers?.isErased(event.sender) === true && isErasable(event)) {
        isSeen = present.get(stored.stateBefore) ?? (await this.#hasMember(tx, stored.stateBefore, origin, false));
        present.set(stored.stateBefore, isSeen);
      }
      seen.push(isSeen ? event : redactEvent(event));
    }
    return seen;
  }

  async #hasMember(tx: ReadTx, root: number, server: ServerName, countInvites: boolean): Promise<boolean> {
    for (const { event } of await this.#states.allEvents(tx, root)) {
      const userId = event.type === 'm.room.member' ? parseUserId(event.stateKey ?? '') : undefined;
      if (userId === undefined || serverNameOf(userId) !== server) continue;
      const membership = readString(event.content, 'membership');
      if (membership === 'join' || (countInvites && membership === 'invite')) return true;
    }
    return false;
  }
}

/** The auth events of events, as far as they aren't there. */
function idsBehind(events: readonly Event[], there: ReadonlyMap<EventId, Event>): readonly EventId[] {
  const ids = new Set<EventId>();
  for (const event of events) {
    for (const id of [...event.authEvents, ...impliedCreate(event)]) if (!there.has(id)) ids.add(id);
  }
  return [...ids];
}
