import { type JsonObject, readObject, readString } from '../json/index.ts';
import type { RoomVersionRules } from '../room-versions/index.ts';

/** What the selection looks at; an `Event` fits, and so does the draft of one. */
export interface AuthEventsDraft {
  readonly type: string;
  readonly sender: string;
  readonly stateKey?: string | undefined;
  readonly content: JsonObject;
}

/** Memberships that are judged by the room's join rule. */
const ENTERING: ReadonlySet<string | undefined> = new Set(['join', 'invite', 'knock']);

/**
 * The state that an event must list in `auth_events`, where the room has it, as pairs of type and state key without
 * duplicates. Room version 12 implies the create event by the room id and doesn't list it.
 * Spec: server-server-api/#auth-events-selection
 */
export function selectAuthEvents(
  draft: AuthEventsDraft,
  rules: RoomVersionRules,
): readonly (readonly [type: string, stateKey: string])[] {
  const { type, sender, stateKey, content } = draft;
  if (type === 'm.room.create') return [];
  const selected: [string, string][] = [];
  if (!rules.createEventIsRoomId) selected.push(['m.room.create', '']);
  selected.push(['m.room.power_levels', ''], ['m.room.member', sender]);
  if (type !== 'm.room.member' || stateKey === undefined) return selected;

  if (stateKey !== sender) selected.push(['m.room.member', stateKey]);
  const membership = readString(content, 'membership');
  if (ENTERING.has(membership)) selected.push(['m.room.join_rules', '']);
  if (membership === 'invite') {
    const invite = readObject(content, 'third_party_invite');
    const signed = invite && readObject(invite, 'signed');
    const token = signed && readString(signed, 'token');
    if (token !== undefined) selected.push(['m.room.third_party_invite', token]);
  }
  if (membership === 'join' && rules.restricted) {
    const authoriser = readString(content, 'join_authorised_via_users_server');
    if (authoriser !== undefined && authoriser !== sender && authoriser !== stateKey) {
      selected.push(['m.room.member', authoriser]);
    }
  }
  return selected;
}
