import { LRUCache } from 'lru-cache';
import { upTo } from '../lru.ts';
import { addSignature } from '../protocol/crypto/index.ts';
import { parseKeyId, type UserId } from '../protocol/ids/index.ts';
import type { JsonObject } from '../protocol/json/index.ts';
import type { Database } from '../storage/index.ts';
import { type PublishedKey, storedObject } from './key-objects.ts';
import {
  type CrossSigningKeyRow,
  crossSigningKeysOf,
  type KeySignatureRow,
  ownSignaturesOf,
  signaturesOfOthersBy,
} from './store/cross-signing-keys.ts';
import { deviceKeysOf } from './store/device-keys.ts';
import type { CrossSigningUsage } from './store/tables.ts';

/** What a user's keys are to others, as JSON ready to be sent. */
export interface Identity {
  /** Device id -> keys. */
  readonly devices: ReadonlyMap<string, string>;
  /** All of `devices` as one JSON object. */
  readonly allDevices: string;
  readonly crossSigning: Readonly<Partial<Record<CrossSigningUsage, PublishedKey>>>;
}

/** Names of devices, which go out with their keys. */
export interface DeviceNames {
  list(userId: UserId): Promise<readonly { readonly deviceId: string; readonly displayName: string | undefined }[]>;
}

/** Users whose keys are kept in memory, and users whose signatures on others' keys are. */
const USERS_CACHED_MAX = 10_000;

/** The published keys of our users, from memory for those who are asked for again. */
export class Identities {
  readonly #database: Database;
  readonly #names: DeviceNames;
  readonly #identities = new LRUCache<UserId, Promise<Identity>>(upTo(USERS_CACHED_MAX));
  readonly #signed = new LRUCache<UserId, Promise<readonly KeySignatureRow[]>>(upTo(USERS_CACHED_MAX));

  constructor(database: Database, names: DeviceNames) {
    this.#database = database;
    this.#names = names;
  }

  /** A user's keys; those of an unknown user are empty. */
  get(userId: UserId): Promise<Identity> {
    return remember(this.#identities, userId, () => this.#read(userId));
  }

  /** A user's key for others' eyes, with the viewer's own signatures on it. */
  async signedFor(viewer: UserId, userId: UserId, key: PublishedKey): Promise<string> {
    if (viewer === userId) return key.json;
    const rows = await remember(this.#signed, viewer, () =>
      this.#database.read((tx) => signaturesOfOthersBy(tx, viewer)),
    );
    const own = rows.filter((row) => row.target_user === userId && row.target === key.publicKey);
    return own.length === 0 ? key.json : JSON.stringify(withSignatures(storedObject(key.json), own));
  }

  /** A user's keys, or what the user signed, changed. To be called after the commit. */
  forget(userId: UserId): void {
    this.#identities.delete(userId);
    this.#signed.delete(userId);
  }

  async #read(userId: UserId): Promise<Identity> {
    const { keys, crossSigning, signatures } = await this.#database.read(async (tx) => ({
      keys: await deviceKeysOf(tx, userId),
      crossSigning: await crossSigningKeysOf(tx, userId),
      signatures: await ownSignaturesOf(tx, userId),
    }));
    const names = keys.length === 0 ? [] : await this.#names.list(userId);
    const nameOf = new Map(names.map(({ deviceId, displayName }) => [deviceId, displayName]));
    const devices = new Map(
      keys.map(({ device_id: deviceId, json }) => {
        const signed = withSignatures(storedObject(json), onTarget(signatures, deviceId));
        const name = nameOf.get(deviceId);
        const unsigned = name === undefined ? {} : { device_display_name: name };
        return [deviceId, JSON.stringify({ ...signed, unsigned })];
      }),
    );
    return { devices, allDevices: joinObject(devices), crossSigning: publish(crossSigning, signatures) };
  }
}

/** `{"<key>":<json>,…}` of keys and JSON texts. */
export function joinObject(entries: Iterable<readonly [string, string]>): string {
  let json = '';
  for (const [key, value] of entries) json += `${json === '' ? '' : ','}${JSON.stringify(key)}:${value}`;
  return `{${json}}`;
}

function publish(
  rows: readonly CrossSigningKeyRow[],
  signatures: readonly KeySignatureRow[],
): Partial<Record<CrossSigningUsage, PublishedKey>> {
  const keys: Partial<Record<CrossSigningUsage, PublishedKey>> = {};
  for (const { usage, public_key: publicKey, json } of rows) {
    const signed = withSignatures(storedObject(json), onTarget(signatures, publicKey));
    keys[usage] = { publicKey, json: JSON.stringify(signed) };
  }
  return keys;
}

function onTarget(signatures: readonly KeySignatureRow[], target: string): readonly KeySignatureRow[] {
  return signatures.filter((row) => row.target === target);
}

function withSignatures(object: JsonObject, rows: readonly KeySignatureRow[]): JsonObject {
  let signed = object;
  for (const { signer, signing_key: signingKey, signature } of rows) {
    const keyId = parseKeyId(signingKey);
    if (keyId !== undefined) signed = addSignature(signed, signer, keyId, signature);
  }
  return signed;
}

function remember<V>(cache: LRUCache<UserId, Promise<V>>, userId: UserId, load: () => Promise<V>): Promise<V> {
  const known = cache.get(userId);
  if (known !== undefined) return known;
  const loading = load();
  cache.set(userId, loading);
  loading.catch(() => cache.delete(userId));
  return loading;
}
