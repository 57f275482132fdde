/** Writing into rooms. For src/rooms/rooms.ts. */
export { Aliases, type DirectoryRequester, type ResolvedAlias } from './aliases.ts';
export { type CreateRoomOptions, type InitialState, RoomCreation } from './create-room.ts';
export type { AccountSource, GuestSource, InvitePolicy, MemberProfile, PersonalRoomSettings } from './deps.ts';
export { HotRooms } from './hot-rooms.ts';
export { MembershipLimits, type MembershipRates } from './membership-limits.ts';
export type { MembershipRequest, OwnMembershipRequest } from './membership-requests.ts';
export { Memberships } from './memberships.ts';
export {
  Messages,
  type RedactRequest,
  type SendRequest,
  type SetStateRequest,
  type TransactionOf,
} from './messages.ts';
export { NoticeRooms } from './notice-rooms.ts';
export { Reviews } from './reviews.ts';
export { RoomBatches, type TypingEnd } from './room-batches.ts';
export type { RoomPreset } from './room-presets.ts';
export { RoomWriter } from './room-writer.ts';
export { NOBODY, type ShadowBanSource, Shadows } from './shadows.ts';
export {
  type KeyCheck,
  parseSignedThirdParty,
  type Redemption,
  type SignedThirdParty,
  type SignerKey,
  ThirdPartyInvites,
} from './third-party-invites.ts';
export { Transactions } from './transactions.ts';
export { DEFAULT_RULES_ONLY, type OwnPushRules, type PushRuleSource } from './unread.ts';
export { RoomUpgrades, type UpgradeRequest } from './upgrade-room.ts';
