import { createHash } from 'node:crypto';
import { type AuthState, checkAuth, type Verdict } from '../auth/index.ts';
import type { Event } from '../event/index.ts';
import type { EventId } from '../ids/index.ts';
import { needEvent, type ResolutionInputs } from './inputs.ts';
import type { SplitState } from './split.ts';
import { type StateKey, type StateMap, splitStateKey, stateKeyOf } from './state-map.ts';
import type { ResolutionPhase, ResolutionTrace } from './trace.ts';

const ALLOWED: Verdict = { allowed: true };
/** What the trace says of candidates that v1 passes over without asking the authorization rules. */
const PASSED_OVER: Verdict = {
  allowed: false,
  rule: 'state resolution v1',
  reason: 'another candidate was decided on first',
};

/** The kinds that decide on others, in the order in which they are resolved; everything else comes after them. */
const AUTH_PHASES = new Map<ResolutionPhase, string>([
  ['power_levels', 'm.room.power_levels'],
  ['join_rules', 'm.room.join_rules'],
  ['members', 'm.room.member'],
]);

/**
 * Resolves conflicts as room version 1 does: by kind of event and depth. It is known to reset state.
 * Spec: rooms/v1/#state-resolution
 */
export function resolveV1(split: SplitState, inputs: ResolutionInputs, trace?: ResolutionTrace): StateMap<EventId> {
  const candidates = candidatesByKey(split, inputs);
  const resolved = new Map<StateKey, EventId>();
  for (const [phase, phaseType] of AUTH_PHASES) {
    // The keys of one kind are resolved side by side: none of them sees what came of the others.
    const before = new Map(resolved);
    for (const [key, events] of candidates) {
      const [type] = splitStateKey(key);
      if (type === phaseType) resolved.set(key, chainFromOldest(key, events, before, split, inputs, phase, trace));
    }
  }
  const before = new Map(resolved);
  for (const [key, events] of candidates) {
    if (!resolved.has(key)) resolved.set(key, newestAllowed(key, events, before, split, inputs, trace));
  }
  return resolved;
}

/** The candidates of each key, the deepest first, among equals the one with the smaller SHA-1 of its id. */
function candidatesByKey(split: SplitState, inputs: ResolutionInputs): Map<StateKey, readonly Event[]> {
  const ids = new Map<StateKey, Set<EventId>>();
  for (const state of split.conflicted) {
    for (const [key, id] of state) {
      const ofKey = ids.get(key);
      if (ofKey === undefined) ids.set(key, new Set([id]));
      else ofKey.add(id);
    }
  }
  const candidates = new Map<StateKey, readonly Event[]>();
  for (const [key, ofKey] of ids) {
    const hashed = Array.from(ofKey, (id) => ({ event: needEvent(inputs, id), hash: sha1(id) }));
    hashed.sort((a, b) => b.event.depth - a.event.depth || (a.hash < b.hash ? -1 : 1));
    candidates.set(
      key,
      hashed.map(({ event }) => event),
    );
  }
  return candidates;
}

/** Goes from the oldest candidate to the newest, for as long as each is allowed by the one before. */
function chainFromOldest(
  key: StateKey,
  events: readonly Event[],
  resolved: StateMap<EventId>,
  split: SplitState,
  inputs: ResolutionInputs,
  phase: ResolutionPhase,
  trace: ResolutionTrace | undefined,
): EventId {
  let winner: EventId | undefined;
  let isOver = false;
  for (const event of events.toReversed()) {
    let verdict = isOver ? PASSED_OVER : ALLOWED;
    if (!isOver && winner !== undefined) {
      verdict = checkAuth(event, stateWith(resolved, split, inputs, key, winner));
    }
    trace?.({ phase, eventId: event.eventId, key, verdict });
    if (verdict.allowed) winner = event.eventId;
    else isOver = true;
  }
  return winner ?? failNoCandidate(key);
}

/** The newest candidate that is allowed; the oldest where none is. */
function newestAllowed(
  key: StateKey,
  events: readonly Event[],
  resolved: StateMap<EventId>,
  split: SplitState,
  inputs: ResolutionInputs,
  trace: ResolutionTrace | undefined,
): EventId {
  const state = stateWith(resolved, split, inputs);
  let winner: EventId | undefined;
  for (const event of events) {
    const verdict = winner === undefined ? checkAuth(event, state) : PASSED_OVER;
    trace?.({ phase: 'others', eventId: event.eventId, key, verdict });
    if (verdict.allowed) winner = event.eventId;
  }
  return winner ?? events.at(-1)?.eventId ?? failNoCandidate(key);
}

/** What is resolved so far over what is agreed on; `winner`, where given, stands under `ownKey`. */
function stateWith(
  resolved: StateMap<EventId>,
  split: SplitState,
  inputs: ResolutionInputs,
  ownKey?: StateKey,
  winner?: EventId,
): AuthState {
  return {
    get: (type, stateKey) => {
      const key = stateKeyOf(type, stateKey);
      const id = key === ownKey ? winner : (resolved.get(key) ?? split.unconflicted.get(key));
      return id === undefined ? undefined : needEvent(inputs, id);
    },
  };
}

function sha1(text: string): string {
  return createHash('sha1').update(text).digest('hex');
}

function failNoCandidate(key: StateKey): never {
  throw new Error(`no candidate for ${key.replace('\0', ' ')}`);
}
