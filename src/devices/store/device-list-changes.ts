import type { UserId } from '../../protocol/ids/index.ts';
import { compiledOnce, type ReadTx, type WriteTx } from '../../storage/index.ts';

/** Notes the last change of a user's keys, for all (`''`) or for one. */
export async function putDeviceListChange(
  tx: WriteTx,
  userId: UserId,
  seenBy: UserId | '',
  position: number,
): Promise<void> {
  await tx.change(putChange, { userId, seenBy, position });
}

/** Whose keys changed after `from` up to `to`, for all (`''`) or for one alone. */
export async function usersChangedBetween(
  tx: ReadTx,
  seenBy: UserId | '',
  from: number,
  to: number,
): Promise<readonly UserId[]> {
  return (await tx.run(changedBetween, { seenBy, from, to })).map((row) => row.user_id);
}

/** Deletes what only this user was to see. */
export async function deleteChangesSeenBy(tx: WriteTx, userId: UserId): Promise<void> {
  await tx.db.deleteFrom('device_list_changes').where('seen_by', '=', userId).execute();
}

export async function lastDeviceListPosition(tx: ReadTx): Promise<number> {
  const row = await tx.db
    .selectFrom('device_list_changes')
    .select((eb) => eb.fn.max('position').as('last'))
    .executeTakeFirst();
  return row?.last ?? 0;
}

const putChange = compiledOnce<{ userId: UserId; seenBy: UserId | ''; position: number }>()((db, p) =>
  db
    .insertInto('device_list_changes')
    .values({ user_id: p('userId'), seen_by: p('seenBy'), position: p('position') })
    .onConflict((conflict) =>
      conflict.columns(['user_id', 'seen_by']).doUpdateSet((eb) => ({ position: eb.ref('excluded.position') })),
    ),
);

const changedBetween = compiledOnce<{ seenBy: UserId | ''; from: number; to: number }>()((db, p) =>
  db
    .selectFrom('device_list_changes')
    .select('user_id')
    .where('seen_by', '=', p('seenBy'))
    .where('position', '>', p('from'))
    .where('position', '<=', p('to')),
);
