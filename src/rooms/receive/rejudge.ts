/**
 * The events that came into a room while a part of its state was missing, judged once more with all of it: each gets the
 * state before it that it has by the whole state, and is accepted or refused by that.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { authStateOf, checkAuth, checkAuthEvents } from '../../protocol/auth/index.ts';
import { type Event, POLICY_TYPE } from '../../protocol/event/index.ts';
import type { EventId } from '../../protocol/ids/index.ts';
import type { ReadTx } from '../../storage/index.ts';
import { listSinceJoin } from '../store/import-rows.ts';
import type { StoredEvent } from '../store/index.ts';
import type { HotRoom } from '../write/hot-room.ts';
import type { StateAt } from '../write/pending.ts';
import { writeState } from '../write/persist.ts';
import type { ReceiveDeps } from './deps.ts';
import { impliedCreate, inOrder } from './outliers.ts';
import { authStateFor, resolveStates, stateAfter, withEvent } from './states.ts';

/** What became of an event. */
export interface Rejudged {
  readonly stored: StoredEvent;
  /** Root of the state before it. */
  readonly stateBefore: number;
  readonly isRejected: boolean;
  isSoftFailed: boolean;
}

/** A room after it. */
export interface RejudgedRoom {
  readonly events: readonly Rejudged[];
  /** The events without successors, by nid. */
  readonly ends: readonly number[];
  /** Root of the current state. */
  readonly stateRoot: number;
}

type Deps = Pick<ReceiveDeps, 'database' | 'reader' | 'stateTree' | 'stateKeys'>;

const TURN_EVENTS = 50;

/** Judges all events of a held room from our join on. `fullRoot`: the whole state before that. */
export async function rejudge(deps: Deps, room: HotRoom, joinNid: number, fullRoot: number): Promise<RejudgedRoom> {
  const work = new Rejudging(deps, room);
  const stored = await deps.database.read(async (tx) =>
    deps.reader.byNids(tx, await listSinceJoin(tx, room.roomNid, joinNid)),
  );
  const byId = new Map(stored.map((one) => [one.event.eventId, one]));
  const ordered = inOrder(
    stored.map((one) => one.event),
    (event) => event.prevEvents,
  );
  for (const [index, event] of ordered.entries()) {
    if (index % TURN_EVENTS === TURN_EVENTS - 1) await nextTurn();
    const one = byId.get(event.eventId);
    if (one !== undefined) await work.judge(one, one.nid === joinNid ? fullRoot : undefined);
  }
  return work.finish();
}

class Rejudging {
  readonly #deps: Deps & { readonly rejected: Map<EventId, boolean> };
  readonly #room: HotRoom;
  readonly #after = new Map<EventId, StateAt>();
  readonly #roots = new Map<StateAt, number>();
  readonly #done = new Map<EventId, Rejudged>();

  constructor(deps: Deps, room: HotRoom) {
    this.#deps = { ...deps, rejected: new Map() };
    this.#room = room;
  }

