import type { DeviceId, UserId } from '../../protocol/ids/index.ts';
import { compiledOnce, type ReadTx, textList, type WriteTx } from '../../storage/index.ts';
import type { DevicesTable } from './tables.ts';

export type DeviceRow = Readonly<DevicesTable>;

/** Where and when a device was seen. */
export interface Sighting {
  readonly userId: UserId;
  readonly deviceId: DeviceId;
  readonly ip: string;
  readonly userAgent: string;
  readonly ts: number;
}

/** All devices of a user, in the order of their ids. */
export function devicesOf(tx: ReadTx, userId: UserId): Promise<readonly DeviceRow[]> {
  return tx.db.selectFrom('devices').selectAll().where('user_id', '=', userId).orderBy('device_id').execute();
}

export function findDevice(tx: ReadTx, userId: UserId, deviceId: string): Promise<DeviceRow | undefined> {
  return tx.db
    .selectFrom('devices')
    .selectAll()
    .where('user_id', '=', userId)
    .where('device_id', '=', deviceId)
    .executeTakeFirst();
}

/** The ids of all devices of some users. */
export function deviceIdsOf(tx: ReadTx, userIds: readonly UserId[]) {
  return tx.run(idsOfUsers, { userIds });
}

export async function insertDevice(tx: WriteTx, row: DeviceRow): Promise<void> {
  await tx.db.insertInto('devices').values(row).execute();
}

/** Renames a device; false where there is none. */
export async function renameDevice(tx: WriteTx, userId: UserId, deviceId: string, name: string): Promise<boolean> {
  const result = await tx.db
    .updateTable('devices')
    .set({ display_name: name })
    .where('user_id', '=', userId)
    .where('device_id', '=', deviceId)
    .executeTakeFirst();
  return Number(result.numUpdatedRows) > 0;
}

/** Deletes devices with all their tokens. Unknown ones are passed over. */
export async function deleteDevices(tx: WriteTx, userId: UserId, deviceIds: readonly string[]): Promise<void> {
  for (const table of ['access_tokens', 'refresh_tokens', 'devices'] as const) {
    await tx.db.deleteFrom(table).where('user_id', '=', userId).where('device_id', 'in', textList(deviceIds)).execute();
  }
}

/** Notes where devices were seen. Devices that are gone meanwhile stay gone. */
export async function noteSightings(tx: WriteTx, sightings: readonly Sighting[]): Promise<void> {
  for (const { userId, deviceId, ip, userAgent, ts } of sightings) {
    await tx.db
      .updateTable('devices')
      .set({ last_seen_ip: ip, last_seen_user_agent: userAgent, last_seen_ts: ts })
      .where('user_id', '=', userId)
      .where('device_id', '=', deviceId)
      .execute();
  }
}

const idsOfUsers = compiledOnce<{ userIds: readonly string[] }>()((db, p) =>
  db.selectFrom('devices').select(['user_id', 'device_id']).where('user_id', 'in', p.texts('userIds')),
);
