import type { Event } from '../event/index.ts';
import type { EventId } from '../ids/index.ts';
import { ROOM_VERSIONS, type RoomVersionRules } from '../room-versions/index.ts';
import { compileRules, type Rule, type RuleBook } from './rule.ts';
import { AUTH_EVENTS, ruleBookOf } from './rule-table.ts';
import { selectAuthEvents } from './selection.ts';
import { ALLOWED, type Outcome, refuse, type Verdict } from './verdict.ts';

/** What is known about the entries besides the events themselves. */
export interface AuthEventsOptions {
  /** Whether the event was rejected when it arrived. None was, where this is left out. */
  readonly isRejected?: (eventId: EventId) => boolean;
}

interface Entries {
  readonly event: Event;
  readonly authEvents: readonly Event[];
  readonly isRejected: (eventId: EventId) => boolean;
}

/** Rule 2, in room version 12 rule 3. Spec: rooms/v1/#authorisation-rules, rooms/v12/#authorisation-rules */
const AUTH_EVENTS_RULES: readonly Rule<Entries>[] = [
  { name: 'auth events are listed twice', check: areDifferent },
  { name: 'auth event is not one of the selection', check: areSelected },
  { name: 'auth event was rejected', check: areAccepted },
  { name: 'no create event among the auth events', versions: (v) => !v.createEventIsRoomId, check: haveCreateEvent },
  { name: 'auth event is of another room', check: areOfSameRoom },
];

const BOOKS = new Map<RoomVersionRules, RuleBook<Entries>>(ROOM_VERSIONS.map((rules) => [rules, compileBook(rules)]));

/**
 * Judges the entries of `auth_events` themselves: no duplicates, none but the selected ones, none rejected, the create
 * event there (not in room version 12), all of the same room. `authEvents` are all the events that `event` lists.
 * Whether they allow the event, `checkAuth` says with a state made of them.
 * Spec: server-server-api/#checks-performed-on-receipt-of-a-pdu, check 4; "Authorisation rules" of each room version
 */
export function checkAuthEvents(event: Event, authEvents: readonly Event[], options: AuthEventsOptions = {}): Verdict {
  // Rule 1 allows or refuses create events before their auth events are looked at.
  if (event.type === 'm.room.create') return ALLOWED;
  const book = BOOKS.get(event.rules) ?? compileBook(event.rules);
  const { isRejected = () => false } = options;
  return book.run('', { event, authEvents, isRejected }) ?? ALLOWED;
}

function compileBook(rules: RoomVersionRules): RuleBook<Entries> {
  return compileRules(AUTH_EVENTS_RULES, rules, `${ruleBookOf(rules).numberOf(AUTH_EVENTS)}.`);
}

function keyOf(type: string, stateKey: string | undefined): string {
  return `${type}\0${stateKey ?? ''}`;
}

function areDifferent({ event, authEvents }: Entries): Outcome {
  if (new Set(event.authEvents).size < event.authEvents.length) return refuse('the same event twice');
  const seen = new Set<string>();
  for (const { type, stateKey } of authEvents) {
    const key = keyOf(type, stateKey);
    if (seen.has(key)) return refuse(`two of ${type} ${stateKey ?? ''}`);
    seen.add(key);
  }
  return 'next';
}

function areSelected({ event, authEvents }: Entries): Outcome {
  const selection = new Set(selectAuthEvents(event, event.rules).map(([type, stateKey]) => keyOf(type, stateKey)));
  const other = authEvents.find(({ type, stateKey, isState }) => !isState || !selection.has(keyOf(type, stateKey)));
  return other === undefined ? 'next' : refuse(`${other.eventId}, ${other.type} ${other.stateKey ?? ''}`);
}

function areAccepted({ authEvents, isRejected }: Entries): Outcome {
  const rejected = authEvents.find(({ eventId }) => isRejected(eventId));
  return rejected === undefined ? 'next' : refuse(rejected.eventId);
}

function haveCreateEvent({ authEvents }: Entries): Outcome {
  return authEvents.some(({ isCreate }) => isCreate) ? 'next' : refuse('m.room.create is missing');
}

function areOfSameRoom({ event, authEvents }: Entries): Outcome {
  const other = authEvents.find(({ roomId }) => roomId !== event.roomId);
  return other === undefined ? 'next' : refuse(`${other.eventId} is of ${other.roomId}`);
}
