import type { EventId } from '../ids/index.ts';
import type { StateKey, StateMap } from './state-map.ts';

/** States to be resolved, parted into what they agree on and the rest of each. */
export interface SplitState {
  readonly unconflicted: StateMap<EventId>;
  /** For each state, in order, its entries that are in conflict. Without any conflict all of them are empty. */
  readonly conflicted: readonly StateMap<EventId>[];
}

/**
 * Parts states by agreement. From v2 on a key is in conflict unless every state has the same event for it; in v1 states
 * without the key don't count.
 * Spec: rooms/v2/#definitions, rooms/v1/#state-resolution
 */
export function splitStates(states: readonly StateMap<EventId>[], absenceConflicts: boolean): SplitState {
  const unconflicted = new Map<StateKey, EventId>();
  const conflicting = new Set<StateKey>();
  const others = new Set(states);
  for (const state of others) {
    for (const [key, id] of state) {
      if (conflicting.has(key) || unconflicted.has(key)) continue;
      if (areAgreed(key, id, others, absenceConflicts)) unconflicted.set(key, id);
      else conflicting.add(key);
    }
  }
  return { unconflicted, conflicted: states.map((state) => pick(state, conflicting)) };
}

/** The ids of all conflicted events, each once. Spec: rooms/v2/#definitions, "conflicted state set" */
export function conflictedStateSet(split: SplitState): Set<EventId> {
  const ids = new Set<EventId>();
  for (const state of split.conflicted) for (const id of state.values()) ids.add(id);
  return ids;
}

function areAgreed(
  key: StateKey,
  id: EventId,
  states: Iterable<StateMap<EventId>>,
  absenceConflicts: boolean,
): boolean {
  for (const state of states) {
    const other = state.get(key);
    if (other !== id && (other !== undefined || absenceConflicts)) return false;
  }
  return true;
}

function pick(state: StateMap<EventId>, keys: Iterable<StateKey>): StateMap<EventId> {
  const picked = new Map<StateKey, EventId>();
  for (const key of keys) {
    const id = state.get(key);
    if (id !== undefined) picked.set(key, id);
  }
  return picked;
}
