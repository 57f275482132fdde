import { createEventIdOf, serverNameOf } from '../ids/index.ts';
import { readBoolean } from '../json/index.ts';
import type { Rule } from './rule.ts';
import type { Subject } from './subject.ts';
import { type Outcome, refuse } from './verdict.ts';

/**
 * Rule 2 of room version 12: the room is the one that its create event made. That the create event was accepted is for
 * the caller to see to, who put it into the state.
 * Spec: rooms/v12/#authorisation-rules
 */
export const roomIdRule: Rule<Subject> = {
  name: 'room id is not that of a create event',
  versions: (v) => v.createEventIsRoomId,
  check: roomIdIsOfCreateEvent,
};

/** The room's `m.federate`. Spec: rooms/v1/#authorisation-rules, rule 3 */
export const federateRule: Rule<Subject> = { name: 'room is not federated', check: senderMayFederate };

/** `m.room.aliases` had a rule of its own until room version 5. Spec: rooms/v1/#authorisation-rules, rule 4 */
export const aliasesRules: Rule<Subject> = {
  name: 'm.room.aliases',
  type: 'm.room.aliases',
  versions: (v) => v.aliasesAuth,
  rules: [
    { name: 'aliases without a state_key', check: ({ event }) => (event.isState ? 'next' : refuse('it is not state')) },
    { name: 'aliases of another server', check: aliasesAreOfOwnServer },
    { name: 'any other aliases', check: () => 'allow' },
  ],
};

function roomIdIsOfCreateEvent({ event, create }: Subject): Outcome {
  if (create === undefined) return refuse(`no create event for ${event.roomId}`);
  return createEventIdOf(event.roomId) === create.eventId
    ? 'next'
    : refuse(`${event.roomId} isn't made of ${create.eventId}`);
}

function senderMayFederate({ event, create }: Subject): Outcome {
  if (create === undefined || readBoolean(create.content, 'm.federate') !== false) return 'next';
  return serverNameOf(event.sender) === serverNameOf(create.sender)
    ? 'next'
    : refuse(`${event.sender} is of another server than ${create.sender}`);
}

function aliasesAreOfOwnServer({ event }: Subject): Outcome {
  return serverNameOf(event.sender) === event.stateKey ? 'next' : refuse(`${event.sender} for ${event.stateKey}`);
}
