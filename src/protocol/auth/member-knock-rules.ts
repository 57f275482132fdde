import type { Rule } from './rule.ts';
import type { Subject } from './subject.ts';
import { type Outcome, refuse } from './verdict.ts';

/** Membership `knock`, since room version 7. Spec: rooms/v7/#authorisation-rules, rule 4.6, to rooms/v12, rule 5.7 */
export const knockRules: Rule<Subject> = {
  name: 'knock',
  versions: (v) => v.knocking,
  when: ({ membership }) => membership === 'knock',
  rules: [
    { name: 'room is not for knocking', check: roomTakesKnocks },
    { name: 'knocks for somebody else', check: senderIsTarget },
    { name: 'knocks from outside', check: isOutside },
    { name: 'knocks while banned, invited or in the room', check: ({ event }) => refuse(event.sender) },
  ],
};

function roomTakesKnocks({ joinRule, rules }: Subject): Outcome {
  const takesKnocks = joinRule === 'knock' || (rules.knockRestricted && joinRule === 'knock_restricted');
  return takesKnocks ? 'next' : refuse(`join rule ${joinRule}`);
}

function senderIsTarget({ event, target }: Subject): Outcome {
  return event.sender === target ? 'next' : refuse(`${event.sender} for ${target}`);
}

function isOutside(subject: Subject): Outcome {
  const membership = subject.membershipOf(subject.event.sender);
  return membership === 'ban' || membership === 'invite' || membership === 'join' ? 'next' : 'allow';
}
