import { checkAuth } from '../../protocol/auth/index.ts';
import type { Event } from '../../protocol/event/index.ts';
import type { EventId, RoomId, ServerName } from '../../protocol/ids/index.ts';
import type { WriteTx } from '../../storage/index.ts';
import { fillGap, firstPositionIn, insertGap, insertOrPlace, listGapsUpTo, redactionsOf } from '../store/graph-rows.ts';
import { insertRedaction, insertRelationOf, StoredEvent, UNREAD } from '../store/index.ts';
import { consequencesOf } from '../write/consequences.ts';
import type { HotRoom } from '../write/hot-room.ts';
import type { StateAt } from '../write/pending.ts';
import { writeState } from '../write/persist.ts';
import type { ReceiveDeps, RoomFacts } from './deps.ts';
import { redactLate } from './late-redactions.ts';
import { MissingEvents } from './missing-events.ts';
import { inOrder, outlierRow, tryParse, verifyAll } from './outliers.ts';
import { RoomQueues } from './room-queues.ts';
import { serversToAsk } from './servers-to-ask.ts';
import { authStateFor, resolveStates, stateAfter } from './states.ts';

const EVENTS_MAX = 100;
const GAPS_AT_ONCE = 10;
/** Where nobody could help, a room is left alone for so long. */
const PAUSE_MS = 30_000;

/** Fetches the history of rooms that lies before what we have, as somebody pages back to it. Spec: server-server-api/#backfilling-and-retrieving-missing-events */
export class Backfill {
  readonly #deps: ReceiveDeps;
  readonly #queues: RoomQueues;
  readonly #missing: MissingEvents;
  /** Those who page back in a room wait for each other; nobody else waits for the servers that they ask. */
  readonly #turns = new RoomQueues();
  readonly #pausedUntil = new Map<RoomId, number>();

  constructor(deps: ReceiveDeps, queues: RoomQueues) {
    this.#deps = deps;
    this.#queues = queues;
    this.#missing = new MissingEvents(deps);
  }

