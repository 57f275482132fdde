import type { EventId } from '../ids/index.ts';
import type { RoomVersionRules } from '../room-versions/index.ts';
import type { ResolutionInputs } from './inputs.ts';
import { resolveV1 } from './resolve-v1.ts';
import { resolveV2, resolveV21 } from './resolve-v2.ts';
import { type SplitState, splitStates } from './split.ts';
import type { StateKey, StateMap } from './state-map.ts';
import type { ResolutionTrace } from './trace.ts';

const ALGORITHMS = { v1: resolveV1, v2: resolveV2, 'v2.1': resolveV21 } as const;

/**
 * The state that several states of one room make together, by the algorithm of its version. Pure and synchronous.
 * Spec: server-server-api/#room-state-resolution; "State resolution" of each room version
 *
 * @param states the states after each prev event, in any order
 * @param inputs the events, loaded beforehand: see `missingForResolution`
 * @param trace is told about each candidate, in order
 * @throws MissingEventError where something was not loaded
 */
export function resolveState(
  rules: RoomVersionRules,
  states: readonly StateMap<EventId>[],
  inputs: ResolutionInputs,
  trace?: ResolutionTrace,
): StateMap<EventId> {
  const [first, ...others] = new Set(states);
  if (first === undefined || others.length === 0) return first ?? new Map();
  const split = splitForResolution(rules, states);
  const result = new Map(split.unconflicted);
  for (const [key, id] of resolveConflicts(rules, split, inputs, trace)) result.set(key, id);
  return result;
}

/** Parts states into the agreed and the conflicted, by what the room version takes for a conflict. */
export function splitForResolution(rules: RoomVersionRules, states: readonly StateMap<EventId>[]): SplitState {
  return splitStates(states, rules.stateResolution !== 'v1');
}

/**
 * As `resolveState`, for callers who can tell conflicts without reading whole states: it gives only what goes beside the
 * agreed state. Keys that are in conflict and are not in the result have nothing that is allowed.
 * @throws MissingEventError
 */
export function resolveConflicts(
  rules: RoomVersionRules,
  split: SplitState,
  inputs: ResolutionInputs,
  trace?: ResolutionTrace,
): StateMap<EventId> {
  if (split.conflicted.every((state) => state.size === 0)) return new Map();
  const resolved = new Map<StateKey, EventId>();
  for (const [key, id] of ALGORITHMS[rules.stateResolution](split, inputs, trace)) {
    // Step 5 of v2: what is agreed on stays, although replayed auth events may have put others in its place.
    if (!split.unconflicted.has(key)) resolved.set(key, id);
  }
  return resolved;
}
