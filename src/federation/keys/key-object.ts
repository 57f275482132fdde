import { verifyJson } from '../../protocol/crypto/index.ts';
import { type KeyId, parseKeyId, type ServerName } from '../../protocol/ids/index.ts';
import { isJsonObject, type JsonObject, readInteger, readObject, readString } from '../../protocol/json/index.ts';

/** A public key of a server and up to when it counts. */
export interface ServerKey {
  readonly keyId: KeyId;
  /** Unpadded base64. */
  readonly publicKey: string;
  /** What it signed up to this time (milliseconds since the epoch) is valid. */
  readonly validUntilTs: number;
  /** It no longer signs: good for events, not for requests. */
  readonly isOld: boolean;
}

/** However long a server says that its keys are valid: they are asked for again within a week. */
const VALID_MS_MAX = 7 * 24 * 3_600_000;
const KEYS_MAX = 100;

/**
 * Reads a server's key object; undefined where it is of another server, malformed, or bears no valid signature by one of its
 * own keys.
 * Spec: server-server-api/#retrieving-server-keys
 */
export function parseKeyObject(
  object: JsonObject,
  server: ServerName,
  nowTs: number,
): readonly ServerKey[] | undefined {
  const validUntil = readInteger(object, 'valid_until_ts');
  const verifyKeys = readObject(object, 'verify_keys');
  if (readString(object, 'server_name') !== server || validUntil === undefined || verifyKeys === undefined)
    return undefined;
  const validUntilTs = Math.min(validUntil, nowTs + VALID_MS_MAX);
  const keys: ServerKey[] = [];
  let isSigned = false;
  for (const [id, value] of Object.entries(verifyKeys).slice(0, KEYS_MAX)) {
    const keyId = parseKeyId(id);
    const publicKey = isJsonObject(value) ? readString(value, 'key') : undefined;
    if (keyId === undefined || publicKey === undefined) continue;
    isSigned ||= verifyJson(object, server, keyId, publicKey);
    keys.push({ keyId, publicKey, validUntilTs, isOld: false });
  }
  if (!isSigned) return undefined;
  for (const [id, value] of Object.entries(readObject(object, 'old_verify_keys') ?? {}).slice(0, KEYS_MAX)) {
    const keyId = parseKeyId(id);
    if (keyId === undefined || !isJsonObject(value) || keys.some((key) => key.keyId === keyId)) continue;
    const publicKey = readString(value, 'key');
    const expiredTs = readInteger(value, 'expired_ts');
    if (publicKey === undefined || expiredTs === undefined) continue;
    keys.push({ keyId, publicKey, validUntilTs: expiredTs, isOld: true });
  }
  return keys;
}
