import { powerLevels } from '../auth/index.ts';
import type { Event } from '../event/index.ts';
import type { EventId } from '../ids/index.ts';
import { compareCodePoints, readString } from '../json/index.ts';
import { Heap } from './heap.ts';
import { needEvent, type ResolutionInputs, stateOfAuthEvents } from './inputs.ts';

/**
 * Whether the event might take away somebody's ability to do something.
 * Spec: rooms/v2/#definitions, "power events"
 */
export function isPowerEvent(event: Event): boolean {
  if (!event.isState) return false;
  if (event.type === 'm.room.power_levels' || event.type === 'm.room.join_rules') return true;
  if (event.type !== 'm.room.member' || event.sender === event.stateKey) return false;
  const membership = readString(event.content, 'membership');
  return membership === 'leave' || membership === 'ban';
}

/**
 * The power events of the full conflicted set, and what is behind them in their auth chains as far as it is in the set
 * too. Chains are followed within the set, as other servers do it, whose result has to be the same.
 * Spec: rooms/v2/#algorithm, step 1
 */
export function powerEventsWithChains(fullConflicted: ReadonlySet<EventId>, inputs: ResolutionInputs): Set<EventId> {
  const picked = new Set<EventId>();
  const stack: EventId[] = [];
  for (const id of fullConflicted) if (isPowerEvent(needEvent(inputs, id))) stack.push(id);
  for (let id = stack.pop(); id !== undefined; id = stack.pop()) {
    if (picked.has(id)) continue;
    picked.add(id);
    for (const authEventId of needEvent(inputs, id).authEvents) {
      if (fullConflicted.has(authEventId)) stack.push(authEventId);
    }
  }
  return picked;
}

interface Candidate {
  readonly event: Event;
  readonly senderLevel: number;
  /** How many of its auth events are still to come. */
  waitsFor: number;
  readonly dependants: Candidate[];
}

/**
 * Sorts events so that each follows its auth events, and where that leaves a choice the more powerful sender goes first,
 * then the earlier timestamp, then the smaller id.
 * Spec: rooms/v2/#definitions, "reverse topological power ordering"
 */
export function sortByPower(ids: ReadonlySet<EventId>, inputs: ResolutionInputs): readonly EventId[] {
  const candidates = new Map<EventId, Candidate>();
  for (const id of ids) {
    const event = needEvent(inputs, id);
    candidates.set(id, { event, senderLevel: senderLevelOf(event, inputs), waitsFor: 0, dependants: [] });
  }
  const ready = new Heap<Candidate>(compareByPower);
  for (const candidate of candidates.values()) {
    for (const authEventId of new Set(candidate.event.authEvents)) {
      const authEvent = candidates.get(authEventId);
      if (authEvent === undefined) continue;
      authEvent.dependants.push(candidate);
      candidate.waitsFor += 1;
    }
    if (candidate.waitsFor === 0) ready.push(candidate);
  }
  const sorted: EventId[] = [];
  for (let next = ready.pop(); next !== undefined; next = ready.pop()) {
    sorted.push(next.event.eventId);
    for (const dependant of next.dependants) {
      dependant.waitsFor -= 1;
      if (dependant.waitsFor === 0) ready.push(dependant);
    }
  }
  return sorted;
}

/** The sender's level by the event's own auth events. */
function senderLevelOf(event: Event, inputs: ResolutionInputs): number {
  const state = stateOfAuthEvents(event, inputs, () => true);
  return powerLevels(state, event.rules).users(event.sender);
}

function compareByPower(a: Candidate, b: Candidate): number {
  if (a.senderLevel !== b.senderLevel) return a.senderLevel > b.senderLevel ? -1 : 1;
  return compareByAge(a.event, b.event);
}

/** The earlier timestamp first, then the smaller id. */
export function compareByAge(a: Event, b: Event): number {
  return a.originServerTs - b.originServerTs || compareCodePoints(a.eventId, b.eventId);
}
