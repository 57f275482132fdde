import type { Devices as AccountDevices } from '../accounts/index.ts';
import { forbidden, MatrixError, notFound } from '../protocol/errors.ts';
import { type ServerName, serverNameOf, type UserId } from '../protocol/ids/index.ts';
import type { JsonObject } from '../protocol/json/index.ts';
import type { Database, WriteTx } from '../storage/index.ts';
import { ClaimQueue } from './claim-queue.ts';
import type { DeviceLists } from './device-lists.ts';
import { type Identities, type Identity, joinObject } from './identities.ts';
import {
  assertSelfSigned,
  encode,
  isSameIdentity,
  parseDeviceKeys,
  parseKeys,
  publishedKey,
  storedObject,
  unsignedText,
} from './key-objects.ts';
import type { Claim, OneTimeKeys } from './one-time-keys.ts';
import { askServers, type RemoteKeys } from './remote-keys.ts';
import { crossSigningKeysOf, deleteSignaturesOn } from './store/cross-signing-keys.ts';
import { findDeviceKeys, putDeviceKeys } from './store/device-keys.ts';

/** What a device uploads; each part may be missing. */
export interface KeyUpload {
  readonly deviceKeys: JsonObject | undefined;
  readonly oneTimeKeys: JsonObject | undefined;
  readonly fallbackKeys: JsonObject | undefined;
}

/** Whose keys are wanted: user -> devices; no devices: all of them. */
export type KeyQuery = ReadonlyMap<UserId, readonly string[]>;

/** Servers that could not be asked, as JSON. */
interface RemoteFailures {
  readonly failures: string;
}

/** The answer to `/keys/query`, each part a JSON object by user. */
export interface QueriedKeys extends RemoteFailures {
  readonly deviceKeys: string;
  readonly masterKeys: string;
  readonly selfSigningKeys: string;
  readonly userSigningKeys: string;
}

/** The answer to `/keys/claim`. */
export interface ClaimedKeys extends RemoteFailures {
  readonly oneTimeKeys: string;
}

/** Upload, query and claim of devices' keys. Spec: client-server-api/#key-management-api */
export class Keys {
  readonly #database: Database;
  readonly #devices: AccountDevices;
  readonly #lists: DeviceLists;
  readonly #oneTimeKeys: OneTimeKeys;
  readonly #claims: ClaimQueue;
  readonly #identities: Identities;
  readonly #serverName: ServerName;
  readonly #remote: RemoteKeys | undefined;
  readonly #checksSignatures: boolean;

  constructor(parts: {
    readonly database: Database;
    readonly devices: AccountDevices;
    readonly lists: DeviceLists;
    readonly oneTimeKeys: OneTimeKeys;
    readonly identities: Identities;
    readonly serverName: ServerName;
    readonly remote: RemoteKeys | undefined;
    readonly checksSignatures: boolean;
  }) {
    this.#database = parts.database;
    this.#devices = parts.devices;
    this.#lists = parts.lists;
    this.#oneTimeKeys = parts.oneTimeKeys;
    this.#claims = new ClaimQueue(parts.database, parts.oneTimeKeys);
    this.#identities = parts.identities;
    this.#serverName = parts.serverName;
    this.#remote = parts.remote;
    this.#checksSignatures = parts.checksSignatures;
  }

