/** States at events of a room's graph: of single events, and what several make together. */
import { type AuthState, authStateOf, selectAuthEvents } from '../../protocol/auth/index.ts';
import type { Event } from '../../protocol/event/index.ts';
import type { EventId } from '../../protocol/ids/index.ts';
import {
  missingForResolution,
  type ResolutionInputs,
  type ResolutionTrace,
  resolveState,
  type StateKey,
  type StateMap,
  splitStateKey,
  stateKeyOf,
} from '../../protocol/state/index.ts';
import type { ReadTx } from '../../storage/index.ts';
import type { StateReference } from '../snapshot.ts';
import { eventIdsOf, type StoredEvent } from '../store/index.ts';
import type { HotRoom } from '../write/hot-room.ts';
import type { StateAt } from '../write/pending.ts';
import type { ReceiveDeps } from './deps.ts';

type Changes = Map<StateKey, StateReference | undefined>;
type StateDeps = Pick<ReceiveDeps, 'reader' | 'stateTree' | 'stateKeys'> & {
  /** Events that are judged otherwise than their rows say. */
  readonly rejected?: ReadonlyMap<EventId, boolean>;
};

const NO_CHANGES: ReadonlyMap<StateKey, StateReference | undefined> = new Map();
const LOADS_MAX = 1_000;

/** The state after an event that has its place. */
export function stateAfter(stored: StoredEvent): StateAt {
  const { event, nid, stateBefore, isRejected } = stored;
  if (event.stateKey === undefined || isRejected) return { root: stateBefore, changes: NO_CHANGES };
  const key = stateKeyOf(event.type, event.stateKey);
  return { root: stateBefore, changes: new Map([[key, { eventId: event.eventId, nid }]]) };
}

/** The room's current state, as of its last commit. */
export function currentState(room: HotRoom): StateAt {
  return { root: room.committed.stateRoot, changes: NO_CHANGES };
}

/** The state with an event on top. */
export function withEvent(state: StateAt, event: Event, nid: number): StateAt {
  if (event.stateKey === undefined) return state;
  const changes = new Map(state.changes);
  changes.set(stateKeyOf(event.type, event.stateKey), { eventId: event.eventId, nid });
  return { root: state.root, changes };
}

/** What `other` has elsewhere than `base`; undefined under a key where it has nothing. */
export async function differences(
  tx: ReadTx,
  deps: StateDeps,
  base: StateAt,
  other: StateAt,
): Promise<ReadonlyMap<StateKey, StateReference | undefined>> {
  const found: Changes = new Map();
  if (base.root !== other.root) {
    const byNid = await deps.stateTree.diff(tx, base.root, other.root);
    const names = await deps.stateKeys.names(tx, [...byNid.keys()]);
    const ids = await eventIdsOf(
      tx,
      [...byNid.values()].filter((nid) => nid !== undefined),
    );
    for (const [keyNid, nid] of byNid) {
      const name = names.get(keyNid);
      if (name === undefined) continue;
      const eventId = nid === undefined ? undefined : ids.get(nid);
      const reference = nid === undefined || eventId === undefined ? undefined : { eventId, nid };
      found.set(stateKeyOf(name.type, name.stateKey), reference);
    }
  }
  for (const key of new Set([...base.changes.keys(), ...other.changes.keys()])) {
    const before = await entryOf(tx, deps, base, key);
    const after = await entryOf(tx, deps, other, key);
    if (before?.eventId === after?.eventId) found.delete(key);
    else found.set(key, after);
  }
  return found;
}

/** The entry under a key of a state. */
export async function entryOf(
  tx: ReadTx,
  deps: StateDeps,
  state: StateAt,
  key: StateKey,
): Promise<StateReference | undefined> {
  if (state.changes.has(key)) return state.changes.get(key);
  const [type, stateKey] = splitStateKey(key);
  const keyNid = await deps.stateKeys.find(tx, type, stateKey);
  const nid = keyNid === undefined ? undefined : await deps.stateTree.get(tx, state.root, keyNid);
  if (nid === undefined) return undefined;
  const eventId = (await eventIdsOf(tx, [nid])).get(nid);
  return eventId === undefined ? undefined : { eventId, nid };
}

/** What the auth rules look up for an event in a state. */
export async function authStateFor(tx: ReadTx, deps: StateDeps, state: StateAt, event: Event): Promise<AuthState> {
  const nids: number[] = [];
  for (const [type, stateKey] of [...selectAuthEvents(event, event.rules), ['m.room.create', ''] as const]) {
    const entry = await entryOf(tx, deps, state, stateKeyOf(type, stateKey));
    if (entry !== undefined) nids.push(entry.nid);
  }
  const stored = await deps.reader.byNids(tx, nids);
  return authStateOf(stored.map((one) => one.event));
}

