import type { UserId } from '../../protocol/ids/index.ts';
import { compiledOnce, type ReadTx, textList, type WriteTx } from '../../storage/index.ts';
import type { UsersTable } from './tables.ts';

export type UserRow = Readonly<UsersTable>;

const userById = compiledOnce<{ userId: string }>()((db, p) =>
  db.selectFrom('users').selectAll().where('user_id', '=', p('userId')),
);

/** The account's row, deactivated or not. */
export function findUser(tx: ReadTx, userId: UserId): Promise<UserRow | undefined> {
  return tx.find(userById, { userId });
}

/** Those of `userIds` that have (or had) an account here. */
export async function existingUsers(tx: ReadTx, userIds: readonly UserId[]): Promise<readonly string[]> {
  const rows = await tx.db.selectFrom('users').select('user_id').where('user_id', 'in', textList(userIds)).execute();
  return rows.map((row) => row.user_id);
}

/** Those of `userIds` that have an account here which isn't deactivated. */
export async function activeUsers(tx: ReadTx, userIds: readonly UserId[]): Promise<readonly string[]> {
  const rows = await tx.db
    .selectFrom('users')
    .select('user_id')
    .where('user_id', 'in', textList(userIds))
    .where('is_deactivated', '=', 0)
    .execute();
  return rows.map((row) => row.user_id);
}

/** Whose accounts were erased. */
export async function listErasedUsers(tx: ReadTx): Promise<readonly string[]> {
  const rows = await tx.db.selectFrom('users').select('user_id').where('is_erased', '=', 1).execute();
  return rows.map((row) => row.user_id);
}

/** Those of `userIds` who are guests. */
export async function guestUsers(tx: ReadTx, userIds: readonly UserId[]): Promise<readonly string[]> {
  const rows = await tx.db
    .selectFrom('users')
    .select('user_id')
    .where('user_id', 'in', textList(userIds))
    .where('is_guest', '=', 1)
    .execute();
  return rows.map((row) => row.user_id);
}

/** Whether nobody ever registered here. */
export async function hasNoUsers(tx: ReadTx): Promise<boolean> {
  return (await tx.db.selectFrom('users').select('user_id').limit(1).executeTakeFirst()) === undefined;
}

/** A page of accounts in the order of their ids, for the command line and the admin API. */
export function listUsers(tx: ReadTx, after: string, limit: number): Promise<readonly UserRow[]> {
  return tx.db.selectFrom('users').selectAll().where('user_id', '>', after).orderBy('user_id').limit(limit).execute();
}

/** Adds an account. Fails with a unique violation where the name is taken. */
export async function insertUser(tx: WriteTx, row: UserRow): Promise<void> {
  await tx.db.insertInto('users').values(row).execute();
}

/** Changes an account; false where there is none. */
export async function updateUser(
  tx: WriteTx,
  userId: UserId,
  change: Partial<Omit<UserRow, 'user_id' | 'created_ts'>>,
): Promise<boolean> {
  const result = await tx.db.updateTable('users').set(change).where('user_id', '=', userId).executeTakeFirst();
  return Number(result.numUpdatedRows) > 0;
}

/** Replaces a password hash by a stronger one of the same password, unless the password was changed meanwhile. */
export async function upgradePasswordHash(tx: WriteTx, userId: UserId, from: string, to: string): Promise<void> {
  await tx.db
    .updateTable('users')
    .set({ password_hash: to })
    .where('user_id', '=', userId)
    .where('password_hash', '=', from)
    .execute();
}
