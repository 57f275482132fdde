import { sql } from 'kysely';
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

/** A one-time key of a device, with what it was claimed up to. */
export interface KnownKeyRow extends OneTimeKeyRow {
  readonly is_claimed: boolean;
}

/** All one-time keys of a device in the order of their upload, those claimed lately among them. */
export async function oneTimeKeysOf(tx: ReadTx, userId: UserId, deviceId: string): Promise<readonly KnownKeyRow[]> {
  const claims = await tx.run(claimsOfDevice, { userId, deviceId });
  const claimed = new Map(claims.map((row) => [row.algorithm, row.sequence]));
  const rows = await tx.run(keysOfDevice, { userId, deviceId });
  return rows.map((row) => ({ ...row, is_claimed: row.sequence <= (claimed.get(row.algorithm) ?? 0) }));
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
export async function claimOneTimeKey(
  tx: WriteTx,
  userId: UserId,
  deviceId: string,
  algorithm: string,
): Promise<ClaimedKey | undefined> {
  for (;;) {
    const key = await tx.find(oldestKey, { userId, deviceId, algorithm });
    if (key === undefined) return undefined;
    // Nothing changes where another process took it meanwhile.
    if ((await tx.change(claimUpTo, { userId, deviceId, algorithm, sequence: key.sequence })) > 0) return key;
  }
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
  for (const table of ['one_time_keys', 'one_time_key_claims', 'fallback_keys'] as const) {
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
    .where('sequence', '=', p('sequence')),
);

const countKeys = compiledOnce<DeviceParams>()((db, p) =>
  db
    .selectFrom('one_time_keys')
    .select(['algorithm', (eb) => eb.fn.countAll<number>().as('count')])
    .where('user_id', '=', p('userId'))
    .where('device_id', '=', p('deviceId'))
    .where('sequence', '>', (eb) =>
      eb.fn.coalesce(
        eb
          .selectFrom('one_time_key_claims as claims')
          .select('claims.sequence')
          .where('claims.user_id', '=', p('userId'))
          .where('claims.device_id', '=', p('deviceId'))
          .whereRef('claims.algorithm', '=', 'one_time_keys.algorithm'),
        sql.lit(0),
      ),
    )
    .groupBy('algorithm'),
);

const claimsOfDevice = compiledOnce<DeviceParams>()((db, p) =>
  db
    .selectFrom('one_time_key_claims')
    .select(['algorithm', 'sequence'])
    .where('user_id', '=', p('userId'))
    .where('device_id', '=', p('deviceId')),
);

const oldestKey = compiledOnce<AlgorithmParams>()((db, p) =>
  db
    .selectFrom('one_time_keys')
    .select(['key_id', 'json', 'sequence'])
    .where('user_id', '=', p('userId'))
    .where('device_id', '=', p('deviceId'))
    .where('algorithm', '=', p('algorithm'))
    .where('sequence', '>', (eb) =>
      eb.fn.coalesce(
        eb
          .selectFrom('one_time_key_claims as claims')
          .select('claims.sequence')
          .where('claims.user_id', '=', p('userId'))
          .where('claims.device_id', '=', p('deviceId'))
          .where('claims.algorithm', '=', p('algorithm')),
        sql.lit(0),
      ),
    )
    .orderBy('sequence')
    .limit(1),
);

const claimUpTo = compiledOnce<AlgorithmParams & { sequence: number }>()((db, p) =>
  db
    .insertInto('one_time_key_claims')
    .values({ user_id: p('userId'), device_id: p('deviceId'), algorithm: p('algorithm'), sequence: p('sequence') })
    .onConflict((conflict) =>
      conflict
        .columns(['user_id', 'device_id', 'algorithm'])
        .doUpdateSet((eb) => ({ sequence: eb.ref('excluded.sequence') }))
        .whereRef('one_time_key_claims.sequence', '<', 'excluded.sequence'),
    ),
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
