import { readString } from '../json/index.ts';
import { roomCreators } from './power-levels.ts';
import type { Rule } from './rule.ts';
import type { Subject } from './subject.ts';
import { type Outcome, refuse } from './verdict.ts';

/** Membership `join`. Spec: rooms/v1/#authorisation-rules, rule 5.2, to rooms/v12/#authorisation-rules, rule 5.3 */
export const joinRules: Rule<Subject> = {
  name: 'join',
  when: ({ membership }) => membership === 'join',
  rules: [
    { name: 'first join of the creator', check: isFirstJoinOfCreator },
    { name: 'joins somebody else', check: senderIsTarget },
    { name: 'sender is banned', check: senderIsNotBanned },
    { name: 'invited into a room for the invited', check: invitedMayJoin },
    {
      name: 'restricted room',
      versions: (v) => v.restricted,
      when: ({ joinRule, rules }) =>
        joinRule === 'restricted' || (rules.knockRestricted && joinRule === 'knock_restricted'),
      rules: [
        { name: 'member or invited', check: membersAndInvitedMayJoin },
        { name: 'not authorised by somebody who may invite', check: isAuthorised },
        { name: 'authorised', check: () => 'allow' },
      ],
    },
    { name: 'public room', check: ({ joinRule }) => (joinRule === 'public' ? 'allow' : 'next') },
    {
      name: 'join rule lets nobody in',
      check: ({ event, joinRule }) => refuse(`${event.sender}, join rule ${joinRule}`),
    },
  ],
};

/** The sender may differ from the user who joins: the specification asks for nothing else here. */
function isFirstJoinOfCreator({ event, create, target }: Subject): Outcome {
  const { prevEvents } = event;
  if (create === undefined || prevEvents.length !== 1 || prevEvents[0] !== create.eventId) return 'next';
  return roomCreators(create)[0] === target ? 'allow' : 'next';
}

function senderIsTarget({ event, target }: Subject): Outcome {
  return event.sender === target ? 'next' : refuse(`${event.sender} for ${target}`);
}

function senderIsNotBanned(subject: Subject): Outcome {
  const { sender } = subject.event;
  return subject.membershipOf(sender) === 'ban' ? refuse(`${sender} is banned`) : 'next';
}

function invitedMayJoin(subject: Subject): Outcome {
  const { joinRule, rules } = subject;
  const isForInvited = joinRule === 'invite' || (rules.knocking && joinRule === 'knock');
  return isForInvited ? membersAndInvitedMayJoin(subject) : 'next';
}

function membersAndInvitedMayJoin(subject: Subject): Outcome {
  const membership = subject.membershipOf(subject.event.sender);
  return membership === 'invite' || membership === 'join' ? 'allow' : 'next';
}

function isAuthorised(subject: Subject): Outcome {
  const authoriser = readString(subject.event.content, 'join_authorised_via_users_server');
  if (authoriser === undefined) return refuse('nobody authorised it');
  if (subject.membershipOf(authoriser) !== 'join') return refuse(`${authoriser} is not in the room`);
  const { levels } = subject;
  return levels.users(authoriser) >= levels.invite ? 'next' : refuse(`${authoriser} may not invite`);
}
