import type { UserId } from '../../protocol/ids/index.ts';
import type { ReadTx, WriteTx } from '../../storage/index.ts';

/** The filter's JSON text, or undefined. */
export async function findFilter(tx: ReadTx, userId: UserId, filterId: number): Promise<string | undefined> {
  const row = await tx.db
    .selectFrom('filters')
    .select('json')
    .where('user_id', '=', userId)
    .where('filter_id', '=', filterId)
    .executeTakeFirst();
  return row?.json;
}

/** The id of the user's filter with this digest, or undefined. */
export async function findFilterId(tx: ReadTx, userId: UserId, digest: string): Promise<number | undefined> {
  const row = await tx.db
    .selectFrom('filters')
    .select('filter_id')
    .where('user_id', '=', userId)
    .where('digest', '=', digest)
    .executeTakeFirst();
  return row?.filter_id;
}

/** Adds a filter under the user's next number, and returns that; filters are numbered from 0. */
export async function insertFilter(tx: WriteTx, userId: UserId, digest: string, json: string): Promise<number> {
  const filterId = await countFilters(tx, userId);
  await tx.db.insertInto('filters').values({ user_id: userId, filter_id: filterId, digest, json }).execute();
  return filterId;
}

/** How many filters the user has: they are numbered from 0, and none is ever deleted. */
export async function countFilters(tx: ReadTx, userId: UserId): Promise<number> {
  const last = await tx.db
    .selectFrom('filters')
    .select((eb) => eb.fn.max('filter_id').as('filter_id'))
    .where('user_id', '=', userId)
    .executeTakeFirst();
  return last?.filter_id == null ? 0 : Number(last.filter_id) + 1;
}
