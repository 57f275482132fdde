import { serverNameOf } from '../ids/index.ts';
import { senderIsJoined } from './member-invite-rules.ts';
import type { Rule } from './rule.ts';
import type { Subject } from './subject.ts';
import { type Outcome, refuse } from './verdict.ts';

/** The sender must be in the room. Spec: rooms/v1/#authorisation-rules, rule 6 */
export const senderRule: Rule<Subject> = { name: 'sender is not in the room', check: senderIsJoined };

/** `m.room.third_party_invite`. Spec: rooms/v1/#authorisation-rules, rule 7 */
export const thirdPartyInviteRule: Rule<Subject> = {
  name: 'm.room.third_party_invite',
  type: 'm.room.third_party_invite',
  rules: [{ name: 'not enough power for inviting', check: mayInviteByThirdParty }],
};

/** The level that the event's type needs. Spec: rooms/v1/#authorisation-rules, rule 8 */
export const levelRule: Rule<Subject> = { name: 'not enough power for this type', check: mayOfType };

/** State under a user's id belongs to that user. Spec: rooms/v1/#authorisation-rules, rule 9 */
export const ownStateRule: Rule<Subject> = { name: 'state of another user', check: stateIsOwn };

/** Redactions, in room versions 1 and 2. Spec: rooms/v1/#authorisation-rules, rule 11 */
export const redactionRules: Rule<Subject> = {
  name: 'm.room.redaction',
  type: 'm.room.redaction',
  versions: (v) => v.redactionAuthRule,
  rules: [
    {
      name: 'power for redacting',
      check: ({ senderLevel, levels }) => (senderLevel >= levels.redact ? 'allow' : 'next'),
    },
    { name: 'redaction of the own server', check: redactsOwnServer },
    {
      name: 'not enough power for redacting',
      check: ({ event }) => refuse(`${event.sender} redacts ${event.redacts}`),
    },
  ],
};

function mayInviteByThirdParty({ event, senderLevel, levels }: Subject): Outcome {
  return senderLevel >= levels.invite ? 'allow' : refuse(`${event.sender} has ${senderLevel}, ${levels.invite} needed`);
}

function mayOfType({ event, senderLevel, levels }: Subject): Outcome {
  const needed = levels.event(event.type, event.isState);
  return needed > senderLevel
    ? refuse(`${event.sender} has ${senderLevel}, ${needed} needed for ${event.type}`)
    : 'next';
}

function stateIsOwn({ event }: Subject): Outcome {
  const { stateKey, sender } = event;
  return stateKey?.startsWith('@') && stateKey !== sender ? refuse(`${sender} for ${stateKey}`) : 'next';
}

function redactsOwnServer({ event }: Subject): Outcome {
  if (event.redacts === undefined) return 'next';
  const server = serverNameOf(event.eventId);
  return server !== undefined && server === serverNameOf(event.redacts) ? 'allow' : 'next';
}
