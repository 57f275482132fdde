import { invalidParam, notFound } from '../protocol/errors.ts';
import type { DeviceId, UserId } from '../protocol/ids/index.ts';
import { fitsBytes } from '../protocol/ids/index.ts';
import type { Database, ReadTx, WriteTx } from '../storage/index.ts';
import {
  type DeviceRow,
  deleteDevices,
  deviceIdsOf,
  devicesOf,
  findDevice,
  insertDevice,
  renameDevice,
} from './store/devices.ts';
import type { TokenAuthenticator } from './token-authenticator.ts';

/** A device as its owner sees it. */
export interface Device {
  readonly deviceId: string;
  readonly displayName: string | undefined;
  readonly lastSeenIp: string | undefined;
  readonly lastSeenTs: number | undefined;
  readonly lastSeenUserAgent: string | undefined;
}

/** Called in the transaction in which devices go, so that keys and messages of theirs go with them. */
export type DevicesDeleted = (tx: WriteTx, userId: UserId, deviceIds: readonly string[]) => Promise<void>;
/** Called in the transaction in which a device appears or gets another name. */
export type DeviceChanged = (tx: WriteTx, userId: UserId, deviceId: string) => Promise<void>;

/** Names longer than this are refused. */
const DISPLAY_NAME_BYTES_MAX = 400;

/** The devices of users. Their keys are the business of another domain, which follows by `onDeleted` and `onChanged`. */
export class Devices {
  readonly #database: Database;
  readonly #authenticator: TokenAuthenticator;
  readonly #deleted: DevicesDeleted[] = [];
  readonly #changed: DeviceChanged[] = [];

  constructor(database: Database, authenticator: TokenAuthenticator) {
    this.#database = database;
    this.#authenticator = authenticator;
  }

  /** Runs `fn` in each transaction that deletes devices. */
  onDeleted(fn: DevicesDeleted): void {
    this.#deleted.push(fn);
  }

  /** Runs `fn` in each transaction that adds or renames a device. */
  onChanged(fn: DeviceChanged): void {
    this.#changed.push(fn);
  }

  async list(userId: UserId): Promise<readonly Device[]> {
    return (await this.#database.read((tx) => devicesOf(tx, userId))).map(toDevice);
  }

  /** Throws 404 where the user has no such device. */
  async get(userId: UserId, deviceId: string): Promise<Device> {
    const row = await this.#database.read((tx) => findDevice(tx, userId, deviceId));
    if (row === undefined) throw notFound('No such device');
    return toDevice(row);
  }

  /** Whether the user has this device, within a transaction. */
  async exists(tx: ReadTx, userId: UserId, deviceId: string): Promise<boolean> {
    return (await findDevice(tx, userId, deviceId)) !== undefined;
  }

  /** The ids of all devices of some users, within a transaction. Users without any are left out. */
  async idsOf(tx: ReadTx, userIds: readonly UserId[]): Promise<ReadonlyMap<string, readonly string[]>> {
    const ids = new Map<string, string[]>();
    for (const { user_id: userId, device_id: deviceId } of await deviceIdsOf(tx, userIds)) {
      const known = ids.get(userId);
      if (known === undefined) ids.set(userId, [deviceId]);
      else known.push(deviceId);
    }
    return ids;
  }

  /** Adds a device on which nobody is logged in. Throws where the user has one with this id. */
  async addIn(tx: WriteTx, userId: UserId, deviceId: DeviceId, name: string | undefined, now: number): Promise<void> {
    if (name !== undefined) checkDeviceName(name);
    if (await this.exists(tx, userId, deviceId)) throw invalidParam('There is a device with this id');
    await insertDevice(tx, {
      user_id: userId,
      device_id: deviceId,
      display_name: name ?? null,
      last_seen_ip: null,
      last_seen_user_agent: null,
      last_seen_ts: null,
      created_ts: now,
    });
    await this.tellChanged(tx, userId, deviceId);
  }

  /** Gives a device another name. Throws 404 where the user has no such device. */
  async rename(userId: UserId, deviceId: string, name: string): Promise<void> {
    checkDeviceName(name);
    await this.#database.write('main', async (tx) => {
      if (!(await renameDevice(tx, userId, deviceId, name))) throw notFound('No such device');
      await this.tellChanged(tx, userId, deviceId);
    });
  }

  /** Deletes devices and logs them out. Those that don't exist are passed over. */
  async delete(userId: UserId, deviceIds: readonly string[]): Promise<void> {
    await this.#database.write('main', (tx) => this.deleteIn(tx, userId, deviceIds));
  }

  /** Deletes all devices of a user but one, and logs them out. */
  async deleteAllIn(tx: WriteTx, userId: UserId, exceptDeviceId?: string): Promise<void> {
    const rows = await devicesOf(tx, userId);
    const deviceIds = rows.map((row) => row.device_id).filter((deviceId) => deviceId !== exceptDeviceId);
    await this.deleteIn(tx, userId, deviceIds);
  }

  /** `delete` within a transaction. */
  async deleteIn(tx: WriteTx, userId: UserId, deviceIds: readonly string[]): Promise<void> {
    if (deviceIds.length === 0) return;
    await deleteDevices(tx, userId, deviceIds);
    for (const tell of this.#deleted) await tell(tx, userId, deviceIds);
    tx.onCommit(() => this.#authenticator.forget(userId));
  }

  /** Tells those who follow that a device was added or renamed. */
  async tellChanged(tx: WriteTx, userId: UserId, deviceId: string): Promise<void> {
    for (const tell of this.#changed) await tell(tx, userId, deviceId);
  }
}

/** Throws where this may not be the name of a device. */
export function checkDeviceName(name: string): void {
  if (!fitsBytes(name, DISPLAY_NAME_BYTES_MAX)) {
    throw invalidParam(`The name of a device may have at most ${DISPLAY_NAME_BYTES_MAX} bytes`);
  }
}

function toDevice(row: DeviceRow): Device {
  return {
    deviceId: row.device_id,
    displayName: row.display_name ?? undefined,
    lastSeenIp: row.last_seen_ip ?? undefined,
    lastSeenTs: row.last_seen_ts ?? undefined,
    lastSeenUserAgent: row.last_seen_user_agent ?? undefined,
  };
}
