/** Matrix identifiers: branded types, their grammar, and how they are taken apart. */
export type {
  DeviceId,
  EventId,
  KeyId,
  MxcUri,
  RoomAlias,
  RoomId,
  RoomVersionId,
  ServerName,
  UserId,
} from './brands.ts';
export {
  algorithmOf,
  isMediaId,
  isNamespacedId,
  isOpaqueId,
  type MxcParts,
  makeMxcUri,
  parseDeviceId,
  parseKeyId,
  parseMxcUri,
  parseRoomVersionId,
  splitMxcUri,
} from './other-ids.ts';
export { createEventIdOf, isHashRoomId, parseEventId, parseRoomAlias, parseRoomId, roomIdOfCreate } from './room-id.ts';
export { parseServerName, type ServerNameParts, splitServerName } from './server-name.ts';
export { serverNameOf } from './server-name-of.ts';
export { fitsBytes, ID_BYTES_MAX } from './size.ts';
export {
  isCompliantUserId,
  isValidLocalpart,
  localpartOf,
  makeUserId,
  parseNewUserId,
  parseUserId,
} from './user-id.ts';
