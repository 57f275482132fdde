import { parseUserId, serverNameOf } from '../ids/index.ts';
import { readObject, readString, readValue } from '../json/index.ts';
import { inviteRules } from './member-invite-rules.ts';
import { joinRules } from './member-join-rules.ts';
import { knockRules } from './member-knock-rules.ts';
import { banRules, leaveRules } from './member-leave-rules.ts';
import type { Rule } from './rule.ts';
import type { Subject } from './subject.ts';
import { type Outcome, refuse } from './verdict.ts';

/** `m.room.member`. Spec: rooms/v1/#authorisation-rules, rule 5, to rooms/v12/#authorisation-rules, rule 5 */
export const memberRules: Rule<Subject> = {
  name: 'm.room.member',
  type: 'm.room.member',
  rules: [
    { name: 'no state_key or no membership', check: hasTargetAndMembership },
    {
      name: 'authorised by a server',
      versions: (v) => v.restricted,
      when: ({ event }) => readValue(event.content, 'join_authorised_via_users_server') !== undefined,
      rules: [{ name: 'not signed by the server that authorised it', check: isSignedByAuthoriser }],
    },
    joinRules,
    inviteRules,
    leaveRules,
    banRules,
    knockRules,
    { name: 'membership is unknown', check: ({ membership }) => refuse(String(membership)) },
  ],
};

/** Members are users: a key that can't be one is refused with the missing ones. */
function hasTargetAndMembership({ event }: Subject): Outcome {
  if (event.stateKey === undefined) return refuse('state_key is missing');
  if (parseUserId(event.stateKey) === undefined) return refuse('state_key is not a user id');
  return readValue(event.content, 'membership') === undefined ? refuse('content.membership is missing') : 'next';
}

/**
 * Asks for the signature to be there. That it is valid is checked with the event's other signatures when it arrives,
 * since that needs the other server's keys.
 */
function isSignedByAuthoriser({ event }: Subject): Outcome {
  const text = readString(event.content, 'join_authorised_via_users_server');
  const authoriser = text === undefined ? undefined : parseUserId(text);
  if (authoriser === undefined) return refuse('join_authorised_via_users_server is not a user id');
  const serverName = serverNameOf(authoriser);
  const signatures = readObject(event.pdu.signatures, serverName);
  return signatures !== undefined && Object.keys(signatures).length > 0
    ? 'next'
    : refuse(`no signature of ${serverName}`);
}
