import type { Devices as AccountDevices } from '../accounts/index.ts';
import { verifyJson } from '../protocol/crypto/index.ts';
import { badJson, forbidden, invalidParam, missingParam } from '../protocol/errors.ts';
import { parseKeyId, type UserId } from '../protocol/ids/index.ts';
import { type JsonObject, readObject, readString, readStrings } from '../protocol/json/index.ts';
import type { Database, WriteTx } from '../storage/index.ts';
import type { DeviceLists } from './device-lists.ts';
import { encode, invalidSignature, ownSignatures } from './key-objects.ts';
import {
  type CrossSigningKeyRow,
  crossSigningKeysOf,
  deleteCrossSigningKey,
  deleteSignaturesBy,
  deleteSignaturesOn,
  putCrossSigningKey,
} from './store/cross-signing-keys.ts';
import type { CrossSigningUsage } from './store/tables.ts';

/** The keys of an upload; each may be missing. */
export type CrossSigningUpload = Readonly<Partial<Record<CrossSigningUsage, JsonObject>>>;

/** A key that was read: its public part and what is stored of it. */
interface ParsedKey {
  readonly usage: CrossSigningUsage;
  readonly publicKey: string;
  readonly object: JsonObject;
}

/** The master key first: the others are signed by it. */
const USAGES: readonly CrossSigningUsage[] = ['master', 'self_signing', 'user_signing'];

/** The keys by which users vouch for their devices and for each other. Spec: client-server-api/#cross-signing */
export class CrossSigning {
  readonly #database: Database;
  readonly #devices: AccountDevices;
  readonly #lists: DeviceLists;

  constructor(database: Database, devices: AccountDevices, lists: DeviceLists) {
    this.#database = database;
    this.#devices = devices;
    this.#lists = lists;
  }

  /**
   * Whether the user must prove who they are for this upload: not for the first keys, nor for those that are there.
   * Throws where the upload can't be accepted at all.
   */
  async needsProof(userId: UserId, upload: CrossSigningUpload): Promise<boolean> {
    const keys = parseUpload(userId, upload);
    const stored = await this.#database.read((tx) => crossSigningKeysOf(tx, userId));
    assertSignedByMaster(userId, keys, stored);
    return stored.some((row) => row.usage === 'master') && changedKeys(keys, stored).length > 0;
  }

  /**
   * Publishes cross-signing keys. `before` runs in the same transaction, with what was proved; keys that come in place of
   * others need one.
   * @throws M_INVALID_SIGNATURE, M_MISSING_PARAM where there is no master key, M_FORBIDDEN where a device has the key's name
   */
  async upload(userId: UserId, upload: CrossSigningUpload, before?: (tx: WriteTx) => Promise<void>): Promise<void> {
    const keys = parseUpload(userId, upload);
    await this.#database.write('main', async (tx) => {
      const stored = await crossSigningKeysOf(tx, userId);
      const changed = changedKeys(keys, stored);
      if (changed.length === 0) return;
      const isFirst = stored.every((row) => row.usage !== 'master');
      // Another request was faster: this one was not asked for a proof.
      if (before === undefined && !isFirst) throw forbidden('There are cross-signing keys already');
      await before?.(tx);
      assertSignedByMaster(userId, keys, stored);
      for (const { publicKey } of changed) {
        if (await this.#devices.exists(tx, userId, publicKey)) throw forbidden('Key ID in use');
      }
      await this.#replace(tx, userId, changed, stored);
      await this.#lists.noteChange(tx, userId);
    });
  }

  /** Puts keys in place of others; what the others signed, and what was signed of them, is worth nothing any more. */
  async #replace(
    tx: WriteTx,
    userId: UserId,
    changed: readonly ParsedKey[],
    stored: readonly CrossSigningKeyRow[],
  ): Promise<void> {
    const isNewMaster = changed.some((key) => key.usage === 'master');
    const gone = stored.filter((row) => isNewMaster || changed.some((key) => key.usage === row.usage));
    for (const { usage } of gone) await deleteCrossSigningKey(tx, userId, usage);
    await deleteSignaturesOn(
      tx,
      userId,
      gone.map((row) => row.public_key),
    );
    await deleteSignaturesBy(
      tx,
      userId,
      gone.map((row) => `ed25519:${row.public_key}`),
    );
    for (const { usage, publicKey, object } of changed) {
      await putCrossSigningKey(tx, {
        user_id: userId,
        usage,
        public_key: publicKey,
        json: encode(object, `${usage}_key`),
      });
    }
  }
}

function parseUpload(userId: UserId, upload: CrossSigningUpload): readonly ParsedKey[] {
  return USAGES.flatMap((usage) => {
    const object = upload[usage];
    return object === undefined ? [] : [parseKey(userId, usage, object)];
  });
}

function parseKey(userId: UserId, usage: CrossSigningUsage, key: JsonObject): ParsedKey {
  const name = `${usage}_key`;
  if (readString(key, 'user_id') !== userId) throw invalidParam(`${name}.user_id is not the user of this session`);
  if (readStrings(key, 'usage')?.includes(usage) !== true) throw invalidParam(`${name}.usage must have ${usage}`);
  const [entry, ...more] = Object.entries(readObject(key, 'keys') ?? {});
  if (entry === undefined || more.length > 0) throw invalidParam(`${name}.keys must have exactly one key`);
  const [keyId, publicKey] = entry;
  if (typeof publicKey !== 'string' || keyId !== `ed25519:${publicKey}` || parseKeyId(keyId) === undefined) {
    throw invalidParam(`${name}.keys must have a key ed25519:<public key>`);
  }
  const signatures = key.signatures === undefined ? {} : readObject(key, 'signatures');
  if (signatures === undefined) throw badJson(`${name}.signatures must be an object`);
  const { unsigned: _unsigned, ...rest } = key;
  return { usage, publicKey, object: { ...rest, signatures: ownSignatures(signatures, userId) } };
}

/** Those keys that are not there yet. */
function changedKeys(keys: readonly ParsedKey[], stored: readonly CrossSigningKeyRow[]): readonly ParsedKey[] {
  return keys.filter((key) => !stored.some((row) => row.usage === key.usage && row.public_key === key.publicKey));
}

function assertSignedByMaster(userId: UserId, keys: readonly ParsedKey[], stored: readonly CrossSigningKeyRow[]): void {
  const uploaded = keys.find((key) => key.usage === 'master')?.publicKey;
  const master = uploaded ?? stored.find((row) => row.usage === 'master')?.public_key;
  if (master === undefined) throw missingParam('No master signing key is available');
  const keyId = parseKeyId(`ed25519:${master}`);
  for (const { usage, object } of keys) {
    if (usage === 'master') continue;
    if (keyId === undefined || !verifyJson(object, userId, keyId, master)) {
      throw invalidSignature(`${usage}_key is not signed by the master signing key`);
    }
  }
}
