import { type AuthState, authStateOf } from '../auth/index.ts';
import type { Event } from '../event/index.ts';
import { createEventIdOf, type EventId } from '../ids/index.ts';

/**
 * What state resolution looks at. Everything is loaded before; `missingForResolution` says what still has to be.
 */
export interface ResolutionInputs {
  event(id: EventId): Event | undefined;
  /** The auth events of an event, for callers who keep that graph without the events. Else they are read from `event`. */
  authEventIds?(id: EventId): readonly EventId[] | undefined;
  /** Whether the event was rejected when it arrived; such ones authorise nothing. None was, where this is left out. */
  isRejected?(id: EventId): boolean;
}

/** An event that resolution needs was not loaded. */
export class MissingEventError extends Error {
  override readonly name = 'MissingEventError';
  readonly eventId: EventId;

  constructor(eventId: EventId) {
    super(`${eventId} is needed to resolve state and was not loaded`);
    this.eventId = eventId;
  }
}

/**
 * The event of this id.
 * @throws MissingEventError
 */
export function needEvent(inputs: ResolutionInputs, id: EventId): Event {
  const event = inputs.event(id);
  if (event === undefined) throw new MissingEventError(id);
  return event;
}

/** The auth events of the event of this id, or undefined where neither it nor they are loaded. */
export function findAuthEventIds(inputs: ResolutionInputs, id: EventId): readonly EventId[] | undefined {
  return inputs.authEventIds?.(id) ?? inputs.event(id)?.authEvents;
}

/**
 * As `findAuthEventIds`, for what must be there.
 * @throws MissingEventError
 */
export function needAuthEventIds(inputs: ResolutionInputs, id: EventId): readonly EventId[] {
  const ids = findAuthEventIds(inputs, id);
  if (ids === undefined) throw new MissingEventError(id);
  return ids;
}

/** The state that the auth events of `event` make, with the create event that room version 12 implies by the room id. */
export function stateOfAuthEvents(event: Event, inputs: ResolutionInputs, accept: (id: EventId) => boolean): AuthState {
  const implied = event.rules.createEventIsRoomId && !event.isCreate ? createEventIdOf(event.roomId) : undefined;
  const ids = implied === undefined ? event.authEvents : [implied, ...event.authEvents];
  return authStateOf(ids.filter(accept).map((id) => needEvent(inputs, id)));
}

/** The power levels that `event` lists among its auth events. */
export function powerLevelsEventOf(event: Event, inputs: ResolutionInputs): Event | undefined {
  for (const id of event.authEvents) {
    const authEvent = needEvent(inputs, id);
    if (authEvent.type === 'm.room.power_levels' && authEvent.stateKey === '') return authEvent;
  }
  return undefined;
}
