import type { Insertable } from 'kysely';
import type { DeviceId, UserId } from '../../protocol/ids/index.ts';
import { compiledOnce, type ReadTx, type WriteTx } from '../../storage/index.ts';
import type { AccessTokensTable, RefreshTokensTable } from './tables.ts';

const tokenByHash = compiledOnce<{ hash: string }>()((db, p) =>
  db
    .selectFrom('access_tokens')
    .innerJoin('users', 'users.user_id', 'access_tokens.user_id')
    .select([
      'access_tokens.token_id',
      'access_tokens.user_id',
      'access_tokens.device_id',
      'access_tokens.expires_ts',
      'access_tokens.refresh_id',
      'access_tokens.replaces_id',
      'users.is_admin',
      'users.is_guest',
      'users.is_locked',
      'users.is_suspended',
    ])
    .where('access_tokens.token_hash', '=', p('hash')),
);

/** A token with what its user may do. */
export type TokenRow = Awaited<ReturnType<typeof findToken>>;

/** The access token with this hash. */
export function findToken(tx: ReadTx, hash: string) {
  return tx.find(tokenByHash, { hash });
}

export function findRefreshToken(tx: ReadTx, hash: string) {
  return tx.db.selectFrom('refresh_tokens').selectAll().where('token_hash', '=', hash).executeTakeFirst();
}

/** Adds an access token and returns its id. */
export async function insertToken(tx: WriteTx, row: Insertable<AccessTokensTable>): Promise<number> {
  const { token_id } = await tx.db
    .insertInto('access_tokens')
    .values(row)
    .returning('token_id')
    .executeTakeFirstOrThrow();
  return token_id;
}

/** Adds a refresh token and returns its id. */
export async function insertRefreshToken(tx: WriteTx, row: Insertable<RefreshTokensTable>): Promise<number> {
  const { refresh_id } = await tx.db
    .insertInto('refresh_tokens')
    .values(row)
    .returning('refresh_id')
    .executeTakeFirstOrThrow();
  return refresh_id;
}

/** Deletes the access tokens and refresh tokens of one device. */
export async function deleteTokensOfDevice(tx: WriteTx, userId: UserId, deviceId: DeviceId): Promise<void> {
  for (const table of ['access_tokens', 'refresh_tokens'] as const) {
    await tx.db.deleteFrom(table).where('user_id', '=', userId).where('device_id', '=', deviceId).execute();
  }
}

/** Deletes one access token, and the refresh token that came with it. */
export async function deleteToken(tx: WriteTx, tokenId: number): Promise<void> {
  const row = await tx.db
    .deleteFrom('access_tokens')
    .where('token_id', '=', tokenId)
    .returning('refresh_id')
    .executeTakeFirst();
  if (row?.refresh_id != null) {
    await tx.db.deleteFrom('refresh_tokens').where('refresh_id', '=', row.refresh_id).execute();
  }
}

/** Deletes the pairs that a refresh token was exchanged for, where they are too many: none of them was ever used. */
export async function limitUnusedPairs(
  tx: WriteTx,
  userId: UserId,
  deviceId: string,
  replacedId: number,
): Promise<void> {
  const siblings = await tx.db
    .selectFrom('refresh_tokens')
    .select('refresh_id')
    .where('user_id', '=', userId)
    .where('device_id', '=', deviceId)
    .where('replaces_id', '=', replacedId)
    .execute();
  if (siblings.length < UNUSED_PAIRS_MAX) return;
  for (const table of ['access_tokens', 'refresh_tokens'] as const) {
    await tx.db
      .deleteFrom(table)
      .where('user_id', '=', userId)
      .where('device_id', '=', deviceId)
      .where('replaces_id', '=', replacedId)
      .execute();
  }
}

/** How many times a refresh token is exchanged without any of the answers being used. */
const UNUSED_PAIRS_MAX = 5;

/** Which of a device's tokens are meant, and by which pair a refresh token was replaced. */
export interface Rotation {
  readonly userId: UserId;
  readonly deviceId: DeviceId;
  /** The refresh token that goes. */
  readonly replacedId: number;
  /** The refresh token of the pair that stays. */
  readonly keptId: number;
}

/**
 * Ends a rotation, once something of the new pair is used: the old refresh token goes with its access tokens, and so do
 * other pairs that it was exchanged for and that nobody used.
 */
export async function finishRotation(tx: WriteTx, rotation: Rotation): Promise<void> {
  const { userId, deviceId, replacedId, keptId } = rotation;
  const access = () =>
    tx.db.deleteFrom('access_tokens').where('user_id', '=', userId).where('device_id', '=', deviceId);
  await access().where('refresh_id', '=', replacedId).execute();
  await access().where('replaces_id', '=', replacedId).where('refresh_id', '!=', keptId).execute();
  await tx.db
    .deleteFrom('refresh_tokens')
    .where('user_id', '=', userId)
    .where('device_id', '=', deviceId)
    .where((eb) =>
      eb.or([
        eb('refresh_id', '=', replacedId),
        eb.and([eb('replaces_id', '=', replacedId), eb('refresh_id', '!=', keptId)]),
      ]),
    )
    .execute();
  await tx.db.updateTable('refresh_tokens').set({ replaces_id: null }).where('refresh_id', '=', keptId).execute();
  await tx.db
    .updateTable('access_tokens')
    .set({ replaces_id: null })
    .where('user_id', '=', userId)
    .where('device_id', '=', deviceId)
    .where('refresh_id', '=', keptId)
    .execute();
}

/** Deletes refresh tokens that expired before `now`, and access tokens that expired `graceMs` earlier still. */
export async function deleteExpiredTokens(tx: WriteTx, now: number, graceMs: number): Promise<void> {
  await tx.db.deleteFrom('refresh_tokens').where('expires_ts', '<', now).execute();
  await tx.db
    .deleteFrom('access_tokens')
    .where('expires_ts', '<', now - graceMs)
    .execute();
}
