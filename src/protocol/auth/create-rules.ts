import { parseUserId, serverNameOf } from '../ids/index.ts';
import { isJsonArray, readString, readValue } from '../json/index.ts';
import { roomVersionRules } from '../room-versions/index.ts';
import type { Rule } from './rule.ts';
import type { Subject } from './subject.ts';
import { type Outcome, refuse } from './verdict.ts';

/** Rule 1 of every room version: `m.room.create`. Spec: rooms/v1/#authorisation-rules, rooms/v12/#authorisation-rules */
export const createRules: Rule<Subject> = {
  name: 'm.room.create',
  type: 'm.room.create',
  rules: [
    { name: 'create event has prev_events', check: hasNoPrevEvents },
    {
      name: 'room id is of another server than the sender',
      versions: (v) => !v.createEventIsRoomId,
      check: isOfOwnServer,
    },
    { name: 'create event has a room_id', versions: (v) => v.createEventIsRoomId, check: hasNoRoomId },
    { name: 'room version is unknown', check: hasKnownVersion },
    { name: 'create event has no creator', versions: (v) => !v.creatorFromSender, check: hasCreator },
    {
      name: 'additional_creators are not user ids',
      versions: (v) => v.privilegedCreators,
      check: additionalCreatorsAreUserIds,
    },
    { name: 'any other create event', check: () => 'allow' },
  ],
};

function hasNoPrevEvents({ event }: Subject): Outcome {
  return event.prevEvents.length === 0 ? 'next' : refuse(`it has ${event.prevEvents.length}`);
}

function isOfOwnServer({ event }: Subject): Outcome {
  return serverNameOf(event.roomId) === serverNameOf(event.sender)
    ? 'next'
    : refuse(`${event.sender} can't create ${event.roomId}`);
}

function hasNoRoomId({ event }: Subject): Outcome {
  return readValue(event.pdu, 'room_id') === undefined ? 'next' : refuse('the room id is made of the event id');
}

function hasKnownVersion({ event }: Subject): Outcome {
  if (readValue(event.content, 'room_version') === undefined) return 'next';
  const version = readString(event.content, 'room_version');
  return version !== undefined && roomVersionRules(version) !== undefined ? 'next' : refuse('content.room_version');
}

function hasCreator({ event }: Subject): Outcome {
  return readValue(event.content, 'creator') === undefined ? refuse('content.creator is missing') : 'next';
}

function additionalCreatorsAreUserIds({ event }: Subject): Outcome {
  const creators = readValue(event.content, 'additional_creators');
  if (creators === undefined) return 'next';
  const areUserIds =
    isJsonArray(creators) && creators.every((id) => typeof id === 'string' && parseUserId(id) !== undefined);
  return areUserIds ? 'next' : refuse('content.additional_creators');
}