  /**
   * Publishes a device's keys and returns the counts of its one-time keys as JSON. Identity keys must be signed by
   * themselves, and never change once they are there: what others verified stays what they talk to.
   * @throws M_INVALID_SIGNATURE, M_UNKNOWN for a key that is there with other content, M_INVALID_PARAM, M_BAD_JSON
   */
  async upload(userId: UserId, deviceId: string, upload: KeyUpload): Promise<string> {
    const deviceKeys = upload.deviceKeys && parseDeviceKeys(upload.deviceKeys, userId, deviceId);
    const oneTimeKeys = parseKeys(upload.oneTimeKeys ?? {}, 'one_time_keys');
    const fallbackKeys = parseKeys(upload.fallbackKeys ?? {}, 'fallback_keys');
    if (deviceKeys !== undefined || oneTimeKeys.length + fallbackKeys.length > 0) {
      await this.#database.write('main', async (tx) => {
        if (!(await this.#devices.exists(tx, userId, deviceId))) throw notFound('This device was deleted');
        if (deviceKeys !== undefined) await this.putIdentity(tx, userId, deviceId, deviceKeys);
        await this.#oneTimeKeys.add(tx, userId, deviceId, oneTimeKeys);
        await this.#oneTimeKeys.setFallback(tx, userId, deviceId, fallbackKeys);
      });
    }
    return (await this.#oneTimeKeys.counts(userId, deviceId)).oneTimeKeys;
  }

  /** Publishes a device's identity keys, as `parseDeviceKeys` gave them, within a transaction. */
  async putIdentity(tx: WriteTx, userId: UserId, deviceId: string, keys: JsonObject): Promise<void> {
    const json = encode(keys, 'device_keys');
    const before = await findDeviceKeys(tx, userId, deviceId);
    if (before === json) return;
    if (this.#checksSignatures) assertSelfSigned(keys, userId, deviceId);
    if (before === undefined) await assertNoCollision(tx, userId, deviceId);
    else await this.#assertUnchanged(tx, userId, deviceId, storedObject(before), keys);
    await putDeviceKeys(tx, { user_id: userId, device_id: deviceId, json });
    await this.#lists.noteChange(tx, userId);
  }

  async #assertUnchanged(
    tx: WriteTx,
    userId: UserId,
    deviceId: string,
    before: JsonObject,
    after: JsonObject,
  ): Promise<void> {
    if (!isSameIdentity(before, after)) {
      throw new MatrixError('M_UNKNOWN', 'This device has other identity keys; keys never change, log in anew instead');
    }
    // What was signed is no longer what is there, as where an algorithm was added.
    if (unsignedText(before) !== unsignedText(after)) await deleteSignaturesOn(tx, userId, [deviceId]);
  }

  /** The published keys of users, as the viewer may see them. From memory where they were asked for before. */
  async query(viewer: UserId, query: KeyQuery): Promise<QueriedKeys> {
    const remote = new Map<UserId, readonly string[]>();
    const parts = { devices: '', master: '', selfSigning: '', userSigning: '' };
    for (const [userId, deviceIds] of query) {
      if (serverNameOf(userId) !== this.#serverName) {
        remote.set(userId, deviceIds);
        continue;
      }
      const identity = await this.#identities.get(userId);
      const name = JSON.stringify(userId);
      parts.devices += `,${name}:${devicesOf(identity, deviceIds)}`;
      const { master, self_signing: selfSigning, user_signing: userSigning } = identity.crossSigning;
      if (master) parts.master += `,${name}:${await this.#identities.signedFor(viewer, userId, master)}`;
      if (selfSigning) parts.selfSigning += `,${name}:${selfSigning.json}`;
      if (userSigning && viewer === userId) parts.userSigning += `,${name}:${userSigning.json}`;
    }
    const { byKey, failed } = await askServers(
      remote,
      ['device_keys', 'master_keys', 'self_signing_keys'],
      (server, of) => {
        return this.#remote === undefined ? Promise.reject(new Error('no federation')) : this.#remote.query(server, of);
      },
    );
    parts.devices += entriesOf(byKey.get('device_keys'));
    for (const [userId, object] of byKey.get('master_keys') ?? []) {
      const key = publishedKey(object);
      const json = key === undefined ? JSON.stringify(object) : await this.#identities.signedFor(viewer, userId, key);
      parts.master += `,${JSON.stringify(userId)}:${json}`;
    }
    parts.selfSigning += entriesOf(byKey.get('self_signing_keys'));
    return {
      failures: failuresOf(failed),
      deviceKeys: `{${parts.devices.slice(1)}}`,
      masterKeys: `{${parts.master.slice(1)}}`,
      selfSigningKeys: `{${parts.selfSigning.slice(1)}}`,
      userSigningKeys: `{${parts.userSigning.slice(1)}}`,
    };
  }

  /** Takes a one-time key, or the fallback key, of each device. Devices without any are left out. */
  async claim(claims: readonly Claim[]): Promise<ClaimedKeys> {
    const isLocal = ({ userId }: Claim) => serverNameOf(userId) === this.#serverName;
    const local = claims.filter(isLocal);
    const remote = new Map<UserId, JsonObject>();
    for (const claim of claims) {
      if (isLocal(claim)) continue;
      remote.set(claim.userId, { ...remote.get(claim.userId), [claim.deviceId]: claim.algorithm });
    }
    const byUser = new Map<UserId, [string, string][]>();
    const keys = local.length === 0 ? [] : await this.#claims.claim(local);
    for (const [index, claim] of local.entries()) {
      const key = keys[index];
      if (key === undefined) continue;
      const json = joinObject([[`${claim.algorithm}:${key.key_id}`, key.json]]);
      const devices = byUser.get(claim.userId) ?? [];
      devices.push([claim.deviceId, json]);
      byUser.set(claim.userId, devices);
    }
    const { byKey, failed } = await askServers(remote, ['one_time_keys'], (server, of) => {
      return this.#remote === undefined ? Promise.reject(new Error('no federation')) : this.#remote.claim(server, of);
    });
    const users = [...byUser].map(([userId, devices]) => [userId, joinObject(devices)] as const);
    const others = [...(byKey.get('one_time_keys') ?? [])].map(([userId, found]) => {
      return [userId, JSON.stringify(found)] as const;
    });
    return { failures: failuresOf(failed), oneTimeKeys: joinObject([...users, ...others]) };
  }
}

function devicesOf({ devices, allDevices }: Identity, deviceIds: readonly string[]): string {
  if (deviceIds.length === 0) return allDevices;
  const asked = new Set(deviceIds);
  return joinObject([...devices].filter(([deviceId]) => asked.has(deviceId)));
}

function entriesOf(found: ReadonlyMap<UserId, JsonObject> | undefined): string {
  return [...(found ?? [])].map(([userId, value]) => `,${JSON.stringify(userId)}:${JSON.stringify(value)}`).join('');
}

function failuresOf(servers: ReadonlySet<ServerName>): string {
  return joinObject([...servers].map((server) => [server, '{"errcode":"M_CONNECTION_FAILED","status":503}'] as const));
}

/** Device ids and public keys of cross-signing share one namespace. Spec: client-server-api/#cross-signing */
async function assertNoCollision(tx: WriteTx, userId: UserId, deviceId: string): Promise<void> {
  const keys = await crossSigningKeysOf(tx, userId);
  if (keys.some((key) => key.public_key === deviceId)) {
    throw forbidden('The device has the id of a cross-signing key');
  }
}
