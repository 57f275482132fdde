import { authStateOf, checkAuth, checkAuthEvents } from '../../protocol/auth/index.ts';
import type { Event } from '../../protocol/event/index.ts';
import { type EventId, parseRoomId, type RoomId, type ServerName } from '../../protocol/ids/index.ts';
import { type JsonObject, readString } from '../../protocol/json/index.ts';
import { stateKeyOf } from '../../protocol/state/index.ts';
import { insertRelay, redactionsOf } from '../store/graph-rows.ts';
import { type Extremity, type HotRoom, RoomIsHeld, StateNotLoaded } from '../write/hot-room.ts';
import type { Placement, StateAt } from '../write/pending.ts';
import { type Arrival, type Known, NO_PLACEMENT, type Outcomes } from './arrival.ts';
import { followedBy, followsAll, isAuthorisedByCurrent, mayRedact, parse } from './arrival-checks.ts';
import type { ReceiveDeps, RoomFacts } from './deps.ts';
import { DroppedEventError } from './dropped-event-error.ts';
import { holdRoom } from './held-room.ts';
import { redactLate } from './late-redactions.ts';
import { MissingEvents } from './missing-events.ts';
import type { OutOfBand } from './out-of-band.ts';
import { impliedCreate, keepOutliers, verifyAll } from './outliers.ts';
import type { RoomQueues } from './room-queues.ts';
import { isServerAllowed } from './server-acl.ts';
import { authStateFor, currentState, differences, resolveStates, stateAfter, withEvent } from './states.ts';

const STATE_LOADS_MAX = 10;

/**
 * Takes events from other servers into rooms. One bad event spoils only itself.
 * Spec: server-server-api/#checks-performed-on-receipt-of-a-pdu
 */
export class Receiver {
  readonly #deps: ReceiveDeps;
  readonly #queues: RoomQueues;
  readonly #outOfBand: OutOfBand;
  readonly #missing: MissingEvents;

  constructor(deps: ReceiveDeps, queues: RoomQueues, outOfBand: OutOfBand) {
    this.#deps = deps;
    this.#queues = queues;
    this.#outOfBand = outOfBand;
    this.#missing = new MissingEvents(deps);
  }

