import type { Event } from '../event/index.ts';
import type { EventId } from '../ids/index.ts';
import { needEvent, powerLevelsEventOf, type ResolutionInputs } from './inputs.ts';
import { compareByAge } from './power-order.ts';

/**
 * Sorts events by how early in the history of the given power levels theirs is, then by timestamp, then by id.
 * Spec: rooms/v2/#definitions, "mainline ordering"
 */
export function sortByMainline(
  ids: Iterable<EventId>,
  powerLevelsId: EventId | undefined,
  inputs: ResolutionInputs,
): readonly EventId[] {
  const positions = mainlinePositions(powerLevelsId, inputs);
  const placed = Array.from(ids, (id) => {
    const event = needEvent(inputs, id);
    return { event, position: positionOf(event, positions, inputs) };
  });
  placed.sort((a, b) => {
    if (a.position !== b.position) return a.position > b.position ? -1 : 1;
    return compareByAge(a.event, b.event);
  });
  return placed.map(({ event }) => event.eventId);
}

/** The mainline: the power levels, those they are authorised by, and so on back to the room's first. */
function mainlinePositions(powerLevelsId: EventId | undefined, inputs: ResolutionInputs): Map<EventId, number> {
  const positions = new Map<EventId, number>();
  let event = powerLevelsId === undefined ? undefined : needEvent(inputs, powerLevelsId);
  while (event !== undefined && !positions.has(event.eventId)) {
    positions.set(event.eventId, positions.size);
    event = powerLevelsEventOf(event, inputs);
  }
  return positions;
}

/** Walks back through power levels to the mainline, and notes the place for everything it passed. */
function positionOf(event: Event, positions: Map<EventId, number>, inputs: ResolutionInputs): number {
  // A set, for where ids aren't hashes (room version 2) a chain might lead back to itself.
  const passed = new Set<EventId>();
  let levels = powerLevelsEventOf(event, inputs);
  while (levels !== undefined && !positions.has(levels.eventId) && !passed.has(levels.eventId)) {
    passed.add(levels.eventId);
    levels = powerLevelsEventOf(levels, inputs);
  }
  const found = levels === undefined ? undefined : positions.get(levels.eventId);
  const position = found ?? Number.POSITIVE_INFINITY;
  for (const id of passed) positions.set(id, position);
  return position;
}
