import type { StateIds } from '../../federation/index.ts';
import { checkAuth } from '../../protocol/auth/index.ts';
import type { Event } from '../../protocol/event/index.ts';
import { PREV_EVENTS_MAX } from '../../protocol/event/index.ts';
import type { EventId, ServerName } from '../../protocol/ids/index.ts';
import type { JsonObject } from '../../protocol/json/index.ts';
import { type StateKey, stateKeyOf } from '../../protocol/state/index.ts';
import type { StateReference } from '../snapshot.ts';
import { nidsOf } from '../store/graph-rows.ts';
import { EMPTY_STATE } from '../store/state-tree.ts';
import type { Extremity } from '../write/hot-room.ts';
import type { StateAt } from '../write/pending.ts';
import type { ReceiveDeps, RoomFacts } from './deps.ts';
import { inOrder, keepOutliers, tryParse, verifyAll } from './outliers.ts';
import { authStateFor, withEvent } from './states.ts';

/** Of a gap, so many events are asked for at once, and so often. */
const ASKED_MAX = 100;
const ROUNDS_MAX = 20;
/** More missing events of a state than this, or than a quarter of it, are fetched with the whole state. */
const SINGLE_EVENTS_MAX = 30;

/** Fetches events that we lack from other servers. What can't be had is not there: nothing here rejects for that. */
export class MissingEvents {
  readonly #deps: ReceiveDeps;

  constructor(deps: ReceiveDeps) {
    this.#deps = deps;
  }

