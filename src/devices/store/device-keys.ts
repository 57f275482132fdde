import type { UserId } from '../../protocol/ids/index.ts';
import { compiledOnce, type ReadTx, textList, upsert, type WriteTx } from '../../storage/index.ts';
import type { DeviceKeysTable } from './tables.ts';

export type DeviceKeysRow = DeviceKeysTable;

/** The identity keys of a device as JSON, or undefined. */
export async function findDeviceKeys(tx: ReadTx, userId: UserId, deviceId: string): Promise<string | undefined> {
  return (await tx.find(keysOfDevice, { userId, deviceId }))?.json;
}

/** The identity keys of all of a user's devices, in the order of their ids. */
export function deviceKeysOf(tx: ReadTx, userId: UserId): Promise<readonly DeviceKeysRow[]> {
  return tx.run(keysOfUser, { userId });
}

/** Inserts or replaces a device's identity keys. */
export async function putDeviceKeys(tx: WriteTx, row: DeviceKeysRow): Promise<void> {
  await upsert(tx, 'device_keys', row, ['user_id', 'device_id']);
}

/** Deletes devices' identity keys and says whether there were any. */
export async function deleteDeviceKeys(tx: WriteTx, userId: UserId, deviceIds: readonly string[]): Promise<boolean> {
  const result = await tx.db
    .deleteFrom('device_keys')
    .where('user_id', '=', userId)
    .where('device_id', 'in', textList(deviceIds))
    .executeTakeFirst();
  return result.numDeletedRows > 0n;
}

const keysOfDevice = compiledOnce<{ userId: UserId; deviceId: string }>()((db, p) =>
  db.selectFrom('device_keys').select('json').where('user_id', '=', p('userId')).where('device_id', '=', p('deviceId')),
);

const keysOfUser = compiledOnce<{ userId: UserId }>()((db, p) =>
  db.selectFrom('device_keys').selectAll().where('user_id', '=', p('userId')).orderBy('device_id'),
);
