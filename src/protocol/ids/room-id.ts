import type { EventId, RoomAlias, RoomId } from './brands.ts';
import { parseServerName } from './server-name.ts';
import { fitsBytes, ID_BYTES_MAX } from './size.ts';

/** 32 bytes in unpadded base64, either alphabet. */
const HASH = /^[A-Za-z0-9_+/-]{43}$/;

/**
 * Parses a room id: `!opaque:server`, or `!` and the hash of the create event (room version 12).
 * Spec: appendices/#room-ids
 */
export function parseRoomId(text: string): RoomId | undefined {
  if (!text.startsWith('!')) return undefined;
  return HASH.test(text.slice(1)) || hasLocalpartAndServer(text) ? (text as RoomId) : undefined;
}

/** Whether the room id is a hash without a server's name, as room version 12 made it. */
export function isHashRoomId(roomId: RoomId): boolean {
  return !roomId.includes(':');
}

/** The room id that goes with a create event of room version 12. */
export function roomIdOfCreate(createEventId: EventId): RoomId {
  return `!${createEventId.slice(1)}` as RoomId;
}

/** The id of the create event of a room of version 12; undefined for a room id with a server's name. */
export function createEventIdOf(roomId: RoomId): EventId | undefined {
  return isHashRoomId(roomId) ? (`$${roomId.slice(1)}` as EventId) : undefined;
}

/**
 * Parses a room alias.
 * Spec: appendices/#room-aliases
 */
export function parseRoomAlias(text: string): RoomAlias | undefined {
  return text.startsWith('#') && hasLocalpartAndServer(text) ? (text as RoomAlias) : undefined;
}

/**
 * Parses an event id. They are opaque: a `$`, at least one more character, no NUL, and 255 bytes at most.
 * Spec: appendices/#event-ids
 */
export function parseEventId(text: string): EventId | undefined {
  if (!text.startsWith('$') || text.length < 2 || text.includes('\0')) return undefined;
  return fitsBytes(text, ID_BYTES_MAX) && text.isWellFormed() ? (text as EventId) : undefined;
}

function hasLocalpartAndServer(text: string): boolean {
  const colon = text.indexOf(':');
  // An empty localpart (`!:server`) is no use, and the grammars leave it open.
  if (colon < 2 || text.includes('\0') || !fitsBytes(text, ID_BYTES_MAX) || !text.isWellFormed()) return false;
  return parseServerName(text.slice(colon + 1)) !== undefined;
}
