import type { UserId } from '../../protocol/ids/index.ts';
import { compiledOnce, type ReadTx, textList, type WriteTx } from '../../storage/index.ts';
import type { ProfilesTable } from './tables.ts';

export type ProfileRow = Readonly<ProfilesTable>;

const profileById = compiledOnce<{ userId: string }>()((db, p) =>
  db.selectFrom('profiles').selectAll().where('user_id', '=', p('userId')),
);

export function findProfile(tx: ReadTx, userId: UserId): Promise<ProfileRow | undefined> {
  return tx.find(profileById, { userId });
}

/** The profiles of those of `userIds` who have one. */
export function profilesOf(tx: ReadTx, userIds: readonly UserId[]): Promise<readonly ProfileRow[]> {
  return tx.db.selectFrom('profiles').selectAll().where('user_id', 'in', textList(userIds)).execute();
}

/** Sets a user's whole profile. */
export async function upsertProfile(tx: WriteTx, row: ProfileRow): Promise<void> {
  const { user_id: _, ...values } = row;
  await tx.db
    .insertInto('profiles')
    .values(row)
    .onConflict((oc) => oc.column('user_id').doUpdateSet(values))
    .execute();
}

/** The last position in the stream `profiles`. */
export async function lastProfilePosition(tx: ReadTx): Promise<number> {
  const row = await tx.db
    .selectFrom('profiles')
    .select((eb) => eb.fn.max('position').as('position'))
    .executeTakeFirst();
  return Number(row?.position ?? 0);
}
