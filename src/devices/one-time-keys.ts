import { LRUCache } from 'lru-cache';
import { upTo } from '../lru.ts';
import { MatrixError } from '../protocol/errors.ts';
import type { UserId } from '../protocol/ids/index.ts';
import { type Database, type ReadTx, upsert, type WriteTx } from '../storage/index.ts';
import type { UploadedKey } from './key-objects.ts';
import {
  type ClaimedKey,
  claimOneTimeKey,
  countOneTimeKeys,
  deleteOneTimeKey,
  deleteOneTimeKeys,
  fallbackKeysOf,
  findFallbackKey,
  insertOneTimeKey,
  type KnownKeyRow,
  oneTimeKeysOf,
  useFallbackKey,
} from './store/one-time-keys.ts';

/** One-time keys that a device may have with us, by all algorithms. Clients keep about 50. */
const KEYS_MAX = 1000;
/** Claimed keys that are remembered for a device, so that they aren't taken a second time. */
const CLAIMED_KEPT = 100;
const DEVICES_CACHED_MAX = 20_000;

/** What a device learns of its keys with each sync. */
export interface KeyCounts {
  /** `{"<algorithm>":<unclaimed one-time keys>}` as JSON. */
  readonly oneTimeKeys: string;
  /** `["<algorithm>"]` as JSON: of fallback keys that nobody got so far. */
  readonly unusedFallbackTypes: string;
}

/** Which key is claimed. */
export interface Claim {
  readonly userId: UserId;
  readonly deviceId: string;
  readonly algorithm: string;
}

/** One-time keys, each given out once, and fallback keys for when there are none. Spec: client-server-api/#one-time-and-fallback-keys */
export class OneTimeKeys {
  readonly #database: Database;
  readonly #counts = new LRUCache<string, Promise<KeyCounts>>(upTo(DEVICES_CACHED_MAX));

  constructor(database: Database) {
    this.#database = database;
  }

  /** How many keys a device has with us. From memory, for devices that ask again and again. */
  counts(userId: UserId, deviceId: string): Promise<KeyCounts> {
    const key = cacheKey(userId, deviceId);
    let counts = this.#counts.get(key);
    if (counts === undefined) {
      counts = this.#database.read((tx) => readCounts(tx, userId, deviceId));
      this.#counts.set(key, counts);
      // The next one asks again.
      counts.catch(() => this.#counts.delete(key));
    }
    return counts;
  }

  /**
   * Adds one-time keys. One that is there already with the same content, or was claimed lately, is passed over.
   * Throws 400 where a key has the id of another one, or there are too many.
   */
  async add(tx: WriteTx, userId: UserId, deviceId: string, keys: readonly UploadedKey[]): Promise<void> {
    if (keys.length === 0) return;
    const rows = await oneTimeKeysOf(tx, userId, deviceId);
    const known = new Map(rows.map((row) => [`${row.algorithm}:${row.key_id}`, row]));
    let sequence = rows.at(-1)?.sequence ?? 0;
    let count = rows.filter((row) => !row.is_claimed).length;
    for (const { algorithm, keyId, json } of keys) {
      const row = known.get(`${algorithm}:${keyId}`);
      if (row?.json === json) continue;
      if (row?.is_claimed === false) throw keyExists(`${algorithm}:${keyId}`);
      if (++count > KEYS_MAX) throw new MatrixError('M_UNKNOWN', `A device may have at most ${KEYS_MAX} one-time keys`);
      if (row !== undefined) await deleteOneTimeKey(tx, row);
      await insertOneTimeKey(tx, {
        user_id: userId,
        device_id: deviceId,
        algorithm,
        sequence: ++sequence,
        key_id: keyId,
        json,
      });
    }
    await this.#forgetOldClaims(tx, rows);
    this.#changed(tx, userId, deviceId);
  }

  /** Sets a device's fallback keys, one for each algorithm. The same key again stays as used as it was. */
  async setFallback(tx: WriteTx, userId: UserId, deviceId: string, keys: readonly UploadedKey[]): Promise<void> {
    for (const { algorithm, keyId, json } of keys) {
      const row = await findFallbackKey(tx, userId, deviceId, algorithm);
      if (row?.key_id === keyId && row.json === json) continue;
      await upsert(
        tx,
        'fallback_keys',
        { user_id: userId, device_id: deviceId, algorithm, key_id: keyId, json, is_used: 0 },
        ['user_id', 'device_id', 'algorithm'],
      );
    }
    if (keys.length > 0) this.#changed(tx, userId, deviceId);
  }

  /** Takes a key: the oldest one-time key, or else the fallback key; undefined where there is neither. */
  async claim(tx: WriteTx, { userId, deviceId, algorithm }: Claim): Promise<ClaimedKey | undefined> {
    const key = await claimOneTimeKey(tx, userId, deviceId, algorithm);
    if (key !== undefined) {
      this.#changed(tx, userId, deviceId);
      return key;
    }
    const fallback = await findFallbackKey(tx, userId, deviceId, algorithm);
    if (fallback?.is_used === 0) {
      await useFallbackKey(tx, fallback);
      this.#changed(tx, userId, deviceId);
    }
    return fallback;
  }

  /** Deletes all keys of devices. */
  async delete(tx: WriteTx, userId: UserId, deviceIds: readonly string[]): Promise<void> {
    await deleteOneTimeKeys(tx, userId, deviceIds);
    for (const deviceId of deviceIds) this.#changed(tx, userId, deviceId);
  }

  async #forgetOldClaims(tx: WriteTx, rows: readonly KnownKeyRow[]): Promise<void> {
    const claimed = rows.filter((row) => row.is_claimed);
    for (const row of claimed.slice(0, Math.max(0, claimed.length - CLAIMED_KEPT))) await deleteOneTimeKey(tx, row);
  }

  #changed(tx: WriteTx, userId: UserId, deviceId: string): void {
    tx.onCommit(() => this.#counts.delete(cacheKey(userId, deviceId)));
  }
}

async function readCounts(tx: ReadTx, userId: UserId, deviceId: string): Promise<KeyCounts> {
  const counts = await countOneTimeKeys(tx, userId, deviceId);
  const fallback = await fallbackKeysOf(tx, userId, deviceId);
  const unused = fallback.filter((row) => row.is_used === 0).map((row) => row.algorithm);
  return {
    // Clients take an algorithm that isn't there for one that they know nothing new of.
    oneTimeKeys: JSON.stringify({
      signed_curve25519: 0,
      ...Object.fromEntries(counts.map(({ algorithm, count }) => [algorithm, Number(count)])),
    }),
    unusedFallbackTypes: JSON.stringify(unused),
  };
}

function cacheKey(userId: UserId, deviceId: string): string {
  return `${userId}\0${deviceId}`;
}

function keyExists(name: string): MatrixError {
  return new MatrixError('M_UNKNOWN', `One-time key ${name} already exists with other content`);
}