/**
 * The state that several states of a room make together. States that are alike cost a walk where their trees differ; only a
 * real conflict reads a whole state. `arriving`: an accepted event that may be in them and isn't stored yet; its nid is 0.
 */
export async function resolveStates(
  tx: ReadTx,
  deps: StateDeps,
  room: HotRoom,
  states: readonly StateAt[],
  arriving?: Event,
): Promise<StateAt> {
  const [base, ...others] = states;
  if (base === undefined) throw new Error('there is a state to resolve');
  const different: ReadonlyMap<StateKey, StateReference | undefined>[] = [];
  for (const other of others) {
    const changes = await differences(tx, deps, base, other);
    if (changes.size > 0) different.push(changes);
  }
  if (different.length === 0) return base;
  const whole = await wholeState(tx, deps, room, base);
  const maps: StateMap<EventId>[] = [whole, ...different.map((changes) => withChanges(whole, changes))];
  const resolved = await resolve(tx, deps, room, maps, arriving);
  return { root: base.root, changes: await changesTo(tx, deps, base, whole, resolved, arriving) };
}

/** A whole state by ids. That of the room as it is now comes from memory. */
export async function wholeState(
  tx: ReadTx,
  deps: StateDeps,
  room: HotRoom,
  state: StateAt,
): Promise<ReadonlyMap<StateKey, EventId>> {
  const whole = new Map<StateKey, EventId>();
  if (state.root === room.committed.stateRoot) {
    for (const [key, entry] of room.state.committed) whole.set(key, entry.eventId);
  } else {
    const pairs = await deps.stateTree.entries(tx, state.root);
    const names = await deps.stateKeys.names(tx, [...pairs.keys()]);
    const ids = await eventIdsOf(tx, [...pairs.values()]);
    for (const [keyNid, nid] of pairs) {
      const name = names.get(keyNid);
      const eventId = ids.get(nid);
      if (name !== undefined && eventId !== undefined) whole.set(stateKeyOf(name.type, name.stateKey), eventId);
    }
  }
  return withChanges(whole, state.changes);
}

function withChanges(
  whole: ReadonlyMap<StateKey, EventId>,
  changes: ReadonlyMap<StateKey, StateReference | undefined>,
): ReadonlyMap<StateKey, EventId> {
  if (changes.size === 0) return whole;
  const copy = new Map(whole);
  for (const [key, reference] of changes) {
    if (reference === undefined) copy.delete(key);
    else copy.set(key, reference.eventId);
  }
  return copy;
}

/** Resolves whole states, whose events are loaded as they are needed. `trace` is told each step. */
export async function resolve(
  tx: ReadTx,
  deps: StateDeps,
  room: HotRoom,
  maps: readonly StateMap<EventId>[],
  arriving: Event | undefined,
  trace?: ResolutionTrace,
): Promise<StateMap<EventId>> {
  const loaded = new Map<EventId, StoredEvent | undefined>();
  const inputs: ResolutionInputs = {
    event: (id) => (id === arriving?.eventId ? arriving : loaded.get(id)?.event),
    isRejected: (id) => deps.rejected?.get(id) ?? loaded.get(id)?.isRejected ?? false,
  };
  for (let round = 0; round < LOADS_MAX; round++) {
    const missing = missingForResolution(room.rules, maps, inputs).filter((id) => !loaded.has(id));
    if (missing.length === 0) break;
    for (const id of missing) loaded.set(id, undefined);
    for (const stored of await deps.reader.byIds(tx, missing)) loaded.set(stored.event.eventId, stored);
  }
  return resolveState(room.rules, maps, inputs, trace);
}

/** What leads from a state to another one, as changes on the root of the first. */
async function changesTo(
  tx: ReadTx,
  deps: StateDeps,
  base: StateAt,
  from: ReadonlyMap<StateKey, EventId>,
  to: StateMap<EventId>,
  arriving: Event | undefined,
): Promise<Changes> {
  const changes: Changes = new Map(base.changes);
  const wanted = new Map<StateKey, EventId>();
  for (const [key, eventId] of to) if (from.get(key) !== eventId) wanted.set(key, eventId);
  for (const key of from.keys()) if (!to.has(key)) changes.set(key, undefined);
  const stored = await deps.reader.byIds(tx, [...wanted.values()]);
  const nids = new Map(stored.map((one) => [one.event.eventId, one.nid]));
  for (const [key, eventId] of wanted) {
    const nid = nids.get(eventId) ?? (eventId === arriving?.eventId ? 0 : undefined);
    if (nid !== undefined) changes.set(key, { eventId, nid });
  }
  return changes;
}
