import { authStateOf, checkAuth, checkAuthEvents } from '../../protocol/auth/index.ts';
import type { Event } from '../../protocol/event/index.ts';
import type { EventId, ServerName } from '../../protocol/ids/index.ts';
import type { ReadTx } from '../../storage/index.ts';
import { insertRelay, namedAmong, redactionsOf } from '../store/graph-rows.ts';
import { type HotRoom, RoomIsHeld } from '../write/hot-room.ts';
import type { AlsoWrite, Placement, StateAt } from '../write/pending.ts';
import { type Arrival, type Known, NO_PLACEMENT } from './arrival.ts';
import { followsAll, isAuthorisedByCurrent, mayRedact } from './arrival-checks.ts';
import { ArrivalReviews } from './arrival-reviews.ts';
import { moveBranch, noteBranch, placeOnBranch } from './branches.ts';
import type { ReceiveDeps, RoomFacts } from './deps.ts';
import { DroppedEventError } from './dropped-event-error.ts';
import { type Fetched, NeedsFetch } from './fetched.ts';
import { goOn } from './going-on.ts';
import { holdRoom } from './held-room.ts';
import { redactLate } from './late-redactions.ts';
import { MissingEvents } from './missing-events.ts';
import type { OutOfBand } from './out-of-band.ts';
import { impliedCreate } from './outliers.ts';
import { putLoaded } from './put-loaded.ts';
import { authStateFor, currentState, differences, resolveStates, stateAfter } from './states.ts';
import type { StickyArrivals } from './sticky-arrivals.ts';
import { withNamedMembers } from './unknown-members.ts';

interface Taken {
  readonly written: Promise<void>;
}

/** What is known of an event before it is judged. */
interface Judged extends Pick<Arrival, 'isUnwelcome'> {
  /** The states that its sender claims after what we lack before it. */
  readonly claimed: readonly StateAt[] | undefined;
  readonly isAuthorised: boolean;
}

/** Gives events that came their places in rooms. Whoever calls it has the room's queue. */
export class Placer {
  readonly #deps: ReceiveDeps;
  readonly #outOfBand: OutOfBand;
  readonly #missing: MissingEvents;
  readonly #sticky: StickyArrivals;
  readonly #reviews: ArrivalReviews;

  constructor(deps: ReceiveDeps, outOfBand: OutOfBand, sticky: StickyArrivals) {
    this.#sticky = sticky;
    this.#deps = deps;
    this.#outOfBand = outOfBand;
    this.#missing = new MissingEvents(deps);
    this.#reviews = new ArrivalReviews(deps);
  }

