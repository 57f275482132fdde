/** The rooms' storage: rows of rooms, events, memberships; the state tree is in state-tree.ts. For src/rooms only. */
export { EventReader, type RoomRange } from './event-reader.ts';
export {
  DUMMY_EVENT,
  deleteExtremity,
  deleteTransactionsBefore,
  type ExtremityRow,
  eventIdsOf,
  findThreadRoot,
  findTransaction,
  hasAnnotation,
  insertEvent,
  insertExtremity,
  insertNotification,
  insertRedaction,
  insertRelation,
  insertRelationOf,
  insertTransaction,
  lastPositionIn,
  listExtremities,
  moveExtremity,
  redactEventRow,
  redactMembership,
} from './event-rows.ts';
export {
  deleteMembership,
  findMembership,
  forgetMembership,
  hasJoinedUserOf,
  isForgottenAt,
  listFirstMembers,
  listMemberEventNids,
  listMembers,
  listMembersBy,
  listMembershipsIn,
  listRoomsOfUser,
  type MembershipRow,
  putMembership,
  type RoomMembershipRow,
} from './membership-rows.ts';
export { roomsMigrations } from './migrations.ts';
export {
  completePartialRoom,
  deletePartialRoom,
  listPartialRooms,
  type PartialRoomRow,
  putPartialRoom,
} from './partial-rows.ts';
export { AGGREGATED_TYPES, PlainEvents } from './plain-events.ts';
export {
  type ChildRange,
  listChildKinds,
  listChildren,
  listLatestEdits,
  listReferences,
  listRelatedBy,
  listRelating,
} from './relation-rows.ts';
export {
  type AliasRow,
  advanceRoom,
  advanceRoomState,
  countAliases,
  deleteAlias,
  eventsStream,
  findAlias,
  findRoom,
  insertAlias,
  insertRoom,
  listAliases,
  listRooms,
  moveAliases,
  type RoomDigest,
  type RoomRow,
  setRoomPublic,
} from './room-rows.ts';
export { type StateKeyName, StateKeys } from './state-keys.ts';
export {
  deleteExpiredSticky,
  listRoomsWithSoftFailedSticky,
  listSoftFailedSticky,
  listSticky,
  listStickyUntil,
  putSticky,
  type StickyPlace,
  type StickyRange,
} from './sticky-rows.ts';
export { DELAYED_DEVICE, StoredEvent, storedEventOf } from './stored-event.ts';
export { inStretch, type Stretch } from './stretch.ts';
export { type Membership, UNREAD, type Unread } from './tables.ts';
export { listThreadBackwards, listThreaded, listThreads } from './thread-rows.ts';
