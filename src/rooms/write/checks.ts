/** Checks of contents that clients send, beyond the authorization rules. */
import { badJson, MatrixError } from '../../protocol/errors.ts';
import { parseUserId, type UserId } from '../../protocol/ids/index.ts';
import {
  canonicalJsonLenient,
  type JsonObject,
  type JsonValue,
  NotCanonicalError,
  readObject,
} from '../../protocol/json/index.ts';
import type { HotRoom } from './hot-room.ts';

const LEVELS = ['users_default', 'events_default', 'state_default', 'ban', 'redact', 'kick', 'invite'] as const;
const LEVEL_MAPS = ['users', 'events', 'notifications'] as const;

/**
 * Refuses power levels that would lock everybody out or break clients: levels must be integers in every room version, users valid.
 * Spec: client-server-api/#mroompower_levels
 * @throws MatrixError M_BAD_JSON
 */
export function checkPowerLevels(content: JsonObject): void {
  for (const key of LEVELS) {
    const value = content[key];
    if (value !== undefined && !Number.isSafeInteger(value)) throw badJson(`${key} must be an integer`);
  }
  for (const key of LEVEL_MAPS) {
    if (content[key] === undefined) continue;
    const map = readObject(content, key);
    if (map === undefined) throw badJson(`${key} must be an object`);
    for (const [name, value] of Object.entries(map)) {
      if (!Number.isSafeInteger(value)) throw badJson(`${key}: the level of ${name} must be an integer`);
      if (key === 'users' && parseUserId(name) === undefined) throw badJson(`users: ${name} is not a user id`);
    }
  }
}

/**
 * Whether two contents say the same.
 * @throws MatrixError M_BAD_JSON where one has no canonical JSON: it can't become an event
 */
export function isSameContent(a: JsonValue, b: JsonValue): boolean {
  try {
    return canonicalJsonLenient(a) === canonicalJsonLenient(b);
  } catch (error) {
    if (error instanceof NotCanonicalError) throw badJson(error.message);
    throw error;
  }
}

/** @throws MatrixError 403 where the user isn't joined */
export function assertJoined(room: HotRoom, userId: UserId): void {
  if (!room.isJoined(userId)) throw new MatrixError('M_FORBIDDEN', 'You are not in this room');
}

/** 403 `M_USER_SUSPENDED`. Spec: client-server-api/#account-suspension */
export function suspended(): MatrixError {
  return new MatrixError('M_USER_SUSPENDED', 'You cannot perform this action while suspended.');
}
