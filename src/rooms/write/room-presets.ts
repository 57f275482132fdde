/** What the presets of createRoom put into a room. Spec: client-server-api/#post_matrixclientv3createroom */
import type { UserId } from '../../protocol/ids/index.ts';
import type { JsonObject, JsonValue } from '../../protocol/json/index.ts';
import type { RoomVersionRules } from '../../protocol/room-versions/index.ts';

export type RoomPreset = 'private_chat' | 'trusted_private_chat' | 'public_chat';

export interface PresetRules {
  readonly joinRule: 'invite' | 'public';
  readonly historyVisibility: 'shared';
  readonly guestAccess: 'can_join' | 'forbidden';
  /** Invitees get the power of the creator. */
  readonly trustsInvitees: boolean;
  /** The level that inviting takes. */
  readonly inviteLevel: number;
}

export const PRESETS: Readonly<Record<RoomPreset, PresetRules>> = {
  private_chat: {
    joinRule: 'invite',
    historyVisibility: 'shared',
    guestAccess: 'can_join',
    trustsInvitees: false,
    inviteLevel: 0,
  },
  trusted_private_chat: {
    joinRule: 'invite',
    historyVisibility: 'shared',
    guestAccess: 'can_join',
    trustsInvitees: true,
    inviteLevel: 0,
  },
  public_chat: {
    joinRule: 'public',
    historyVisibility: 'shared',
    guestAccess: 'forbidden',
    trustsInvitees: false,
    inviteLevel: 50,
  },
};

/** In rooms of version 12, replacing the room takes more than any level that is given by default. */
export const TOMBSTONE_LEVEL_V12 = 150;

/** The default power levels of a new room. `trusted`: users who get the creator's power, besides the creator. */
export function defaultPowerLevels(
  rules: RoomVersionRules,
  creator: UserId,
  trusted: readonly UserId[],
  inviteLevel: number,
): JsonObject {
  const users: Record<string, JsonValue> = {};
  // Creators of a room of version 12 must not be listed: their power has no number.
  if (!rules.privilegedCreators) for (const userId of [creator, ...trusted]) users[userId] = 100;
  return {
    users,
    users_default: 0,
    events: {
      'm.room.name': 50,
      'm.room.avatar': 50,
      'm.room.canonical_alias': 50,
      'm.room.power_levels': 100,
      'm.room.history_visibility': 100,
      'm.room.encryption': 100,
      'm.room.server_acl': 100,
      'm.room.tombstone': rules.privilegedCreators ? TOMBSTONE_LEVEL_V12 : 100,
    },
    events_default: 0,
    state_default: 50,
    ban: 50,
    kick: 50,
    redact: 50,
    invite: inviteLevel,
  };
}
