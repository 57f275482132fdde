import type { UserId } from '../../protocol/ids/index.ts';
import { type ReadTx, textList, upsert, type WriteTx } from '../../storage/index.ts';
import type { DehydratedDevicesTable } from './tables.ts';

export type DehydratedDeviceRow = DehydratedDevicesTable;

export function findDehydratedDevice(tx: ReadTx, userId: UserId): Promise<DehydratedDeviceRow | undefined> {
  return tx.db.selectFrom('dehydrated_devices').selectAll().where('user_id', '=', userId).executeTakeFirst();
}

/** Inserts or replaces a user's dehydrated device. */
export async function putDehydratedDevice(tx: WriteTx, row: DehydratedDeviceRow): Promise<void> {
  await upsert(tx, 'dehydrated_devices', row, ['user_id']);
}

export async function deleteDehydratedDevices(
  tx: WriteTx,
  userId: UserId,
  deviceIds: readonly string[],
): Promise<void> {
  await tx.db
    .deleteFrom('dehydrated_devices')
    .where('user_id', '=', userId)
    .where('device_id', 'in', textList(deviceIds))
    .execute();
}
