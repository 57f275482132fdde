import { sql } from 'kysely';
import type { WriteTx } from '../../storage/index.ts';
import { reservedPosition, reservePositions } from './to-device-messages.ts';

/** What was taken back. */
export interface TakenBack {
  readonly oneTimeKeys: number;
  readonly users: number;
}

/**
 * Takes back whatever may have been given out between the copy that these data are and now, which `position`, the present
 * time in milliseconds, is beyond: one-time keys go, positions of messages to devices go on after it, and everyone
 * must look at everyone's devices again.
 */
export async function takeBackAfterRestore(tx: WriteTx, position: number): Promise<TakenBack> {
  const { numDeletedRows } = await tx.db.deleteFrom('one_time_keys').executeTakeFirstOrThrow();
  await tx.db.deleteFrom('one_time_key_claims').execute();
  await tx.db.updateTable('fallback_keys').set({ is_used: 1 }).execute();
  await reservePositions(tx, 'to_device', Math.max(position, await reservedPosition(tx, 'to_device')));
  const { users } = await tx.db
    .selectFrom('device_keys')
    .select((eb) => eb.fn.count<number>('user_id').distinct().as('users'))
    .executeTakeFirstOrThrow();
  await tx.db
    .insertInto('device_list_changes')
    .columns(['user_id', 'seen_by', 'position'])
    .expression((eb) =>
      eb
        .selectFrom('device_keys')
        .select(['user_id', sql.lit('' as const).as('seen_by'), sql.lit(position).as('position')])
        // SQLite takes the conflict for a join's without it.
        .where('user_id', 'is not', null)
        .distinct(),
    )
    .onConflict((conflict) =>
      conflict.columns(['user_id', 'seen_by']).doUpdateSet((eb) => ({ position: eb.ref('excluded.position') })),
    )
    .execute();
  return { oneTimeKeys: Number(numDeletedRows), users: Number(users) };
}
