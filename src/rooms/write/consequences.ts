import { type Event, redactEvent, relationOf } from '../../protocol/event/index.ts';
import { parseUserId, type UserId } from '../../protocol/ids/index.ts';
import { readString } from '../../protocol/json/index.ts';
import { splitStateKey } from '../../protocol/state/index.ts';
import type { Membership, StoredEvent } from '../store/index.ts';
import { digestAfter, digestWithout } from './digest.ts';
import type { HotRoom, RoomFigures, StateEntry } from './hot-room.ts';
import type { AppliedRedaction, Consequences, MemberChange, TurnedEntry, TurnedState } from './pending.ts';

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

/** As `consequencesOf`, where the resolution of a fork decides what becomes current. */
export function consequencesAt(
  room: HotRoom,
  event: Event,
  redacts: StoredEvent | undefined,
  turned: TurnedState | undefined,
): Consequences {
  const all = consequencesOf(room, event, redacts);
  return turned === undefined || turned.keepsOwn ? all : { ...all, entry: undefined, member: undefined };
}

/** What makes a state event of another branch current. */
export function turnedEntryOf(event: Event, nid: number): TurnedEntry {
  const { type, stateKey = '', eventId } = event;
  return { entry: { type, stateKey, eventId, nid, event }, member: memberChangeOf(event) };
}

/** The figures of a room after an event with these consequences, and what the resolution of a fork has turned. */
export function figuresAfter(
  room: HotRoom,
  event: Event,
  { member, redaction, entry }: Consequences,
  turned?: TurnedState,
): RoomFigures {
  const { figures } = room;
  if (entry === undefined && redaction?.entry === undefined && turned === undefined) return figures;
  let { digest, joinedCount, invitedCount } = figures;
  const count = (userId: UserId, now: Membership | undefined) => {
    const before = room.membership(userId);
    joinedCount += Number(now === 'join') - Number(before === 'join');
    invitedCount += Number(now === 'invite') - Number(before === 'invite');
  };
  for (const key of turned?.removed ?? []) digest = digestWithout(digest, ...splitStateKey(key));
  for (const userId of turned?.forgottenMembers ?? []) count(userId, undefined);
  for (const one of turned?.entries ?? []) {
    digest = digestAfter(digest, one.entry.event);
    if (one.member !== undefined) count(one.member.userId, one.member.membership);
  }
  if (entry !== undefined) digest = digestAfter(digest, event);
  if (redaction?.entry !== undefined) digest = digestAfter(digest, redaction.redacted);
  if (member !== undefined) count(member.userId, member.membership);
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
