import type { Devices as AccountDevices } from '../accounts/index.ts';
import type { Clock } from '../clock.ts';
import { forbidden, invalidParam, notFound } from '../protocol/errors.ts';
import type { DeviceId, UserId } from '../protocol/ids/index.ts';
import type { JsonObject } from '../protocol/json/index.ts';
import type { Database } from '../storage/index.ts';
import { parseDeviceKeys, parseKeys, storedObject } from './key-objects.ts';
import type { Keys, KeyUpload } from './keys.ts';
import type { OneTimeKeys } from './one-time-keys.ts';
import { type DehydratedDeviceRow, findDehydratedDevice, putDehydratedDevice } from './store/dehydrated-devices.ts';
import type { ToDevice, ToDeviceMessages } from './to-device.ts';

/** A device to be kept asleep. */
export interface Dehydration extends KeyUpload {
  readonly deviceId: DeviceId;
  readonly deviceData: JsonObject;
  readonly displayName: string | undefined;
}

/** A dehydrated device as its owner sees it. */
export interface DehydratedDevice {
  readonly deviceId: string;
  readonly deviceData: JsonObject;
}

/** Devices on which nobody is logged in, which collect keys for their owner's next log-in. MSC3814 */
export class DehydratedDevices {
  readonly #database: Database;
  readonly #devices: AccountDevices;
  readonly #keys: Keys;
  readonly #oneTimeKeys: OneTimeKeys;
  readonly #toDevice: ToDevice;
  readonly #clock: Clock;

  constructor(parts: {
    readonly database: Database;
    readonly devices: AccountDevices;
    readonly keys: Keys;
    readonly oneTimeKeys: OneTimeKeys;
    readonly toDevice: ToDevice;
    readonly clock: Clock;
  }) {
    this.#database = parts.database;
    this.#devices = parts.devices;
    this.#keys = parts.keys;
    this.#oneTimeKeys = parts.oneTimeKeys;
    this.#toDevice = parts.toDevice;
    this.#clock = parts.clock;
  }

  /** Makes a dehydrated device, in place of the one that the user has. */
  async put(userId: UserId, { deviceId, deviceData, displayName, ...upload }: Dehydration): Promise<void> {
    if (upload.deviceKeys === undefined) throw invalidParam('A dehydrated device must have device_keys');
    const deviceKeys = parseDeviceKeys(upload.deviceKeys, userId, deviceId);
    const oneTimeKeys = parseKeys(upload.oneTimeKeys ?? {}, 'one_time_keys');
    const fallbackKeys = parseKeys(upload.fallbackKeys ?? {}, 'fallback_keys');
    await this.#database.write('main', async (tx) => {
      const before = await findDehydratedDevice(tx, userId);
      if (before !== undefined) await this.#devices.deleteIn(tx, userId, [before.device_id]);
      await this.#devices.addIn(tx, userId, deviceId, displayName, this.#clock.now());
      await putDehydratedDevice(tx, {
        user_id: userId,
        device_id: deviceId,
        device_data: JSON.stringify(deviceData),
      });
      await this.#keys.putIdentity(tx, userId, deviceId, deviceKeys);
      await this.#oneTimeKeys.add(tx, userId, deviceId, oneTimeKeys);
      await this.#oneTimeKeys.setFallback(tx, userId, deviceId, fallbackKeys);
    });
  }

  /** Throws 404 where the user has none. */
  async get(userId: UserId): Promise<DehydratedDevice> {
    const row = await this.#database.read((tx) => findDehydratedDevice(tx, userId));
    return toDevice(assertFound(row));
  }

  /** Deletes the user's dehydrated device with all its messages, and returns its id. Throws 404 where there is none. */
  async delete(userId: UserId): Promise<string> {
    return this.#database.write('main', async (tx) => {
      const { device_id: deviceId } = assertFound(await findDehydratedDevice(tx, userId));
      await this.#devices.deleteIn(tx, userId, [deviceId]);
      return deviceId;
    });
  }

  /**
   * The messages of a dehydrated device after `from`. They stay until the device is deleted: waking it up may fail half
   * way. Throws 403 for another device than the user's dehydrated one.
   */
  async events(userId: UserId, deviceId: string, from: string | undefined): Promise<ToDeviceMessages> {
    if (from !== undefined && !/^[0-9]{1,15}$/.test(from)) throw invalidParam('This is not a token of ours');
    return this.#database.read(async (tx) => {
      const row = assertFound(await findDehydratedDevice(tx, userId));
      if (row.device_id !== deviceId) throw forbidden('This is not your dehydrated device');
      const to = this.#database.positions.current('to_device');
      return this.#toDevice.between(tx, userId, deviceId, Number(from ?? 0), to);
    });
  }
}

function assertFound(row: DehydratedDeviceRow | undefined): DehydratedDeviceRow {
  if (row === undefined) throw notFound('There is no dehydrated device');
  return row;
}

function toDevice(row: DehydratedDeviceRow): DehydratedDevice {
  return { deviceId: row.device_id, deviceData: storedObject(row.device_data) };
}
