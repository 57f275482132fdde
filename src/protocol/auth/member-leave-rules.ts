import { senderIsJoined } from './member-invite-rules.ts';
import type { Rule } from './rule.ts';
import type { Subject } from './subject.ts';
import { type Outcome, refuse } from './verdict.ts';

/**
 * Membership `leave`: leaving, declining, taking back a knock, kicking, unbanning, taking back an invitation.
 * Spec: rooms/v1/#authorisation-rules, rule 5.4, to rooms/v12/#authorisation-rules, rule 5.5
 */
export const leaveRules: Rule<Subject> = {
  name: 'leave',
  when: ({ membership }) => membership === 'leave',
  rules: [
    {
      name: 'leaves without being in',
      when: ({ event, target }) => event.sender === target,
      check: ownMembershipCanEnd,
    },
    { name: 'kicker is not in the room', check: senderIsJoined },
    { name: 'not enough power for unbanning', check: mayUnban },
    { name: 'power for kicking', check: mayKick },
    {
      name: 'not enough power for kicking',
      check: ({ event, target }) => refuse(`${event.sender} can't kick ${target}`),
    },
  ],
};

/** Membership `ban`. Spec: rooms/v1/#authorisation-rules, rule 5.5, to rooms/v12/#authorisation-rules, rule 5.6 */
export const banRules: Rule<Subject> = {
  name: 'ban',
  when: ({ membership }) => membership === 'ban',
  rules: [
    { name: 'banner is not in the room', check: senderIsJoined },
    { name: 'power for banning', check: mayBan },
    {
      name: 'not enough power for banning',
      check: ({ event, target }) => refuse(`${event.sender} can't ban ${target}`),
    },
  ],
};

function ownMembershipCanEnd(subject: Subject): Outcome {
  const membership = subject.membershipOf(subject.target);
  const canEnd = membership === 'invite' || membership === 'join' || (subject.rules.knocking && membership === 'knock');
  return canEnd ? 'allow' : refuse(`${subject.target} has membership ${membership}`);
}

function mayUnban(subject: Subject): Outcome {
  const { event, target, senderLevel, levels } = subject;
  return subject.membershipOf(target) === 'ban' && senderLevel < levels.ban
    ? refuse(`${event.sender} can't unban ${target}`)
    : 'next';
}

function mayKick({ target, senderLevel, levels }: Subject): Outcome {
  return senderLevel >= levels.kick && levels.users(target) < senderLevel ? 'allow' : 'next';
}

function mayBan({ target, senderLevel, levels }: Subject): Outcome {
  return senderLevel >= levels.ban && levels.users(target) < senderLevel ? 'allow' : 'next';
}