  /**
   * Sees to it that a page of `limit` events back from a position has no hole, as far as other servers help.
   * Resolves with whether something is missing all the same.
   */
  async before(roomId: RoomId, from: number, limit: number): Promise<boolean> {
    const room = await this.#deps.hotRooms.find(roomId);
    if (room === undefined || !(await this.#hasGap(room, from, limit))) return false;
    if ((this.#pausedUntil.get(roomId) ?? 0) > this.#deps.clock.now()) return true;
    return this.#turns.run(roomId, async () => {
      const gaps = await this.#gaps(room, from);
      if (gaps.length === 0 || !(await this.#hasGap(room, from, limit))) return gaps.length > 0;
      const isFilled = await this.#fill(room, gaps);
      if (!isFilled) this.#pausedUntil.set(roomId, this.#deps.clock.now() + PAUSE_MS);
      else this.#pausedUntil.delete(roomId);
      return !isFilled || (await this.#gaps(room, from)).length > 0;
    });
  }

  #gaps(room: HotRoom, from: number) {
    return this.#deps.database.read((tx) => listGapsUpTo(tx, room.roomNid, from, GAPS_AT_ONCE));
  }

  /** Whether the next hole comes before the page is full. */
  async #hasGap(room: HotRoom, from: number, limit: number): Promise<boolean> {
    return this.#deps.database.read(async (tx) => {
      const [gap] = await listGapsUpTo(tx, room.roomNid, from, 1);
      if (gap?.position === undefined || gap.position === null) return false;
      const range = { from, to: gap.position, dir: 'b', limit } as const;
      return (await this.#deps.reader.inRoom(tx, room.roomNid, range)).length < limit;
    });
  }

  async #fill(room: HotRoom, gaps: readonly { readonly missing_event_id: EventId }[]): Promise<boolean> {
    const facts = { roomId: room.roomId, roomNid: room.roomNid, rules: room.rules };
    const wanted = gaps.map((gap) => gap.missing_event_id);
    for (const server of serversToAsk(room, this.#deps.serverName, this.#deps.partial)) {
      try {
        const pdus = await this.#deps.federation.calls.backfill(server, room.roomId, wanted, EVENTS_MAX);
        const parsed = pdus.flatMap((pdu) => tryParse(facts, pdu) ?? []);
        const good = await verifyAll(this.#deps, behind(parsed, wanted));
        if ((await this.#place(room, facts, good, server)) > 0) return true;
      } catch (error) {
        this.#deps.log.info({ err: error, server, roomId: room.roomId }, 'a server could not give older events');
      }
    }
    return false;
  }

  /** Gives events their places below all that there is, oldest first, since each needs the state after those before it. */
  async #place(room: HotRoom, facts: RoomFacts, events: readonly Event[], server: ServerName): Promise<number> {
    const { database, reader } = this.#deps;
    const ids = events.map((event) => event.eventId);
    const known = await database.read((tx) => reader.byIds(tx, ids));
    const placed = new Set(known.filter((stored) => stored.isPlaced).map((stored) => stored.event.eventId));
    const fresh = new Map(events.filter((event) => !placed.has(event.eventId)).map((event) => [event.eventId, event]));
    const byDepth = [...fresh.values()].sort((a, b) => a.depth - b.depth || a.originServerTs - b.originServerTs);
    const oldestFirst = inOrder(byDepth, (event) => event.prevEvents);
    const top = await database.read((tx) => firstPositionIn(tx, room.roomNid));
    const done: Event[] = [];
    for (const [index, event] of oldestFirst.entries()) {
      const where = { position: top - oldestFirst.length + index, server };
      if (await this.#placeOne(room, facts, event, where)) done.push(event);
    }
    await this.#redact(done);
    return done.length;
  }

  /** What is redacted by events that we have, or that just came. */
  async #redact(events: readonly Event[]): Promise<void> {
    const ids = events.flatMap(({ eventId, redacts }) => (redacts === undefined ? [eventId] : [eventId, redacts]));
    const rows = await this.#deps.database.read((tx) => redactionsOf(tx, ids));
    for (const [target, ofTarget] of Map.groupBy(rows, (row) => row.redacts)) {
      const nids = ofTarget.map((row) => row.event_nid);
      await redactLate(this.#deps, target, nids);
    }
  }

  async #placeOne(
    room: HotRoom,
    facts: RoomFacts,
    event: Event,
    where: { readonly position: number; readonly server: ServerName },
  ): Promise<boolean> {
    const { database, reader } = this.#deps;
    if (!event.isCreate && !(await this.#hasAuthEvents(facts, event, where.server))) return false;
    const prev = await database.read((tx) => reader.byIds(tx, event.prevEvents));
    const placed = prev.filter((stored) => stored.isPlaced && stored.roomNid === room.roomNid);
    const missing = event.prevEvents.filter((id) => !placed.some((stored) => stored.event.eventId === id));
    let states: readonly StateAt[] = placed.map(stateAfter);
    if (missing.length > 0) {
      const claimed = await this.#missing.claimedStates(facts, event, where.server);
      if (claimed === undefined) return false;
      states = [...states, ...claimed];
    }
    const before = event.isCreate
      ? { root: 0, changes: new Map() }
      : await database.read((tx) => resolveStates(tx, this.#deps, room, states));
    const isAllowed =
      event.isCreate ||
      checkAuth(event, await database.read((tx) => authStateFor(tx, this.#deps, before, event))).allowed;
    const place = { ...where, before, missing, isAllowed };
    await this.#queues.run(room.roomId, () => this.#write(room, facts, event, place));
    return isAllowed;
  }

  async #hasAuthEvents(facts: RoomFacts, event: Event, server: ServerName): Promise<boolean> {
    const { database, reader } = this.#deps;
    const count = async () => (await database.read((tx) => reader.byIds(tx, event.authEvents))).length;
    if ((await count()) === event.authEvents.length) return true;
    await this.#missing.keepAuthChain(facts, event, server);
    return (await count()) === event.authEvents.length;
  }

  async #write(
    room: HotRoom,
    facts: RoomFacts,
    event: Event,
    place: {
      readonly position: number;
      readonly before: StateAt;
      readonly missing: readonly EventId[];
      readonly isAllowed: boolean;
    },
  ): Promise<void> {
    const { roomNid } = facts;
    const { relation } = consequencesOf(room, event, undefined);
    await this.#deps.database.write('main', async (tx) => {
      const stateBefore = await writeState(tx, this.#deps, place.before);
      const position = place.isAllowed ? place.position : null;
      const row = { ...outlierRow(facts, event, !place.isAllowed), position, state_before: stateBefore };
      const nid = await insertOrPlace(tx, row);
      await fillGap(tx, roomNid, event.eventId);
      if (place.isAllowed) for (const missing of place.missing) await insertGap(tx, roomNid, missing, nid);
      if (place.isAllowed && event.redacts !== undefined) await noteRedaction(tx, event.redacts, nid);
      if (place.isAllowed && relation !== undefined) {
        await insertRelationOf(tx, { event, nid, roomNid, position: place.position }, relation);
      }
      const stored = new StoredEvent({
        nid,
        roomNid,
        position: position ?? 0,
        stateBefore,
        event,
        redactedBy: undefined,
        txn: undefined,
        unread: UNREAD.none,
        threadRoot: undefined,
        isRefused: !place.isAllowed,
        isRejected: !place.isAllowed,
      });
      tx.onCommit(() => this.#deps.reader.add(stored));
    });
  }
}

/** Notes what an event redacts, if that isn't noted from when it was refused. */
async function noteRedaction(tx: WriteTx, redacts: EventId, nid: number): Promise<void> {
  const known = await redactionsOf(tx, [redacts]);
  if (!known.some((row) => row.event_nid === nid)) await insertRedaction(tx, redacts, nid);
}

/**
 * Those of the events that come before what is missing. Others may be news that we were not sent yet: put among the old ones
 * they would never be shown as new.
 */
function behind(events: readonly Event[], missing: readonly EventId[]): readonly Event[] {
  const byId = new Map(events.map((event) => [event.eventId, event]));
  const found = new Set<Event>();
  const open = [...missing];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    const event = byId.get(id);
    if (event === undefined || found.has(event)) continue;
    found.add(event);
    open.push(...event.prevEvents);
  }
  return [...found];
}
