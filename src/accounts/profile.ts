/** What a profile is made of, and its limits. Spec: client-server-api/#profiles */
import { badJson, invalidParam, MatrixError } from '../protocol/errors.ts';
import { fitsBytes, isNamespacedId, parseMxcUri, type UserId } from '../protocol/ids/index.ts';
import type { JsonObject, JsonValue } from '../protocol/json/index.ts';
import type { ProfileRow } from './store/profiles.ts';

/** A user's profile. */
export interface Profile {
  readonly displayname: string | undefined;
  readonly avatarUrl: string | undefined;
  /** All other fields. */
  readonly fields: JsonObject;
}

export const EMPTY_PROFILE: Profile = { displayname: undefined, avatarUrl: undefined, fields: {} };

/** A profile as JSON must stay below this. */
const PROFILE_BYTES_MAX = 64 * 1024;
const KEY_BYTES_MAX = 255;
/** Display name and avatar stand in each of the user's membership events, so they have tighter limits. */
const DISPLAYNAME_CHARACTERS_MAX = 256;
const AVATAR_URL_BYTES_MAX = 1000;

/** Throws `M_KEY_TOO_LARGE` or `M_INVALID_PARAM` where no profile can have a field of this name. */
export function checkProfileKey(key: string): void {
  if (!fitsBytes(key, KEY_BYTES_MAX)) {
    throw new MatrixError('M_KEY_TOO_LARGE', `The name of a profile field may have at most ${KEY_BYTES_MAX} bytes`);
  }
  if (key === 'displayname' || key === 'avatar_url') return;
  if (!isNamespacedId(key)) throw invalidParam('The name of a profile field must be a namespaced identifier');
}

/** The profile with a field set; an empty display name or avatar removes it. Throws where the value or the whole is not allowed. */
export function withField(profile: Profile, key: string, value: JsonValue): Profile {
  const next = withValue(profile, key, value);
  if (Buffer.byteLength(JSON.stringify(toJson(next))) >= PROFILE_BYTES_MAX) {
    throw new MatrixError('M_PROFILE_TOO_LARGE', `A profile must be smaller than ${PROFILE_BYTES_MAX} bytes`);
  }
  return next;
}

/** The profile without a field. */
export function withoutField(profile: Profile, key: string): Profile {
  if (key === 'displayname') return { ...profile, displayname: undefined };
  if (key === 'avatar_url') return { ...profile, avatarUrl: undefined };
  return { ...profile, fields: Object.fromEntries(Object.entries(profile.fields).filter(([name]) => name !== key)) };
}

/** The value of a field, or undefined. */
export function fieldOf(profile: Profile, key: string): JsonValue | undefined {
  if (key === 'displayname') return profile.displayname;
  if (key === 'avatar_url') return profile.avatarUrl;
  return Object.hasOwn(profile.fields, key) ? profile.fields[key] : undefined;
}

/** The profile as clients and servers get it. */
export function toJson({ displayname, avatarUrl, fields }: Profile): JsonObject {
  return {
    ...fields,
    ...(displayname === undefined ? {} : { displayname }),
    ...(avatarUrl === undefined ? {} : { avatar_url: avatarUrl }),
  };
}

/** A profile from its row. */
export function fromRow(row: ProfileRow | undefined): Profile | undefined {
  if (row === undefined) return undefined;
  const fields: JsonObject = JSON.parse(row.fields);
  return { displayname: row.displayname ?? undefined, avatarUrl: row.avatar_url ?? undefined, fields };
}

/** The row of a profile. */
export function toRow(userId: UserId, { displayname, avatarUrl, fields }: Profile, position: number): ProfileRow {
  return {
    user_id: userId,
    displayname: displayname ?? null,
    avatar_url: avatarUrl ?? null,
    fields: JSON.stringify(fields),
    position,
  };
}

function withValue(profile: Profile, key: string, value: JsonValue): Profile {
  if (key === 'displayname') return { ...profile, displayname: checkDisplayname(value) };
  if (key === 'avatar_url') return { ...profile, avatarUrl: checkAvatarUrl(value) };
  if (key === 'm.tz' && typeof value !== 'string') throw badJson('m.tz must be a string');
  return { ...profile, fields: { ...profile.fields, [key]: value } };
}

function checkDisplayname(value: JsonValue): string | undefined {
  if (typeof value !== 'string') throw badJson('displayname must be a string');
  if (!value.isWellFormed()) throw badJson('displayname is not well-formed');
  if (value.length > DISPLAYNAME_CHARACTERS_MAX) {
    throw invalidParam(`A display name may have at most ${DISPLAYNAME_CHARACTERS_MAX} characters`);
  }
  return value === '' ? undefined : value;
}

function checkAvatarUrl(value: JsonValue): string | undefined {
  if (typeof value !== 'string') throw badJson('avatar_url must be a string');
  if (value === '') return undefined;
  if (parseMxcUri(value) === undefined) throw invalidParam('avatar_url must be an mxc URI');
  if (!fitsBytes(value, AVATAR_URL_BYTES_MAX)) {
    throw invalidParam(`avatar_url may have at most ${AVATAR_URL_BYTES_MAX} bytes`);
  }
  return value;
}
