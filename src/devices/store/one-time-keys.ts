import type { UserId } from '../../protocol/ids/index.ts';
import { compiledOnce, type ReadTx, textList, type WriteTx } from '../../storage/index.ts';
import type { FallbackKeysTable, OneTimeKeysTable } from './tables.ts';

export type OneTimeKeyRow = OneTimeKeysTable;
export type FallbackKeyRow = FallbackKeysTable;

/** A key as it is given out. */
export interface ClaimedKey {
  readonly key_id: string;
  readonly json: string;
}

/** All one-time keys of a device, those claimed lately among them. */
export function oneTimeKeysOf(tx: ReadTx, userId: UserId, deviceId: string): Promise<readonly OneTimeKeyRow[]> {
  return tx.run(keysOfDevice, { userId, deviceId });
}

export async function insertOneTimeKey(tx: WriteTx, row: OneTimeKeyRow): Promise<void> {
  await tx.change(insertKey, row);
}

/** Deletes one key, claimed or not. */
export async function deleteOneTimeKey(tx: WriteTx, row: OneTimeKeyRow): Promise<void> {
  await tx.change(deleteKey, row);
}

/** How many unclaimed one-time keys a device has, by algorithm. */
export function countOneTimeKeys(tx: ReadTx, userId: UserId, deviceId: string) {
  return tx.run(countKeys, { userId, deviceId });
}

/** Takes the oldest unclaimed one-time key of a device; undefined where there is none. */
export function claimOneTimeKey(
  tx: WriteTx,
  userId: UserId,
  deviceId: string,
  algorithm: string,
): Promise<ClaimedKey | undefined> {
  return tx.find(claimOldest, { userId, deviceId, algorithm });
}

export function fallbackKeysOf(tx: ReadTx, userId: UserId, deviceId: string): Promise<readonly FallbackKeyRow[]> {
  return tx.run(fallbackOfDevice, { userId, deviceId });
}

/** A device's fallback key for an algorithm, or undefined. */
export function findFallbackKey(
  tx: ReadTx,
  userId: UserId,
  deviceId: string,
  algorithm: string,
): Promise<FallbackKeyRow | undefined> {
  return tx.find(fallbackFor, { userId, deviceId, algorithm });
}

/** Notes that a fallback key was given out. */
export async function useFallbackKey(tx: WriteTx, { user_id, device_id, algorithm }: FallbackKeyRow): Promise<void> {
  await tx.change(markUsed, { userId: user_id, deviceId: device_id, algorithm });
}

/** Deletes all one-time and fallback keys of devices. */
export async function deleteOneTimeKeys(tx: WriteTx, userId: UserId, deviceIds: readonly string[]): Promise<void> {
  for (const table of ['one_time_keys', 'fallback_keys'] as const) {
    await tx.db.deleteFrom(table).where('user_id', '=', userId).where('device_id', 'in', textList(deviceIds)).execute();
  }
}

interface DeviceParams {
  userId: UserId;
  deviceId: string;
}

interface AlgorithmParams {
  userId: UserId;
  deviceId: string;
  algorithm: string;
}

const keysOfDevice = compiledOnce<DeviceParams>()((db, p) =>
  db
    .selectFrom('one_time_keys')
    .selectAll()
    .where('user_id', '=', p('userId'))
    .where('device_id', '=', p('deviceId'))
    .orderBy('sequence'),
);

const insertKey = compiledOnce<OneTimeKeyRow>()((db, p) =>
  db.insertInto('one_time_keys').values({
    user_id: p('user_id'),
    device_id: p('device_id'),
    algorithm: p('algorithm'),
    is_claimed: p('is_claimed'),
    sequence: p('sequence'),
    key_id: p('key_id'),
    json: p('json'),
  }),
);

const deleteKey = compiledOnce<OneTimeKeyRow>()((db, p) =>
  db
    .deleteFrom('one_time_keys')
    .where('user_id', '=', p('user_id'))
    .where('device_id', '=', p('device_id'))
    .where('algorithm', '=', p('algorithm'))
    .where('is_claimed', '=', p('is_claimed'))
    .where('sequence', '=', p('sequence')),
);

const countKeys = compiledOnce<DeviceParams>()((db, p) =>
  db
    .selectFrom('one_time_keys')
    .select(['algorithm', (eb) => eb.fn.countAll<number>().as('count')])
    .where('user_id', '=', p('userId'))
    .where('device_id', '=', p('deviceId'))
    .where('is_claimed', '=', 0)
    .groupBy('algorithm'),
);

const claimOldest = compiledOnce<AlgorithmParams>()((db, p) =>
  db
    .updateTable('one_time_keys')
    .set({ is_claimed: 1 })
    .where('user_id', '=', p('userId'))
    .where('device_id', '=', p('deviceId'))
    .where('algorithm', '=', p('algorithm'))
    .where('is_claimed', '=', 0)
    .where('sequence', '=', (eb) =>
      eb
        .selectFrom('one_time_keys as oldest')
        .select((inner) => inner.fn.min('oldest.sequence').as('sequence'))
        .where('oldest.user_id', '=', p('userId'))
        .where('oldest.device_id', '=', p('deviceId'))
        .where('oldest.algorithm', '=', p('algorithm'))
        .where('oldest.is_claimed', '=', 0),
    )
    .returning(['key_id', 'json']),
);

const fallbackOfDevice = compiledOnce<DeviceParams>()((db, p) =>
  db
    .selectFrom('fallback_keys')
    .selectAll()
    .where('user_id', '=', p('userId'))
    .where('device_id', '=', p('deviceId'))
    .orderBy('algorithm'),
);

const fallbackFor = compiledOnce<AlgorithmParams>()((db, p) =>
  db
    .selectFrom('fallback_keys')
    .selectAll()
    .where('user_id', '=', p('userId'))
    .where('device_id', '=', p('deviceId'))
    .where('algorithm', '=', p('algorithm')),
);

const markUsed = compiledOnce<AlgorithmParams>()((db, p) =>
  db
    .updateTable('fallback_keys')
    .set({ is_used: 1 })
    .where('user_id', '=', p('userId'))
    .where('device_id', '=', p('deviceId'))
    .where('algorithm', '=', p('algorithm')),
);
