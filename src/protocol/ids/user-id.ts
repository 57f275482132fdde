import type { ServerName, UserId } from './brands.ts';
import { parseServerName } from './server-name.ts';
import { fitsBytes, ID_BYTES_MAX } from './size.ts';

const LOCALPART = /^[a-z0-9._=/+-]+$/;
const PRINTABLE = /^[\x21-\x7e]+$/;

/**
 * Parses a user id, historical ones included: their localpart may be empty and hold any code point but `:` and NUL.
 * Spec: appendices/#historical-user-ids
 */
export function parseUserId(text: string): UserId | undefined {
  if (!text.startsWith('@')) return undefined;
  const colon = text.indexOf(':');
  if (colon === -1 || text.includes('\0') || !fitsBytes(text, ID_BYTES_MAX) || !text.isWellFormed()) return undefined;
  return parseServerName(text.slice(colon + 1)) === undefined ? undefined : (text as UserId);
}

/**
 * Parses a user id by today's grammar, which is what new accounts get.
 * Spec: appendices/#user-identifiers
 */
export function parseNewUserId(text: string): UserId | undefined {
  const userId = parseUserId(text);
  return userId !== undefined && isValidLocalpart(localpartOf(userId)) ? userId : undefined;
}

/**
 * Whether the localpart may be given to a new account: `a-z 0-9 . _ = - / +`, not empty. Its length is checked with the
 * whole id.
 * Spec: appendices/#user-identifiers
 */
export function isValidLocalpart(localpart: string): boolean {
  return LOCALPART.test(localpart);
}

/**
 * Whether the id is one that may be shown to clients outside an event: its localpart is printable ASCII and not empty.
 * Spec: appendices/#historical-user-ids
 */
export function isCompliantUserId(userId: UserId): boolean {
  return PRINTABLE.test(localpartOf(userId));
}

/** The user id of `localpart` at `serverName`, or undefined where the localpart isn't valid for a new account. */
export function makeUserId(localpart: string, serverName: ServerName): UserId | undefined {
  return parseNewUserId(`@${localpart}:${serverName}`);
}

/** What stands between the sigil and the first colon. */
export function localpartOf(userId: UserId): string {
  return userId.slice(1, userId.indexOf(':'));
}
