import { selectAuthEvents } from '../auth/index.ts';
import type { Event } from '../event/index.ts';
import { createEventIdOf, type EventId } from '../ids/index.ts';
import type { RoomVersionRules } from '../room-versions/index.ts';
import { conflictedChainsDifference, removeAuthChains, walkAuthChains } from './auth-chains.ts';
import { findAuthEventIds, type ResolutionInputs } from './inputs.ts';
import { splitForResolution } from './resolve.ts';
import { conflictedStateSet, type SplitState } from './split.ts';
import { type StateMap, stateKeyOf } from './state-map.ts';

/**
 * The events that resolving these states needs and that `inputs` lacks, as far as it can be told by now: load them, best
 * with their whole auth chains, and ask again until none is missing. Where the caller has loaded an auth chain it is
 * complete, so that one or two rounds are enough. At the end most of it is about edges alone, which `authEventIds` can
 * answer without the events.
 */
export function missingForResolution(
  rules: RoomVersionRules,
  states: readonly StateMap<EventId>[],
  inputs: ResolutionInputs,
): readonly EventId[] {
  const split = splitForResolution(rules, states);
  const conflicted = conflictedStateSet(split);
  const missing = new Set<EventId>();
  if (rules.stateResolution === 'v1') {
    needSelected(conflicted, split, inputs, missing);
    return [...missing];
  }
  const replayable = chainsWithStarts(conflicted, inputs, missing);
  const powerLevelsId = split.unconflicted.get(stateKeyOf('m.room.power_levels', ''));
  if (powerLevelsId !== undefined) chainsWithStarts([powerLevelsId], inputs, missing);
  needSelected(replayable, split, inputs, missing);
  if (missing.size === 0) needEdgesOfAgreed(split, inputs, missing);
  return [...missing];
}

function findOrMiss(id: EventId, inputs: ResolutionInputs, missing: Set<EventId>): Event | undefined {
  const event = inputs.event(id);
  if (event === undefined) missing.add(id);
  return event;
}

/** The events and their auth chains, all of which must be loaded. */
function chainsWithStarts(starts: Iterable<EventId>, inputs: ResolutionInputs, missing: Set<EventId>): Set<EventId> {
  const all = new Set(starts);
  for (const id of walkAuthChains([...all], (at) => findOrMiss(at, inputs, missing)?.authEvents ?? [])) all.add(id);
  return all;
}

/** What the authorization rules look up for the events in the agreed state. */
function needSelected(
  ids: Iterable<EventId>,
  split: SplitState,
  inputs: ResolutionInputs,
  missing: Set<EventId>,
): void {
  for (const id of ids) {
    const event = findOrMiss(id, inputs, missing);
    if (event === undefined) continue;
    const createId = event.rules.createEventIsRoomId ? createEventIdOf(event.roomId) : undefined;
    if (createId !== undefined) findOrMiss(createId, inputs, missing);
    for (const [type, stateKey] of selectAuthEvents(event, event.rules)) {
      const selected = split.unconflicted.get(stateKeyOf(type, stateKey));
      if (selected !== undefined) findOrMiss(selected, inputs, missing);
    }
  }
}

/** The auth difference may need the auth chains of the agreed events, but only their edges. */
function needEdgesOfAgreed(split: SplitState, inputs: ResolutionInputs, missing: Set<EventId>): void {
  const difference = conflictedChainsDifference(split, (id) => findAuthEventIds(inputs, id) ?? []);
  removeAuthChains(difference, split.unconflicted.values(), (id) => {
    const ids = findAuthEventIds(inputs, id);
    if (ids === undefined) missing.add(id);
    return ids ?? [];
  });
}
