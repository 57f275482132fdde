import type { Event } from '../../protocol/event/index.ts';
import { parseUserId } from '../../protocol/ids/index.ts';
import { readString } from '../../protocol/json/index.ts';
import type { Membership, MembershipRow } from '../store/index.ts';

const MEMBERSHIPS: ReadonlySet<string> = new Set(['join', 'invite', 'knock', 'leave', 'ban'] satisfies Membership[]);

/** The membership that a stored event makes; undefined where it makes none. */
export function memberRowOf(
  event: Event,
  { roomNid, nid }: { readonly roomNid: number; readonly nid: number },
): Omit<MembershipRow, 'position'> | undefined {
  const userId = event.type === 'm.room.member' ? parseUserId(event.stateKey ?? '') : undefined;
  const membership = readString(event.content, 'membership');
  if (userId === undefined || !isMembership(membership)) return undefined;
  return {
    user_id: userId,
    room_nid: roomNid,
    membership,
    event_nid: nid,
    sender: event.sender,
    forgotten: 0,
    display_name: readString(event.content, 'displayname') ?? null,
    avatar_url: readString(event.content, 'avatar_url') ?? null,
  };
}

function isMembership(text: string | undefined): text is Membership {
  return text !== undefined && MEMBERSHIPS.has(text);
}
