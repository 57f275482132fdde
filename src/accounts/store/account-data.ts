import type { RoomId, UserId } from '../../protocol/ids/index.ts';
import { compiledOnce, type ReadTx, type WriteTx } from '../../storage/index.ts';
import type { AccountDataTable } from './tables.ts';

export type AccountDataRow = Readonly<AccountDataTable>;

/** The room of account data; empty for data that belongs to none. */
export type AccountDataRoom = RoomId | '';

/** In place of the content of account data that was deleted: the row stays, so that `/sync` can tell. */
export const DELETED = '';

const contentByKey = compiledOnce<{ userId: string; roomId: string; type: string }>()((db, p) =>
  db
    .selectFrom('account_data')
    .select('content')
    .where('user_id', '=', p('userId'))
    .where('room_id', '=', p('roomId'))
    .where('type', '=', p('type')),
);

const changedBetween = compiledOnce<{ userId: string; from: number; to: number }>()((db, p) =>
  db
    .selectFrom('account_data')
    .selectAll()
    .where('user_id', '=', p('userId'))
    .where('position', '>', p('from'))
    .where('position', '<=', p('to'))
    .orderBy('position'),
);

/** The content as JSON text, or undefined. */
export async function findAccountData(
  tx: ReadTx,
  userId: UserId,
  roomId: AccountDataRoom,
  type: string,
): Promise<string | undefined> {
  const content = await findAccountDataContent(tx, userId, roomId, type);
  return content === DELETED ? undefined : content;
}

/** The content as JSON text, `DELETED` where there was one once, or undefined. */
export async function findAccountDataContent(
  tx: ReadTx,
  userId: UserId,
  roomId: AccountDataRoom,
  type: string,
): Promise<string | undefined> {
  return (await tx.find(contentByKey, { userId, roomId, type }))?.content;
}

/** What changed for a user after `from`, up to and including `to`, in order. */
export function accountDataBetween(
  tx: ReadTx,
  userId: UserId,
  from: number,
  to: number,
): Promise<readonly AccountDataRow[]> {
  return tx.run(changedBetween, { userId, from, to });
}

export async function upsertAccountData(tx: WriteTx, row: AccountDataRow): Promise<void> {
  const { content, position } = row;
  await tx.db
    .insertInto('account_data')
    .values(row)
    .onConflict((oc) => oc.columns(['user_id', 'room_id', 'type']).doUpdateSet({ content, position }))
    .execute();
}

/** Deletes all account data of a user. */
export async function deleteAccountDataOf(tx: WriteTx, userId: UserId): Promise<void> {
  await tx.db.deleteFrom('account_data').where('user_id', '=', userId).execute();
}

/** The last position in the stream `account_data`. */
export async function lastAccountDataPosition(tx: ReadTx): Promise<number> {
  const row = await tx.db
    .selectFrom('account_data')
    .select((eb) => eb.fn.max('position').as('position'))
    .executeTakeFirst();
  return Number(row?.position ?? 0);
}

/** All account data of a type that belongs to no room, of all users. */
export async function listAccountDataOfType(tx: ReadTx, type: string): Promise<readonly AccountDataRow[]> {
  return tx.db
    .selectFrom('account_data')
    .selectAll()
    .where('type', '=', type)
    .where('room_id', '=', '')
    .where('content', '!=', DELETED)
    .execute();
}
