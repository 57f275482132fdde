/**
 * The keys that devices upload: checks of their form and of the signatures that are ours to check.
 * Spec: client-server-api/#post_matrixclientv3keysupload
 */
import { verifyJson } from '../protocol/crypto/index.ts';
import { badJson, invalidParam, MatrixError } from '../protocol/errors.ts';
import { parseKeyId, type UserId } from '../protocol/ids/index.ts';
import {
  canonicalJsonLenient,
  isJsonObject,
  type JsonObject,
  NotCanonicalError,
  readObject,
  readString,
  readStrings,
} from '../protocol/json/index.ts';

/** A cross-signing key with the signatures that everyone may see. */
export interface PublishedKey {
  readonly publicKey: string;
  readonly json: string;
}

/** A one-time or fallback key of an upload. */
export interface UploadedKey {
  readonly algorithm: string;
  readonly keyId: string;
  /** Canonical JSON: a string or an object. */
  readonly json: string;
}

/** Keys in one upload; clients send at most 100 at a time. */
const KEYS_MAX = 1000;

/** `<algorithm>:<id>` -> key, as in `one_time_keys` and `fallback_keys`. Algorithms that we don't know are kept as they are. */
export function parseKeys(keys: JsonObject, name: string): readonly UploadedKey[] {
  const entries = Object.entries(keys);
  if (entries.length > KEYS_MAX) throw invalidParam(`${name} may have at most ${KEYS_MAX} keys`);
  return entries.map(([text, value]) => {
    const colon = text.indexOf(':');
    if (parseKeyId(text) === undefined) throw badJson(`${name} has a key that is not <algorithm>:<key id>`);
    if (typeof value !== 'string' && !isKeyObject(value)) {
      throw badJson(`${name}: a key is a string, or an object with key and signatures`);
    }
    return { algorithm: text.slice(0, colon), keyId: text.slice(colon + 1), json: encode(value, name) };
  });
}

function isKeyObject(value: unknown): value is JsonObject {
  return isJsonObject(value) && readString(value, 'key') !== undefined && readObject(value, 'signatures') !== undefined;
}

/** The identity keys of a device, with no signatures but its owner's. Throws where they are malformed or of another device. */
export function parseDeviceKeys(keys: JsonObject, userId: UserId, deviceId: string): JsonObject {
  if (readString(keys, 'user_id') !== userId) throw invalidParam('device_keys.user_id is not the user of this session');
  if (readString(keys, 'device_id') !== deviceId) {
    throw invalidParam('device_keys.device_id is not the device of this session');
  }
  if (readStrings(keys, 'algorithms') === undefined) throw badJson('device_keys.algorithms must be a list of strings');
  const named = readObject(keys, 'keys');
  if (named === undefined || !Object.values(named).every((key) => typeof key === 'string')) {
    throw badJson('device_keys.keys must be an object of strings');
  }
  if (readString(named, `ed25519:${deviceId}`) === undefined) {
    throw invalidParam('device_keys.keys must have the Ed25519 key of the device');
  }
  const signatures = readObject(keys, 'signatures');
  if (signatures === undefined) throw badJson('device_keys.signatures must be an object');
  const { unsigned: _unsigned, ...rest } = keys;
  return { ...rest, signatures: ownSignatures(signatures, userId) };
}

/** A cross-signing key as another server gives it; undefined where it names no key, or several. */
export function publishedKey(object: JsonObject): PublishedKey | undefined {
  const [publicKey, ...others] = Object.values(readObject(object, 'keys') ?? {});
  if (typeof publicKey !== 'string' || others.length > 0) return undefined;
  return { publicKey, json: JSON.stringify(object) };
}

/** Throws `M_INVALID_SIGNATURE` unless a device signed its identity keys itself. */
export function assertSelfSigned(keys: JsonObject, userId: UserId, deviceId: string): void {
  const keyId = parseKeyId(`ed25519:${deviceId}`);
  const publicKey = readString(readObject(keys, 'keys') ?? {}, `ed25519:${deviceId}`);
  if (keyId === undefined || publicKey === undefined || !verifyJson(keys, userId, keyId, publicKey)) {
    throw invalidSignature('device_keys is not signed by the Ed25519 key in it');
  }
}

/** Whether two uploads hold the same identity: each key that both name has the same value. */
export function isSameIdentity(before: JsonObject, after: JsonObject): boolean {
  const keysAfter = readObject(after, 'keys') ?? {};
  return Object.entries(readObject(before, 'keys') ?? {}).every(([name, key]) => keysAfter[name] === key);
}

/** Of a `signatures` object: what its owner signed. Others' signatures are uploaded where they can be checked. */
export function ownSignatures(signatures: JsonObject, userId: UserId): JsonObject {
  const own = readObject(signatures, userId);
  return own === undefined ? {} : { [userId]: own };
}

/** An object's canonical JSON without its signatures. */
export function unsignedText(keys: JsonObject): string {
  const { signatures: _signatures, unsigned: _unsigned, ...rest } = keys;
  return encode(rest, 'keys');
}

/** Canonical JSON; throws `M_BAD_JSON` where there is none. */
export function encode(value: string | JsonObject, name: string): string {
  try {
    return canonicalJsonLenient(value);
  } catch (error) {
    if (error instanceof NotCanonicalError) throw badJson(`${name} has a value that has no canonical JSON`);
    throw error;
  }
}

/** Parses JSON that we wrote ourselves. */
export function storedObject(json: string): JsonObject {
  const value: unknown = JSON.parse(json);
  if (!isJsonObject(value)) throw new Error('a stored JSON object is none');
  return value;
}

/** 400 `M_INVALID_SIGNATURE`. */
export const invalidSignature = (message: string): MatrixError => new MatrixError('M_INVALID_SIGNATURE', message);
