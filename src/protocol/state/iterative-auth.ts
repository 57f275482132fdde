import { type AuthState, checkAuth } from '../auth/index.ts';
import type { Event } from '../event/index.ts';
import type { EventId } from '../ids/index.ts';
import { needEvent, type ResolutionInputs, stateOfAuthEvents } from './inputs.ts';
import { type StateKey, type StateMap, stateKeyOf } from './state-map.ts';
import type { ResolutionPhase, ResolutionTrace } from './trace.ts';

/** The state as resolved so far: what was applied, over what it started from. */
export class PartialState {
  readonly applied = new Map<StateKey, EventId>();
  private readonly base: StateMap<EventId>;

  constructor(base: StateMap<EventId>) {
    this.base = base;
  }

  get(key: StateKey): EventId | undefined {
    return this.applied.get(key) ?? this.base.get(key);
  }
}

/**
 * Applies the events in order, each if the state resolved so far allows it. What that state lacks is taken from the
 * event's own auth events, unless they were rejected.
 * Spec: rooms/v2/#definitions, "iterative auth checks"
 */
export function applyAllowed(
  ids: readonly EventId[],
  state: PartialState,
  inputs: ResolutionInputs,
  phase: ResolutionPhase,
  trace: ResolutionTrace | undefined,
): void {
  for (const eventId of ids) {
    const event = needEvent(inputs, eventId);
    const { stateKey } = event;
    // Auth chains hold nothing else, once the rules about auth events have been applied.
    if (stateKey === undefined) continue;
    const verdict = checkAuth(event, overOwnAuthEvents(event, state, inputs));
    const key = stateKeyOf(event.type, stateKey);
    if (verdict.allowed) state.applied.set(key, eventId);
    trace?.({ phase, eventId, key, verdict });
  }
}

function overOwnAuthEvents(event: Event, state: PartialState, inputs: ResolutionInputs): AuthState {
  let own: AuthState | undefined;
  return {
    get: (type, stateKey) => {
      const id = state.get(stateKeyOf(type, stateKey));
      if (id !== undefined) return needEvent(inputs, id);
      own ??= stateOfAuthEvents(event, inputs, (authEventId) => inputs.isRejected?.(authEventId) !== true);
      return own.get(type, stateKey);
    },
  };
}
