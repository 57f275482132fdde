import type { EventId } from '../ids/index.ts';
import { authDifference, conflictedSubgraph } from './auth-chains.ts';
import type { ResolutionInputs } from './inputs.ts';
import { applyAllowed, PartialState } from './iterative-auth.ts';
import { sortByMainline } from './mainline.ts';
import { powerEventsWithChains, sortByPower } from './power-order.ts';
import { conflictedStateSet, type SplitState } from './split.ts';
import { type StateMap, stateKeyOf } from './state-map.ts';
import type { ResolutionTrace } from './trace.ts';

const EMPTY: StateMap<EventId> = new Map();

/**
 * Resolves conflicts as room versions 2 to 11 do: replays them over what is agreed on.
 * Spec: rooms/v2/#state-resolution
 */
export function resolveV2(split: SplitState, inputs: ResolutionInputs, trace?: ResolutionTrace): StateMap<EventId> {
  const fullConflicted = conflictedStateSet(split).union(authDifference(split, inputs));
  return replay(fullConflicted, split.unconflicted, inputs, trace);
}

/**
 * Resolves conflicts as room version 12 does: replays them from an empty state, and with them what lies between
 * conflicted events.
 * Spec: rooms/v12/#state-resolution, MSC4297
 */
export function resolveV21(split: SplitState, inputs: ResolutionInputs, trace?: ResolutionTrace): StateMap<EventId> {
  // The subgraph contains the conflicted events themselves.
  const fullConflicted = conflictedSubgraph(split, inputs).union(authDifference(split, inputs));
  return replay(fullConflicted, EMPTY, inputs, trace);
}

/** Steps 1 to 4 of the algorithm. Step 5, which puts agreed state over the result, is the caller's. */
function replay(
  fullConflicted: ReadonlySet<EventId>,
  base: StateMap<EventId>,
  inputs: ResolutionInputs,
  trace: ResolutionTrace | undefined,
): StateMap<EventId> {
  const state = new PartialState(base);
  const powerEvents = powerEventsWithChains(fullConflicted, inputs);
  applyAllowed(sortByPower(powerEvents, inputs), state, inputs, 'power events', trace);

  const powerLevelsId = state.get(stateKeyOf('m.room.power_levels', ''));
  const rest = sortByMainline(fullConflicted.difference(powerEvents), powerLevelsId, inputs);
  applyAllowed(rest, state, inputs, 'mainline', trace);
  return state.applied;
}