  /** Whether all these events have their place in the room. */
  async hasAll(room: RoomFacts, eventIds: readonly EventId[]): Promise<boolean> {
    return (await this.#lacking(room, eventIds)).length === 0;
  }

  /** Keeps the auth chain of an event as another server tells it, as far as it is good. */
  async keepAuthChain(room: RoomFacts, event: Event, server: ServerName): Promise<void> {
    const { calls } = this.#deps.federation;
    const chain = await this.#try(() => calls.eventAuth(server, event.roomId, event.eventId));
    await keepOutliers(this.#deps, room, chain ?? []);
  }

  /** The events between what we have and `event`, as far as the server gives them, oldest first. Their signatures are valid. */
  async between(
    room: RoomFacts,
    event: Event,
    server: ServerName,
    extremities: readonly Extremity[],
  ): Promise<readonly Event[]> {
    const earliest = extremities.slice(0, PREV_EVENTS_MAX).map(({ eventId }) => eventId);
    const minDepth = Math.min(event.depth, ...extremities.map(({ depth }) => depth));
    const found = new Map<EventId, Event>();
    let latest: readonly EventId[] = [event.eventId];
    for (let round = 0; round < ROUNDS_MAX && latest.length > 0; round++) {
      const asked = { earliest, latest, limit: ASKED_MAX, minDepth };
      const pdus = await this.#try(() => this.#deps.federation.calls.missingEvents(server, room.roomId, asked));
      const parsed = (pdus ?? []).flatMap((pdu) => tryParse(room, pdu) ?? []);
      const fresh = parsed.filter(({ eventId }) => !found.has(eventId) && eventId !== event.eventId);
      const good = await verifyAll(this.#deps, fresh);
      if (good.length === 0) break;
      for (const one of good) found.set(one.eventId, one);
      latest = await this.#withGaps(room, found);
    }
    const oldestFirst = [...found.values()].sort((a, b) => a.depth - b.depth || a.originServerTs - b.originServerTs);
    // Whoever made an event chose its depth: only the graph tells what comes first.
    return inOrder(oldestFirst, (one) => one.prevEvents);
  }

  /**
   * The states after those predecessors of an event that we lack, as another server claims them, made of events that we
   * checked and keep. Where it lacks one of them itself: the state before the event. Undefined where it tells neither.
   */
  async claimedStates(room: RoomFacts, event: Event, server: ServerName): Promise<readonly StateAt[] | undefined> {
    const states: StateAt[] = [];
    for (const id of await this.#lacking(room, event.prevEvents)) {
      const after = await this.#claimedStateAfter(room, id, server);
      if (after === undefined) {
        const before = await this.stateBefore(room, event.eventId, server);
        return before === undefined ? undefined : [before];
      }
      states.push(after);
    }
    return states;
  }

  async #claimedStateAfter(room: RoomFacts, eventId: EventId, server: ServerName): Promise<StateAt | undefined> {
    const before = await this.stateBefore(room, eventId, server);
    if (before === undefined) return undefined;
    const { database, reader, federation } = this.#deps;
    const find = async () => (await database.read((tx) => reader.byIds(tx, [eventId])))[0];
    let stored = await find();
    if (stored === undefined) {
      const pdu = await this.#try(() => federation.calls.event(server, eventId));
      await keepOutliers(this.#deps, room, pdu === undefined ? [] : [pdu]);
      stored = await find();
    }
    if (stored === undefined || stored.roomNid !== room.roomNid) return undefined;
    const { event, nid, isRejected } = stored;
    if (event.stateKey === undefined || isRejected) return before;
    const auth = await database.read((tx) => authStateFor(tx, this.#deps, before, event));
    return checkAuth(event, auth).allowed ? withEvent(before, event, nid) : before;
  }

  /** The state before an event as another server claims it, by events that we keep; undefined where it doesn't tell. */
  async stateBefore(room: RoomFacts, eventId: EventId, server: ServerName): Promise<StateAt | undefined> {
    const ids = await this.#try(() => this.#deps.federation.calls.stateIds(server, room.roomId, eventId));
    return ids && this.stateByIds(room, eventId, server, ids);
  }

  /** As `stateBefore`, of what the server has told already; undefined where it keeps the events to itself. */
  async stateByIds(room: RoomFacts, eventId: EventId, server: ServerName, ids: StateIds): Promise<StateAt | undefined> {
    const { calls } = this.#deps.federation;
    if (ids.pduIds.length === 0) return undefined;
    const wanted = [...ids.pduIds, ...ids.authChainIds];
    const known = await this.#deps.database.read((tx) => nidsOf(tx, wanted));
    const missing = wanted.filter((id) => !known.has(id));
    const isFew = missing.length <= Math.min(SINGLE_EVENTS_MAX, wanted.length / 4);
    const singles = isFew ? await Promise.all(missing.map((id) => this.#try(() => calls.event(server, id)))) : [];
    let pdus: readonly JsonObject[] = singles.filter((pdu) => pdu !== undefined);
    if (pdus.length < missing.length) {
      const whole = await this.#try(() => calls.state(server, room.roomId, eventId, wanted.length));
      // What we have by chance of a state is not that state.
      if (whole === undefined) return undefined;
      pdus = [...whole.state, ...whole.authChain];
    }
    await keepOutliers(this.#deps, room, pdus);
    return this.#stateOf(room, ids.pduIds);
  }

  async #stateOf(room: RoomFacts, eventIds: readonly EventId[]): Promise<StateAt> {
    const { database, reader } = this.#deps;
    const changes = new Map<StateKey, StateReference | undefined>();
    for (const { event, nid, isRejected, roomNid } of await database.read((tx) => reader.byIds(tx, eventIds))) {
      if (isRejected || roomNid !== room.roomNid || event.stateKey === undefined) continue;
      changes.set(stateKeyOf(event.type, event.stateKey), { eventId: event.eventId, nid });
    }
    return { root: EMPTY_STATE, changes };
  }

  /** Those of the events with predecessors that we neither have nor have found. */
  async #withGaps(room: RoomFacts, found: ReadonlyMap<EventId, Event>): Promise<readonly EventId[]> {
    const prev = [...found.values()].flatMap((event) => event.prevEvents).filter((id) => !found.has(id));
    const lacking = new Set(await this.#lacking(room, [...new Set(prev)]));
    if (lacking.size === 0) return [];
    return [...found.values()]
      .filter((event) => event.prevEvents.some((id) => lacking.has(id)))
      .slice(0, PREV_EVENTS_MAX)
      .map(({ eventId }) => eventId);
  }

  async #lacking(room: RoomFacts, eventIds: readonly EventId[]): Promise<readonly EventId[]> {
    const stored = await this.#deps.database.read((tx) => this.#deps.reader.byIds(tx, eventIds));
    const placed = new Set(
      stored.filter((one) => one.isPlaced && one.roomNid === room.roomNid).map((one) => one.event.eventId),
    );
    return eventIds.filter((id) => !placed.has(id));
  }

  async #try<T>(call: () => Promise<T>): Promise<T | undefined> {
    try {
      return await call();
    } catch (error) {
      this.#deps.log.info({ err: error }, 'another server could not give what is missing');
      return undefined;
    }
  }
}
