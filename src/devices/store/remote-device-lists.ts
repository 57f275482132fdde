import type { UserId } from '../../protocol/ids/index.ts';
import { type ReadTx, textList, upsert, type WriteTx } from '../../storage/index.ts';
import type { RemoteDeviceListsTable } from './tables.ts';

export function findRemoteDeviceLists(
  tx: ReadTx,
  userIds: readonly UserId[],
): Promise<readonly RemoteDeviceListsTable[]> {
  return tx.db.selectFrom('remote_device_lists').selectAll().where('user_id', 'in', textList(userIds)).execute();
}

export async function putRemoteDeviceList(tx: WriteTx, row: RemoteDeviceListsTable): Promise<void> {
  await upsert(tx, 'remote_device_lists', row, ['user_id']);
}

/** What we have of a user is no longer all there is. */
export async function markRemoteDeviceListStale(tx: WriteTx, userId: UserId): Promise<void> {
  await tx.db.updateTable('remote_device_lists').set({ is_stale: 1 }).where('user_id', '=', userId).execute();
}

/** Deletes the lists that nobody asked for since a time. */
export async function deleteRemoteDeviceListsBefore(tx: WriteTx, beforeTs: number): Promise<void> {
  await tx.db.deleteFrom('remote_device_lists').where('fetched_ts', '<', beforeTs).execute();
}
