/** Devices and encryption: keys, signatures, messages to devices, backups of keys. What is encrypted we never see. */
import type { Accounts } from '../accounts/index.ts';
import type { Clock } from '../clock.ts';
import type { UserId } from '../protocol/ids/index.ts';
import type { Database, StreamDeclaration, WriteTx } from '../storage/index.ts';
import { type Hub, stream } from '../streams/index.ts';
import { CrossSigning } from './cross-signing.ts';
import { DehydratedDevices } from './dehydrated-devices.ts';
import { DeviceLists } from './device-lists.ts';
import { Identities } from './identities.ts';
import { KeyBackups } from './key-backups.ts';
import { Keys } from './keys.ts';
import { OneTimeKeys } from './one-time-keys.ts';
import type { DeviceRooms, DevicesLog, ToDeviceOutbox } from './ports.ts';
import { RemoteDeviceLists } from './remote-device-lists.ts';
import type { RemoteKeys } from './remote-keys.ts';
import { Signatures } from './signatures.ts';
import { deleteAllCrossSigning, deleteSignaturesBy, deleteSignaturesOn } from './store/cross-signing-keys.ts';
import { deleteDehydratedDevices } from './store/dehydrated-devices.ts';
import { deleteDeviceKeys, findDeviceKeys } from './store/device-keys.ts';
import { deleteChangesSeenBy, lastDeviceListPosition } from './store/device-list-changes.ts';
import { deleteAllBackups } from './store/key-backups.ts';
import { type TakenBack, takeBackAfterRestore } from './store/restored.ts';
import { deleteMessagesOf } from './store/to-device-messages.ts';
import { firstToDevicePosition, ToDevice } from './to-device.ts';

export type { CrossSigning, CrossSigningUpload } from './cross-signing.ts';
export type { DehydratedDevices, Dehydration } from './dehydrated-devices.ts';
export type { BackupInfo, BackupSession, KeyBackups } from './key-backups.ts';
export type { ClaimedKeys, KeyQuery, Keys, KeyUpload, QueriedKeys } from './keys.ts';
export type { Claim, KeyCounts } from './one-time-keys.ts';
export type { DeviceRooms, DevicesLog, ToDeviceOutbox } from './ports.ts';
export type { RemoteKeys } from './remote-keys.ts';
export type { SignatureFailures, Signatures, SignatureUpload } from './signatures.ts';
export { devicesMigrations } from './store/migrations.ts';
export { type ToDevice, type ToDeviceMessages, toDeviceStream } from './to-device.ts';

/** The durable streams of devices. */
export const devicesStreams: readonly StreamDeclaration[] = [
  stream({ name: 'device_lists', lane: 'main', load: lastDeviceListPosition }),
  stream({ name: 'to_device', lane: 'main', load: firstToDevicePosition }),
];

export interface DevicesOptions {
  readonly database: Database;
  readonly hub: Hub;
  readonly clock: Clock;
  readonly accounts: Pick<Accounts, 'devices' | 'serverName' | 'users' | 'shadowBans'>;
  readonly rooms: DeviceRooms;
  /** Whether a device must have signed its identity keys itself. */
  readonly checksSignatures: boolean;
  readonly log: DevicesLog;
  /** Without them, users of other servers have no keys, and get no messages. */
  readonly remote?: RemoteKeys | undefined;
  readonly outbox?: ToDeviceOutbox | undefined;
}

/** The face of this domain. */
export class Devices {
  readonly keys: Keys;
  readonly oneTimeKeys: OneTimeKeys;
  readonly lists: DeviceLists;
  readonly toDevice: ToDevice;
  readonly crossSigning: CrossSigning;
  readonly signatures: Signatures;
  readonly backups: KeyBackups;
  readonly dehydrated: DehydratedDevices;
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #remoteLists: RemoteDeviceLists | undefined;
  readonly #rooms: DeviceRooms;

  constructor(options: DevicesOptions) {
    const { database, hub, accounts, rooms, clock, checksSignatures, log, remote, outbox } = options;
    this.#database = database;
    this.#clock = clock;
    this.#rooms = rooms;
    const { devices, serverName, users, shadowBans } = accounts;
    this.lists = new DeviceLists(hub, rooms);
    this.oneTimeKeys = new OneTimeKeys(database);
    this.toDevice = new ToDevice({ database, hub, devices, serverName, clock, log, outbox, shadowBans });
    const { lists, oneTimeKeys } = this;
    const identities = new Identities(database, devices);
    lists.onChanged((userId) => identities.forget(userId));
    this.#remoteLists = remote && new RemoteDeviceLists({ database, clock, source: remote, rooms });
    const others = this.#remoteLists;
    this.keys = new Keys({
      database,
      devices,
      lists,
      oneTimeKeys,
      identities,
      serverName,
      remote: others,
      checksSignatures,
    });
    this.crossSigning = new CrossSigning(database, devices, lists);
    this.signatures = new Signatures({ database, lists, serverName, remote: others });
    this.backups = new KeyBackups(database);
    const { keys, toDevice } = this;
    this.dehydrated = new DehydratedDevices({ database, devices, keys, oneTimeKeys, toDevice, clock });
    users.onDeactivated((tx, userId) => this.#deleteUser(tx, userId));
    devices.onDeleted((tx, userId, deviceIds) => this.#delete(tx, userId, deviceIds));
    devices.onChanged(async (tx, userId, deviceId) => {
      // A device without keys is nothing to others, whatever its name.
      if ((await findDeviceKeys(tx, userId, deviceId)) !== undefined) await lists.noteChange(tx, userId);
    });
  }

  /** Deletes what has expired. To be called now and then, such as once an hour. */
  async deleteExpired(): Promise<void> {
    await this.toDevice.deleteExpired();
    await this.#remoteLists?.deleteExpired();
  }

  /** The server of a user says that the user's devices or keys changed. */
  async noteRemoteChange(tx: WriteTx, userId: UserId): Promise<void> {
    await this.#remoteLists?.noteChange(tx, userId);
    // Of whom nobody here sees, no row is kept: a server can name as many users as it likes.
    if ((await this.#rooms.joinedRoomIds(tx, userId)).length > 0) await this.lists.noteChange(tx, userId);
  }

  /**
   * To be called once on data that were restored from a copy, before a server runs on them: no one-time key of theirs is
   * given out, since it may have been given out after the copy was made.
   */
  takeBackAfterRestore(): Promise<TakenBack> {
    return this.#database.write('main', (tx) => takeBackAfterRestore(tx, this.#clock.now()));
  }

  /** Devices are gone: nothing of theirs stays. */
  async #delete(tx: WriteTx, userId: UserId, deviceIds: readonly string[]): Promise<void> {
    const hadKeys = await deleteDeviceKeys(tx, userId, deviceIds);
    await this.oneTimeKeys.delete(tx, userId, deviceIds);
    await deleteMessagesOf(tx, userId, deviceIds);
    await deleteDehydratedDevices(tx, userId, deviceIds);
    if (!hadKeys) return;
    await deleteSignaturesOn(tx, userId, deviceIds);
    await deleteSignaturesBy(
      tx,
      userId,
      deviceIds.map((deviceId) => `ed25519:${deviceId}`),
    );
    await this.lists.noteChange(tx, userId);
  }

  /** An account has ended; its devices went before. */
  async #deleteUser(tx: WriteTx, userId: UserId): Promise<void> {
    await deleteAllCrossSigning(tx, userId);
    await deleteAllBackups(tx, userId);
    await deleteChangesSeenBy(tx, userId);
    await this.lists.noteChange(tx, userId);
  }
}
