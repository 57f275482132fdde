import type { Event } from '../event/index.ts';

/** The part of a room's state that the authorization rules ask for. */
export interface AuthState {
  get(type: string, stateKey: string): Event | undefined;
}

/**
 * An `AuthState` of the given state events; of several under one key the last counts. In room version 12 events don't
 * list their create event among their auth events: add it.
 */
export function authStateOf(events: Iterable<Event>): AuthState {
  const byKey = new Map<string, Event>();
  for (const event of events) {
    if (event.stateKey !== undefined) byKey.set(`${event.type}\0${event.stateKey}`, event);
  }
  return { get: (type, stateKey) => byKey.get(`${type}\0${stateKey}`) };
}