  /** What is known of events of one room that are to be taken. */
  async lookUp(events: readonly Event[]): Promise<Known> {
    const [first] = events;
    const room = first === undefined ? undefined : await this.#deps.hotRooms.find(first.roomId);
    const ids = events.map((event) => event.eventId);
    const wanted = [...ids, ...events.flatMap((event) => event.redacts ?? [])];
    return this.#deps.database.read(async (tx) => {
      const stored = await this.#deps.reader.byIds(tx, wanted);
      const redactions = new Map<EventId, number[]>();
      for (const row of await redactionsOf(tx, ids)) {
        redactions.set(row.redacts, [...(redactions.get(row.redacts) ?? []), row.event_nid]);
      }
      const named = new Set(room === undefined ? [] : await namedAmong(tx, room.roomNid, ids));
      return { events: new Map(stored.map((one) => [one.event.eventId, one])), redactions, placed: new Set(), named };
    });
  }

  /**
   * Puts an event into its room; `written` settles when it is durable.
   * @throws DroppedEventError, NeedsFetch
   */
  async take(event: Event, arrival: Arrival, known: Known, fetched: Fetched): Promise<Taken> {
    const stored = known.events.get(event.eventId);
    const room = await this.#deps.hotRooms.find(event.roomId);
    if (room === undefined) throw new DroppedEventError('the room is not known here');
    if (stored !== undefined && stored.roomNid !== room.roomNid) {
      throw new DroppedEventError('another room has an event with this id');
    }
    if (known.placed.has(event.eventId)) return { written: Promise.resolve() };
    if (stored?.isPlaced === true) return { written: this.#sticky.deliver(stored) };
    if (!room.isResident(this.#deps.serverName)) {
      return { written: this.#outOfBand.receive(room, event, arrival.origin) };
    }
    if (event.redacts !== undefined) await this.#lookAgain(room, event.redacts, known);
    const reviewed = await this.#reviews.review(room, event, arrival, fetched);
    const taken = (await this.#takeFast(...reviewed, known)) ?? (await this.#takeSlow(...reviewed, known, fetched));
    known.placed.add(event.eventId);
    const waiting = known.redactions.get(event.eventId);
    if (waiting === undefined) return taken;
    return { written: taken.written.then(() => redactLate(this.#deps, event.eventId, waiting)) };
  }

  /** An event that came just before the one that redacts it. */
  async #lookAgain(room: HotRoom, eventId: EventId, known: Known): Promise<void> {
    if (!known.placed.has(eventId)) return;
    await room.latestWrite?.catch(() => undefined);
    const [stored] = await this.#deps.database.read((tx) => this.#deps.reader.byIds(tx, [eventId]));
    if (stored !== undefined) known.events.set(eventId, stored);
  }

  /** An event that follows the room as it is now, or a branch of it, in the room's own turn: nothing has to be read. */
  #takeFast(event: Event, arrival: Arrival, known: Known): Promise<Taken | undefined> {
    const { writer } = this.#deps;
    return writer.read(event.roomId, (room) => {
      if (room.held !== undefined) throw new RoomIsHeld(room.held);
      const unwelcome = arrival.isUnwelcome === true ? ('soft_failed' as const) : undefined;
      if (!followsAll(room, event) || !isAuthorisedByCurrent(room, event)) {
        const place = known.named.has(event.eventId) || unwelcome ? undefined : placeOnBranch(room, event);
        if (place === undefined) return undefined;
        const taken = this.#put(room, event, arrival, known, place);
        moveBranch(room, event);
        return taken;
      }
      const refused = checkAuth(event, room.auth).allowed ? unwelcome : ('rejected' as const);
      return this.#put(room, event, arrival, known, { ...NO_PLACEMENT, refused });
    });
  }

  #put(room: HotRoom, event: Event, arrival: Arrival, known: Known, placement: Placement): Taken {
    const target = event.redacts === undefined ? undefined : known.events.get(event.redacts);
    const isApplied = target !== undefined && target.roomNid === room.roomNid && mayRedact(room, event, target);
    const redactsLater = event.redacts !== undefined && target === undefined ? event.redacts : undefined;
    const { relay, origin, own } = arrival;
    const relaying: AlsoWrite | undefined = relay ? (tx) => insertRelay(tx, event.eventId, origin) : undefined;
    for (const id of placement.missing) known.named.add(id);
    const written = this.#deps.writer.put(room, event, {
      placement: { ...placement, redactsLater },
      redacts: isApplied ? target : undefined,
      ...(placement.refused === undefined ? { also: relaying, ...own } : {}),
    });
    return { written };
  }

  async #takeSlow(event: Event, arrival: Arrival, known: Known, fetched: Fetched): Promise<Taken> {
    const { database, hotRooms } = this.#deps;
    const facts = await this.#factsOf(event);
    const isAuthorised = await this.#judgeByAuthEvents(facts, event, arrival.origin, fetched);
    const claimed = await this.#fillGapBefore(facts, event, arrival, known, fetched);
    return holdRoom(hotRooms, event.roomId, async (room) => {
      const placement = await database.read((tx) =>
        this.#judge(tx, room, event, { ...arrival, claimed, isAuthorised }),
      );
      const { written } = await putLoaded(hotRooms, room, () => this.#put(room, event, arrival, known, placement));
      await written;
      const isWaiting = placement.refused === 'soft_failed' && event.stickyDurationMs !== undefined;
      if (isWaiting) await this.#sticky.noteSoftFailed(room.roomNid);
      // What is gone from the state can't be taken out of a room in memory; it is read anew.
      if ((placement.turned?.removed.length ?? 0) > 0) hotRooms.drop(room);
      else if (placement.stateBefore !== undefined && !placement.isInner && placement.refused === undefined) {
        await database.read((tx) => noteBranch(tx, this.#deps, room, event));
      }
      return { written };
    });
  }

  /** Checks 5 to 7, and what becomes of the room. */
  async #judge(
    tx: ReadTx,
    room: HotRoom,
    event: Event,
    { claimed, isAuthorised, isUnwelcome = false }: Judged,
  ): Promise<Placement> {
    const deps = this.#deps;
    // What was missing may have come while we waited.
    const prev = await deps.reader.byIds(tx, event.prevEvents);
    const placed = prev.filter((stored) => stored.isPlaced && stored.roomNid === room.roomNid);
    const missing = event.prevEvents.filter((id) => !placed.some((stored) => stored.event.eventId === id));
    const states = placed.map(stateAfter);
    if (claimed !== undefined && missing.length > 0) states.push(...claimed);
    if (states.length === 0) throw new DroppedEventError('it follows nothing that is known here');
    const resolved = await withNamedMembers(tx, deps, room, event, await resolveStates(tx, deps, room, states));
    const isCurrent = (await differences(tx, deps, currentState(room), resolved)).size === 0;
    const before = isCurrent ? currentState(room) : resolved;
    const stateBefore = isCurrent && room.written.stateRoot === before.root ? undefined : before;
    const parts = { ...NO_PLACEMENT, stateBefore, missing };
    if (!isAuthorised || !checkAuth(event, await authStateFor(tx, deps, before, event)).allowed) {
      return { ...parts, refused: 'rejected' };
    }
    const current = await withNamedMembers(tx, deps, room, event, currentState(room));
    const byCurrent = isCurrent ? undefined : await authStateFor(tx, deps, current, event);
    const isAllowed = byCurrent === undefined || checkAuth(event, byCurrent).allowed;
    if (!isAllowed || isUnwelcome) return { ...parts, refused: 'soft_failed' };
    return { ...parts, ...(await goOn(tx, deps, room, event, { before, placed })) };
  }

  /** Check 4: whether the auth events allow the event. @throws DroppedEventError, NeedsFetch */
  async #judgeByAuthEvents(facts: RoomFacts, event: Event, origin: ServerName, fetched: Fetched): Promise<boolean> {
    const wanted = [...event.authEvents, ...impliedCreate(event)];
    const found = await this.#deps.database.read((tx) => this.#deps.reader.byIds(tx, wanted));
    const stored = found.filter((one) => one.roomNid === facts.roomNid);
    if (stored.length < new Set(wanted).size) {
      if (fetched.authChains.has(event.eventId)) throw new DroppedEventError('its auth events are missing');
      throw new NeedsFetch(async () => {
        fetched.authChains.add(event.eventId);
        await this.#missing.keepAuthChain(facts, event, origin);
      });
    }
    const byId = new Map(stored.map((one) => [one.event.eventId, one]));
    const authEvents = event.authEvents.flatMap((id) => byId.get(id)?.event ?? []);
    const isRejected = (id: EventId) => byId.get(id)?.isRejected ?? false;
    if (!checkAuthEvents(event, authEvents, { isRejected }).allowed) return false;
    return checkAuth(event, authStateOf(stored.map((one) => one.event))).allowed;
  }

  /**
   * Takes what is missing before an event. Where that can't be had whole, gives the states that its sender claims.
   * @throws DroppedEventError, NeedsFetch
   */
  async #fillGapBefore(
    facts: RoomFacts,
    event: Event,
    arrival: Arrival,
    known: Known,
    fetched: Fetched,
  ): Promise<readonly StateAt[] | undefined> {
    if (await this.#missing.hasAll(facts, event.prevEvents)) return undefined;
    const { eventId } = event;
    if (arrival.isFetched !== true) {
      const between = fetched.between.get(eventId);
      if (between === undefined) {
        const room = await this.#deps.hotRooms.find(facts.roomId);
        throw new NeedsFetch(async () => {
          const found = await this.#missing.between(facts, event, arrival.origin, room?.extremities ?? []);
          fetched.between.set(eventId, found);
        });
      }
      await this.#takeFetched(between, arrival.origin, known, fetched);
      if (await this.#missing.hasAll(facts, event.prevEvents)) return undefined;
    }
    if (!fetched.states.has(eventId)) {
      throw new NeedsFetch(async () => {
        fetched.states.set(eventId, await this.#missing.claimedStates(facts, event, arrival.origin));
      });
    }
    const claimed = fetched.states.get(eventId);
    if (claimed === undefined) throw new DroppedEventError('its predecessors are missing');
    return claimed;
  }

  /** Takes events of a gap, oldest first. Those that can't be taken leave a gap. @throws NeedsFetch */
  async #takeFetched(events: readonly Event[], origin: ServerName, known: Known, fetched: Fetched): Promise<void> {
    const ofGap = await this.lookUp(events);
    for (const event of events) {
      if (known.placed.has(event.eventId)) continue;
      try {
        const { written } = await this.take(event, { origin, relay: false, isFetched: true }, ofGap, fetched);
        await written;
        known.placed.add(event.eventId);
      } catch (error) {
        if (!(error instanceof DroppedEventError)) throw error;
      }
    }
  }

  async #factsOf({ roomId }: Event): Promise<RoomFacts> {
    const room = await this.#deps.hotRooms.find(roomId);
    if (room === undefined) throw new DroppedEventError('the room is not known here');
    return { roomId, roomNid: room.roomNid, rules: room.rules };
  }
}
