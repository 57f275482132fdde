import { thirdPartyInviteRules } from './member-third-party-rules.ts';
import type { Rule } from './rule.ts';
import type { Subject } from './subject.ts';
import { type Outcome, refuse } from './verdict.ts';

/** Membership `invite`. Spec: rooms/v1/#authorisation-rules, rule 5.3, to rooms/v12/#authorisation-rules, rule 5.4 */
export const inviteRules: Rule<Subject> = {
  name: 'invite',
  when: ({ membership }) => membership === 'invite',
  rules: [
    thirdPartyInviteRules,
    { name: 'inviter is not in the room', check: senderIsJoined },
    { name: 'invited user is in the room or banned', check: targetMayBeInvited },
    { name: 'power for inviting', check: mayInvite },
    {
      name: 'not enough power for inviting',
      check: ({ event, senderLevel, levels }) => refuse(`${event.sender} has ${senderLevel}, ${levels.invite} needed`),
    },
  ],
};

/** The sender of a membership event about somebody else must be in the room. */
export function senderIsJoined(subject: Subject): Outcome {
  const { sender } = subject.event;
  return subject.membershipOf(sender) === 'join' ? 'next' : refuse(`${sender} is not in the room`);
}

function targetMayBeInvited(subject: Subject): Outcome {
  const membership = subject.membershipOf(subject.target);
  return membership === 'join' || membership === 'ban'
    ? refuse(`${subject.target} has membership ${membership}`)
    : 'next';
}

function mayInvite({ senderLevel, levels }: Subject): Outcome {
  return senderLevel >= levels.invite ? 'allow' : 'next';
}
