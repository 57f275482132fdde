/** Rooms: the face of the domain. */
export {
  type Counts,
  listReceiptsSent,
  Receipts,
  type ReceiptType,
  receiptsStream,
  sumOf,
  Typing,
  UnreadCounts,
  type UnreadRequest,
  type UnreadRoom,
} from './ephemeral/index.ts';
export { MEMBERS, type MembershipNews, STICKY, type StreamNews } from './news.ts';
export {
  makeReading,
  type Reading,
  type RemotePreviews,
  type RoomPreview,
  RoomReads,
  RoomSight,
  type RoomSummary,
  type SpaceChild,
  type SpaceRoom,
  Summaries,
  standingOf,
  type Viewer,
} from './read/index.ts';
export { FederatedRooms, type RoomFederation, type ServedState } from './receive/index.ts';
export { Rooms } from './rooms.ts';
export type { RoomsDeps } from './rooms-deps.ts';
export type { RoomSnapshot, StateReference, StateView } from './snapshot.ts';
export {
  EventReader,
  eventsStream,
  listMembersBy,
  listRooms,
  listRoomsOfUser,
  listSticky,
  type Membership,
  type RoomDigest,
  type RoomMembershipRow,
  type RoomRange,
  roomsMigrations,
  type StateKeyName,
  type StickyPlace,
  StoredEvent,
  UNREAD,
  type Unread,
} from './store/index.ts';
export type { MemberPosition } from './store/shared-rooms.ts';
export { SyncSource, type SyncSourceDeps } from './sync-source.ts';
export type {
  AccountSource,
  CreateRoomOptions,
  GuestSource,
  InvitePolicy,
  KeyCheck,
  OwnPushRules,
  PersonalRoomSettings,
  PushRuleSource,
  RoomPreset,
  ShadowBanSource,
  SignerKey,
} from './write/index.ts';
export { parseSignedThirdParty } from './write/index.ts';
