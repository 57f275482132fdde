import type { Event } from '../event/index.ts';
import type { AuthState } from './auth-state.ts';
import { ruleBookOf } from './rule-table.ts';
import { Subject } from './subject.ts';
import { ALLOWED, type Verdict } from './verdict.ts';

/**
 * Judges an event by the authorization rules of its room version, against the given state: that of its auth events, the
 * state before it, or the room's current state. The state must hold the room's create event, in room version 12 too.
 * The rules about the entries of `auth_events` are in `checkAuthEvents`; signatures of servers are checked on arrival.
 * Spec: server-server-api/#authorisation-rules; "Authorisation rules" of each room version
 */
export function checkAuth(event: Event, state: AuthState): Verdict {
  const subject = new Subject(event, state);
  const book = ruleBookOf(event.rules);
  if (event.type !== 'm.room.create' && !event.rules.createEventIsRoomId && subject.create === undefined) {
    return { allowed: false, rule: '2.4 no create event', reason: 'm.room.create is not in the state' };
  }
  return book.run(event.type, subject) ?? ALLOWED;
}