  /** Judges an event, all those before it being judged. */
  async judge(stored: StoredEvent, knownRoot: number | undefined): Promise<void> {
    const { database } = this.#deps;
    const { event } = stored;
    const stateBefore = knownRoot ?? (await this.#rootOf(await database.read((tx) => this.#stateBefore(tx, stored))));
    const before: StateAt = { root: stateBefore, changes: new Map() };
    const isRejected = !(await database.read((tx) => this.#isAllowed(tx, event, before)));
    this.#deps.rejected.set(event.eventId, isRejected);
    this.#after.set(event.eventId, isRejected ? before : withEvent(before, event, stored.nid));
    // Who was refused has still to pass by the current state: see `finish`.
    const isSoftFailed = !isRejected && stored.isRefused;
    this.#done.set(event.eventId, { stored, stateBefore, isRejected, isSoftFailed });
  }

  /** The room's ends and current state. */
  async finish(): Promise<RejudgedRoom> {
    let ends = this.#ends();
    let current = await this.#stateAfter(ends);
    const all = [...this.#done.values()];
    // Where nothing that was believed is refused now, who was soft-failed was so with reason.
    const wasMisled = all.some(({ stored, isRejected }) => !stored.isRefused && isRejected);
    const returned = all.filter(
      ({ stored, isRejected }) => !isRejected && (stored.isRejected || (wasMisled && stored.isRefused)),
    );
    if (returned.length > 0 && this.#room.entry(POLICY_TYPE, '') === undefined) {
      for (const one of returned) one.isSoftFailed = !(await this.#isAllowedNow(one.stored.event, current));
      ends = this.#ends();
      current = await this.#stateAfter(ends);
    }
    return {
      events: [...this.#done.values()],
      ends: ends.map(({ stored }) => stored.nid),
      stateRoot: await this.#rootOf(current),
    };
  }

  #isAllowedNow(event: Event, current: StateAt): Promise<boolean> {
    return this.#deps.database.read(
      async (tx) => checkAuth(event, await authStateFor(tx, this.#deps, current, event)).allowed,
    );
  }

  #stateAfter(ends: readonly Rejudged[]): Promise<StateAt> {
    const states = ends.flatMap(({ stored }) => this.#after.get(stored.event.eventId) ?? []);
    return this.#deps.database.read((tx) => resolveStates(tx, this.#deps, this.#room, states));
  }

  async #stateBefore(tx: ReadTx, { event, stateBefore }: StoredEvent): Promise<StateAt> {
    const prev = new Map((await this.#deps.reader.byIds(tx, event.prevEvents)).map((one) => [one.event.eventId, one]));
    const states: StateAt[] = [];
    let lacks = false;
    for (const id of event.prevEvents) {
      const one = prev.get(id);
      const after =
        this.#after.get(id) ?? (one?.isPlaced && one.roomNid === this.#room.roomNid ? stateAfter(one) : undefined);
      if (after === undefined) lacks = true;
      else states.push(after);
    }
    // What its sender claimed of the state after those that we lack is in the state that it got when it came.
    if (lacks || states.length === 0) states.push({ root: stateBefore, changes: new Map() });
    return resolveStates(tx, this.#deps, this.#room, states);
  }

  async #isAllowed(tx: ReadTx, event: Event, before: StateAt): Promise<boolean> {
    const found = await this.#deps.reader.byIds(tx, [...event.authEvents, ...impliedCreate(event)]);
    const stored = new Map(found.map((one) => [one.event.eventId, one]));
    const authEvents = event.authEvents.flatMap((id) => stored.get(id)?.event ?? []);
    const isRejected = (id: EventId) => this.#deps.rejected.get(id) ?? stored.get(id)?.isRejected ?? false;
    if (authEvents.length < event.authEvents.length) return false;
    if (!checkAuthEvents(event, authEvents, { isRejected }).allowed) return false;
    if (!checkAuth(event, authStateOf(found.map((one) => one.event))).allowed) return false;
    return checkAuth(event, await authStateFor(tx, this.#deps, before, event)).allowed;
  }

  /** Accepted events that no accepted event follows, not even over refused ones. */
  #ends(): readonly Rejudged[] {
    const followed = new Set<EventId>();
    const accepted = [...this.#done.values()].filter((one) => !isRefused(one));
    const open = accepted.flatMap(({ stored }) => stored.event.prevEvents);
    for (let id = open.pop(); id !== undefined; id = open.pop()) {
      if (followed.has(id)) continue;
      followed.add(id);
      const one = this.#done.get(id);
      if (one !== undefined && isRefused(one)) open.push(...one.stored.event.prevEvents);
    }
    return accepted.filter(({ stored }) => !followed.has(stored.event.eventId));
  }

  /** Written at once: the states of later events build on it. */
  async #rootOf(state: StateAt): Promise<number> {
    if (state.changes.size === 0) return state.root;
    const known = this.#roots.get(state);
    if (known !== undefined) return known;
    const root = await this.#deps.database.write('main', (tx) => writeState(tx, this.#deps, state));
    this.#roots.set(state, root);
    return root;
  }
}

/** Whether clients don't see the event. */
export function isRefused({ isRejected, isSoftFailed }: Rejudged): boolean {
  return isRejected || isSoftFailed;
}