  /** Takes the events of a transaction; resolves when those that were taken are durable. Rooms go on side by side. */
  async receive(origin: ServerName, pdus: readonly JsonObject[]): Promise<Outcomes> {
    const outcomes = new Map<EventId, string | undefined>();
    const byRoom = new Map<RoomId, JsonObject[]>();
    for (const pdu of pdus) {
      const roomId = parseRoomId(readString(pdu, 'room_id') ?? '');
      if (roomId === undefined) continue;
      const ofRoom = byRoom.get(roomId) ?? [];
      ofRoom.push(pdu);
      byRoom.set(roomId, ofRoom);
    }
    await Promise.all([...byRoom].map(([roomId, ofRoom]) => this.#receiveInRoom(origin, roomId, ofRoom, outcomes)));
    return outcomes;
  }

  /**
   * Takes one event whose signatures were checked, such as a join that came to us or an invite that came back signed.
   * @throws DroppedEventError; the event may be kept as refused all the same: see `isAccepted`
   */
  receiveOne(event: Event, arrival: Arrival): Promise<void> {
    return this.#queues.run(event.roomId, async () => {
      const known = await this.#lookUp([event]);
      await (await this.#take(event, arrival, known)).written;
    });
  }

  /** As `receiveOne`, for who has the room's queue already. */
  async receiveInQueue(event: Event, arrival: Arrival): Promise<void> {
    const known = await this.#lookUp([event]);
    await (await this.#take(event, arrival, known)).written;
  }

  /** Whether an event has its place in its room and is seen there. */
  async isAccepted(eventId: EventId): Promise<boolean> {
    const [stored] = await this.#deps.database.read((tx) => this.#deps.reader.byIds(tx, [eventId]));
    return stored?.isPlaced === true && !stored.isRefused;
  }

  async #receiveInRoom(
    origin: ServerName,
    roomId: RoomId,
    pdus: readonly JsonObject[],
    outcomes: Map<EventId, string | undefined>,
  ): Promise<void> {
    const room = await this.#deps.hotRooms.find(roomId);
    if (room === undefined) return;
    const events = parse(room, pdus);
    for (const event of events) outcomes.set(event.eventId, 'the signature is not valid');
    const good = await verifyAll(this.#deps, events);
    await this.#queues.run(roomId, async () => {
      const allowed = await this.#deps.writer.read(roomId, (now) => {
        return isServerAllowed(now.stateEvent('m.room.server_acl', '')?.content, origin);
      });
      const known = await this.#lookUp(good);
      const writes: Promise<void>[] = [];
      for (const event of good) {
        const settle = (error: unknown) => void outcomes.set(event.eventId, this.#reasonOf(error, event));
        if (!allowed) {
          settle(new DroppedEventError('the server is not allowed in this room'));
          continue;
        }
        try {
          const { written } = await this.#take(event, { origin, relay: false }, known);
          writes.push(written.then(() => void outcomes.set(event.eventId, undefined), settle));
        } catch (error) {
          settle(error);
        }
      }
      await Promise.all(writes);
    });
  }

  #reasonOf(error: unknown, event: Event): string {
    if (error instanceof DroppedEventError) return error.message;
    this.#deps.log.warn({ err: error, roomId: event.roomId, eventId: event.eventId }, 'an event could not be received');
    return 'internal error';
  }

  async #lookUp(events: readonly Event[]): Promise<Known> {
    const ids = events.map((event) => event.eventId);
    const wanted = [...ids, ...events.flatMap((event) => event.redacts ?? [])];
    return this.#deps.database.read(async (tx) => {
      const stored = await this.#deps.reader.byIds(tx, wanted);
      const redactions = new Map<EventId, number[]>();
      for (const row of await redactionsOf(tx, ids)) {
        redactions.set(row.redacts, [...(redactions.get(row.redacts) ?? []), row.event_nid]);
      }
      return { events: new Map(stored.map((one) => [one.event.eventId, one])), redactions };
    });
  }

  /** Puts an event into its room; `written` settles when it is durable. @throws DroppedEventError */
  async #take(event: Event, arrival: Arrival, known: Known): Promise<{ readonly written: Promise<void> }> {
    const stored = known.events.get(event.eventId);
    if (stored?.isPlaced === true) return { written: Promise.resolve() };
    const room = await this.#deps.hotRooms.find(event.roomId);
    if (room === undefined) throw new DroppedEventError('the room is not known here');
    if (!room.isResident(this.#deps.serverName)) {
      return { written: this.#outOfBand.receive(room, event, arrival.origin) };
    }
    const taken = (await this.#takeFast(event, arrival, known)) ?? (await this.#takeSlow(event, arrival, known));
    const waiting = known.redactions.get(event.eventId);
    if (waiting === undefined) return taken;
    return { written: taken.written.then(() => redactLate(this.#deps, event.eventId, waiting)) };
  }

  /** An event that follows the room as it is now, in the room's own turn: nothing has to be read. */
  #takeFast(event: Event, arrival: Arrival, known: Known): Promise<{ readonly written: Promise<void> } | undefined> {
    const { writer } = this.#deps;
    return writer.read(event.roomId, (room) => {
      if (room.held !== undefined) throw new RoomIsHeld(room.held);
      if (!followsAll(room, event) || !isAuthorisedByCurrent(room, event)) return undefined;
      const refused = checkAuth(event, room.auth).allowed ? undefined : ('rejected' as const);
      return this.#put(room, event, arrival, known, { ...NO_PLACEMENT, refused });
    });
  }

  #put(room: HotRoom, event: Event, arrival: Arrival, known: Known, placement: Placement) {
    const target = event.redacts === undefined ? undefined : known.events.get(event.redacts);
    const isApplied = target !== undefined && target.roomNid === room.roomNid && mayRedact(room, event, target);
    const outlierNid = known.events.get(event.eventId)?.nid;
    const redactsLater = event.redacts !== undefined && target === undefined ? event.redacts : undefined;
    const { relay, origin } = arrival;
    const written = this.#deps.writer.put(room, event, {
      placement: { ...placement, outlierNid, redactsLater },
      redacts: isApplied ? target : undefined,
      also: relay && placement.refused === undefined ? (tx) => insertRelay(tx, event.eventId, origin) : undefined,
    });
    return { written };
  }

  async #takeSlow(event: Event, arrival: Arrival, known: Known): Promise<{ readonly written: Promise<void> }> {
    const { database, hotRooms, reader } = this.#deps;
    const facts = await this.#factsOf(event.roomId);
    const isAuthorised = await this.#judgeByAuthEvents(facts, event, arrival.origin);
    const claimed = await this.#fillGapBefore(facts, event, arrival);
    return holdRoom(hotRooms, event.roomId, async (room) => {
      // What was missing may have come while we waited.
      const prev = await database.read((tx) => reader.byIds(tx, event.prevEvents));
      const placed = prev.filter((stored) => stored.isPlaced && stored.roomNid === room.roomNid);
      const placement = await database.read(async (tx): Promise<Placement> => {
        const states = placed.map(stateAfter);
        if (claimed !== undefined) states.push(claimed.state);
        const resolved = await resolveStates(tx, this.#deps, room, states);
        const isCurrent = (await differences(tx, this.#deps, currentState(room), resolved)).size === 0;
        const before = isCurrent ? currentState(room) : resolved;
        const stateBefore = isCurrent && room.written.stateRoot === before.root ? undefined : before;
        const missing = event.prevEvents.filter((id) => !placed.some((stored) => stored.event.eventId === id));
        const parts = { ...NO_PLACEMENT, stateBefore, missing };
        if (!isAuthorised || !checkAuth(event, await authStateFor(tx, this.#deps, before, event)).allowed) {
          return { ...parts, refused: 'rejected' };
        }
        const byCurrent = isCurrent ? undefined : await authStateFor(tx, this.#deps, currentState(room), event);
        if (byCurrent !== undefined && !checkAuth(event, byCurrent).allowed)
          return { ...parts, refused: 'soft_failed' };
        return { ...parts, ...(await this.#goOn(tx, room, event, before, isCurrent)) };
      });
      const { written } = await this.#putLoaded(room, () => this.#put(room, event, arrival, known, placement));
      await written;
      // The room in memory follows events one by one; after a resolution it is read anew.
      if (placement.stateAfter !== undefined) hotRooms.drop(room);
      return { written };
    });
  }

  /** The extremities after an accepted event, and the room's state where it isn't simply that with the event on top. */
  async #goOn(
    tx: Parameters<typeof resolveStates>[0],
    room: HotRoom,
    event: Event,
    before: StateAt,
    isCurrent: boolean,
  ): Promise<Pick<Placement, 'extremitiesAfter' | 'stateAfter'>> {
    const { reader } = this.#deps;
    const followed = await followedBy(tx, reader, event);
    const others = room.extremities.filter(({ eventId }) => !followed.has(eventId));
    const extremitiesAfter: readonly Extremity[] = others;
    if (others.length === 0 || (isCurrent && event.stateKey === undefined)) {
      if (isCurrent) return { extremitiesAfter, stateAfter: undefined };
      return { extremitiesAfter, stateAfter: withEvent(before, event, 0) };
    }
    const stored = await reader.byIds(
      tx,
      others.map(({ eventId }) => eventId),
    );
    const after = withEvent(before, event, 0);
    const resolved = await resolveStates(tx, this.#deps, room, [currentState(room), ...stored.map(stateAfter), after]);
    const changes = await differences(tx, this.#deps, currentState(room), resolved);
    const own = event.stateKey === undefined ? undefined : stateKeyOf(event.type, event.stateKey);
    const isOwnOnly =
      changes.size === 0
        ? own === undefined
        : changes.size === 1 && own !== undefined && changes.get(own)?.eventId === event.eventId;
    return { extremitiesAfter, stateAfter: isOwnOnly ? undefined : resolved };
  }

  /** Check 4: whether the auth events allow the event; they are fetched where we lack them. @throws DroppedEventError */
  async #judgeByAuthEvents(facts: RoomFacts, event: Event, origin: ServerName): Promise<boolean> {
    const wanted = [...event.authEvents, ...impliedCreate(event)];
    const load = () => this.#deps.database.read((tx) => this.#deps.reader.byIds(tx, wanted));
    let stored = await load();
    if (stored.length < wanted.length) {
      const chain = await this.#missing.authChain(origin, event);
      await keepOutliers(this.#deps, facts, chain);
      stored = await load();
    }
    if (stored.length < wanted.length) throw new DroppedEventError('its auth events are missing');
    const byId = new Map(stored.map((one) => [one.event.eventId, one]));
    const authEvents = event.authEvents.flatMap((id) => byId.get(id)?.event ?? []);
    const isRejected = (id: EventId) => byId.get(id)?.isRejected ?? false;
    if (!checkAuthEvents(event, authEvents, { isRejected }).allowed) return false;
    return checkAuth(event, authStateOf(stored.map((one) => one.event))).allowed;
  }

  /** Fetches what is missing before an event. Where that can't be had whole, gives the state that its sender claims. */
  async #fillGapBefore(facts: RoomFacts, event: Event, arrival: Arrival) {
    if (await this.#missing.hasAll(facts, event.prevEvents)) return undefined;
    if (arrival.isFetched !== true) {
      const room = await this.#deps.hotRooms.find(facts.roomId);
      const between = await this.#missing.between(facts, event, arrival.origin, room?.extremities ?? []);
      await this.#takeFetched(between, arrival.origin);
      if (await this.#missing.hasAll(facts, event.prevEvents)) return undefined;
    }
    const claimed = await this.#missing.claimedState(facts, event, arrival.origin);
    if (claimed === undefined) throw new DroppedEventError('its predecessors are missing');
    return claimed;
  }

  /** Takes events of a gap, oldest first. Those that can't be taken leave a gap. */
  async #takeFetched(events: readonly Event[], origin: ServerName): Promise<void> {
    const known = await this.#lookUp(events);
    for (const event of events) {
      try {
        const { written } = await this.#take(event, { origin, relay: false, isFetched: true }, known);
        await written;
      } catch (error) {
        if (!(error instanceof DroppedEventError)) throw error;
      }
    }
  }

  /** Puts an event into a held room, with the state events at hand that this needs. */
  async #putLoaded<T>(room: HotRoom, put: () => T): Promise<T> {
    for (let loads = 0; loads < STATE_LOADS_MAX; loads++) {
      try {
        return put();
      } catch (error) {
        if (!(error instanceof StateNotLoaded)) throw error;
        await this.#deps.hotRooms.decode(error.entries);
      }
    }
    throw new Error(`the state of ${room.roomId} could not be loaded`);
  }

  async #factsOf(roomId: RoomId): Promise<RoomFacts> {
    const room = await this.#deps.hotRooms.find(roomId);
    if (room === undefined) throw new DroppedEventError('the room is not known here');
    return { roomId, roomNid: room.roomNid, rules: room.rules };
  }
}
