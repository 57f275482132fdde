import type { DeviceId, KeyId, MxcUri, RoomVersionId, ServerName } from './brands.ts';
import { parseServerName } from './server-name.ts';
import { fitsBytes, ID_BYTES_MAX } from './size.ts';

const OPAQUE_ID = /^[0-9A-Za-z._~-]{1,255}$/;
const ROOM_VERSION = /^[a-z0-9.-]{1,32}$/;
const KEY_ID = /^[a-z0-9_]+:[^\0]+$/;
const MEDIA_ID = /^[A-Za-z0-9_-]{1,255}$/;
const NAMESPACED_ID = /^[a-z][a-z0-9._-]{0,254}$/;

/** Parses a device id: 1 to 255 bytes, no NUL. The specification leaves its grammar open; clients may choose their own. */
export function parseDeviceId(text: string): DeviceId | undefined {
  if (text === '' || text.includes('\0') || !fitsBytes(text, ID_BYTES_MAX) || !text.isWellFormed()) return undefined;
  return text as DeviceId;
}

/** Parses a key id, `algorithm:name`. Spec: appendices/#signing-details, appendices/#cryptographic-key-representation */
export function parseKeyId(text: string): KeyId | undefined {
  return fitsBytes(text, ID_BYTES_MAX) && KEY_ID.test(text) && text.isWellFormed() ? (text as KeyId) : undefined;
}

/** The algorithm of a key id, before its first colon. */
export function algorithmOf(keyId: KeyId): string {
  return keyId.slice(0, keyId.indexOf(':'));
}

/** Parses the form of a room version. Spec: rooms/#room-version-grammar */
export function parseRoomVersionId(text: string): RoomVersionId | undefined {
  return ROOM_VERSION.test(text) ? (text as RoomVersionId) : undefined;
}

/** Whether `text` is an opaque identifier. Spec: appendices/#opaque-identifiers */
export function isOpaqueId(text: string): boolean {
  return OPAQUE_ID.test(text);
}

/** Whether `text` follows the common namespaced identifier grammar. Spec: appendices/#common-namespaced-identifier-grammar */
export function isNamespacedId(text: string): boolean {
  return NAMESPACED_ID.test(text);
}

/** What an `mxc:` URI names. */
export interface MxcParts {
  readonly serverName: ServerName;
  readonly mediaId: string;
}

/** Parses `mxc://server/media-id`. Spec: client-server-api/#matrix-content-mxc-uris */
export function parseMxcUri(text: string): MxcUri | undefined {
  return splitMxcUri(text) === undefined ? undefined : (text as MxcUri);
}

/** The parts of an `mxc:` URI, or undefined where it breaks the grammar. Spec: client-server-api/#matrix-content-mxc-uris */
export function splitMxcUri(text: string): MxcParts | undefined {
  if (!text.startsWith('mxc://')) return undefined;
  const slash = text.indexOf('/', 6);
  if (slash === -1) return undefined;
  const serverName = parseServerName(text.slice(6, slash));
  const mediaId = text.slice(slash + 1);
  return serverName !== undefined && isMediaId(mediaId) ? { serverName, mediaId } : undefined;
}

/** Whether `text` is a media id: `A-Z a-z 0-9 _ -`. Spec: client-server-api/#security-considerations-5 */
export function isMediaId(text: string): boolean {
  return MEDIA_ID.test(text);
}

/** The `mxc:` URI of a media file, or undefined where the media id breaks the grammar. */
export function makeMxcUri(serverName: ServerName, mediaId: string): MxcUri | undefined {
  return parseMxcUri(`mxc://${serverName}/${mediaId}`);
}
