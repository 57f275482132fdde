import type { Clock } from '../../clock.ts';
import type { RoomId, ServerName, UserId } from '../../protocol/ids/index.ts';
import type { Database } from '../../storage/types.ts';
import type { Hub } from '../../streams/index.ts';
import type { PartialRooms } from '../partial-rooms.ts';
import type { FederatedRooms } from '../receive/index.ts';
import type { EventReader } from '../store/index.ts';
import type { HotRooms } from './hot-rooms.ts';
import type { MembershipLimits } from './membership-limits.ts';
import type { NoticeRooms } from './notice-rooms.ts';
import type { RoomWriter } from './room-writer.ts';
import type { Shadows } from './shadows.ts';
import type { Transactions } from './transactions.ts';

/** What the rooms ask of accounts. */
export interface AccountSource {
  /** The profile of one of our users; undefined where there is none. */
  getProfile(userId: UserId): Promise<MemberProfile | undefined>;
}

/** What of a profile stands in member events. */
export interface MemberProfile {
  readonly displayname: string | undefined;
  readonly avatarUrl: string | undefined;
}

/** Which of our users are guests. */
export interface GuestSource {
  /** Those of the given local users who are guests. */
  guestsAmong(userIds: readonly UserId[]): Promise<readonly UserId[]>;
}

/** Whether a user wants no invites. Spec: client-server-api/#invite-permission */
export interface InvitePolicy {
  blocksInvites(invitee: UserId, inviter: UserId): Promise<boolean>;
}

/** Copies what a user keeps about a room (tags, notification settings, `m.direct`) to the room that replaces it. */
export interface PersonalRoomSettings {
  copy(userId: UserId, from: RoomId, to: RoomId): Promise<void>;
}

/** What the commands on rooms share. */
export interface WriteDeps {
  readonly database: Database;
  readonly writer: RoomWriter;
  readonly hotRooms: HotRooms;
  readonly hub: Hub;
  readonly reader: EventReader;
  readonly transactions: Transactions;
  readonly clock: Clock;
  readonly serverName: ServerName;
  readonly accounts: AccountSource;
  readonly guests: GuestSource;
  readonly invitePolicy: InvitePolicy;
  readonly shadows: Shadows;
  readonly limits: MembershipLimits;
  readonly notices: NoticeRooms;
  readonly personalSettings: PersonalRoomSettings;
  /** Undefined where this server doesn't federate. */
  readonly federated: FederatedRooms | undefined;
  readonly partial: PartialRooms;
}
