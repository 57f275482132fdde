import { type Event, redactEvent, relationOf } from '../../protocol/event/index.ts';
import { parseUserId } from '../../protocol/ids/index.ts';
import { readString } from '../../protocol/json/index.ts';
import type { Membership, StoredEvent } from '../store/index.ts';
import { digestAfter } from './digest.ts';
import type { HotRoom, RoomFigures, StateEntry } from './hot-room.ts';
import type { AppliedRedaction, Consequences, MemberChange } from './pending.ts';

const MEMBERSHIPS: ReadonlySet<string> = new Set(['join', 'invite', 'knock', 'leave', 'ban'] satisfies Membership[]);

/** What an event changes in a room, if it is put there. `redacts`: the event that it redacts, if it may. */
export function consequencesOf(room: HotRoom, event: Event, redacts: StoredEvent | undefined): Consequences {
  return {
    entry: stateEntryOf(event),
    member: memberChangeOf(event),
    relation: relationOf(event),
    redaction: redacts === undefined ? undefined : redactionOf(room, redacts),
  };
}

/** The figures of a room after an event with these consequences. */
export function figuresAfter(room: HotRoom, event: Event, { member, redaction, entry }: Consequences): RoomFigures {
  const { figures } = room;
  if (entry === undefined && redaction?.entry === undefined) return figures;
  let { digest, joinedCount, invitedCount } = figures;
  if (entry !== undefined) digest = digestAfter(digest, event);
  if (redaction?.entry !== undefined) digest = digestAfter(digest, redaction.redacted);
  if (member !== undefined) {
    const before = room.membership(member.userId);
    joinedCount += Number(member.membership === 'join') - Number(before === 'join');
    invitedCount += Number(member.membership === 'invite') - Number(before === 'invite');
  }
  return { digest, joinedCount, invitedCount };
}

function stateEntryOf(event: Event): StateEntry | undefined {
  const { stateKey } = event;
  return stateKey === undefined ? undefined : { type: event.type, stateKey, eventId: event.eventId, nid: 0, event };
}

function memberChangeOf(event: Event): MemberChange | undefined {
  if (event.type !== 'm.room.member' || event.stateKey === undefined) return undefined;
  const userId = parseUserId(event.stateKey);
  const membership = readString(event.content, 'membership');
  if (userId === undefined || !isMembership(membership)) return undefined;
  return {
    userId,
    membership,
    displayName: readString(event.content, 'displayname') ?? null,
    avatarUrl: readString(event.content, 'avatar_url') ?? null,
    entry: { membership },
  };
}

function isMembership(text: string | undefined): text is Membership {
  return text !== undefined && MEMBERSHIPS.has(text);
}

function redactionOf(room: HotRoom, target: StoredEvent): AppliedRedaction {
  const redacted = redactEvent(target.event);
  const { stateKey } = redacted;
  const current = stateKey === undefined ? undefined : room.entry(redacted.type, stateKey);
  const isCurrent = current !== undefined && current.eventId === redacted.eventId;
  return { target, redacted, entry: isCurrent ? { ...current, event: redacted } : undefined };
}
