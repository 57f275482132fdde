import type { Selectable } from 'kysely';
import { compiledOnce, idList, type ReadTx, type WriteTx } from '../../storage/index.ts';
import type { MediaTable } from './tables.ts';

export type MediaRow = Readonly<Selectable<MediaTable>>;

const mediaById = compiledOnce<{ origin: string; mediaId: string }>()((db, p) =>
  db.selectFrom('media').selectAll().where('media_id', '=', p('mediaId')).where('origin', '=', p('origin')),
);

/** What an `mxc:` URI stands for, uploaded or only announced. */
export function findMedia(tx: ReadTx, origin: string, mediaId: string): Promise<MediaRow | undefined> {
  return tx.find(mediaById, { origin, mediaId });
}

/** Adds a row. Fails with a unique violation where the id is taken. */
export async function insertMedia(tx: WriteTx, row: Omit<MediaRow, 'media_nid'>): Promise<void> {
  await tx.db.insertInto('media').values(row).execute();
}

/** Gives an announced upload its file; false where it has one already, or was deleted meanwhile. */
export async function completeMedia(
  tx: WriteTx,
  nid: number,
  change: Pick<MediaRow, 'sha256' | 'size_bytes' | 'content_type' | 'file_name' | 'last_access_ts' | 'is_open'>,
): Promise<boolean> {
  const result = await tx.db
    .updateTable('media')
    .set({ ...change, unused_expires_ts: null })
    .where('media_nid', '=', nid)
    .where('sha256', 'is', null)
    .executeTakeFirst();
  return Number(result.numUpdatedRows) > 0;
}

/** How many uploads a user has announced that are still waited for. */
export async function countPending(tx: ReadTx, userId: string, nowTs: number): Promise<number> {
  const row = await tx.db
    .selectFrom('media')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('uploader', '=', userId)
    .where('sha256', 'is', null)
    .where('unused_expires_ts', '>', nowTs)
    .executeTakeFirstOrThrow();
  return Number(row.count);
}

/** Forgets announced uploads whose time is over. */
export async function deleteExpiredPending(tx: WriteTx, nowTs: number): Promise<void> {
  await tx.db.deleteFrom('media').where('unused_expires_ts', '<=', nowTs).execute();
}

/** Notes that files were served. */
export async function touchMedia(tx: WriteTx, nids: readonly number[], nowTs: number): Promise<void> {
  await tx.db.updateTable('media').set({ last_access_ts: nowTs }).where('media_nid', 'in', idList(nids)).execute();
}

/** How much a user keeps here, in bytes. */
export async function usageOf(tx: ReadTx, userId: string): Promise<number> {
  const row = await tx.db
    .selectFrom('media_usage')
    .select('size_bytes')
    .where('user_id', '=', userId)
    .executeTakeFirst();
  return row?.size_bytes ?? 0;
}

const addToUsage = compiledOnce<{ userId: string; bytes: number; files: number }>()((db, p) =>
  db
    .insertInto('media_usage')
    .values({ user_id: p('userId'), size_bytes: p('bytes'), file_count: p('files') })
    .onConflict((conflict) =>
      conflict.column('user_id').doUpdateSet((eb) => ({
        size_bytes: eb('media_usage.size_bytes', '+', eb.ref('excluded.size_bytes')),
        file_count: eb('media_usage.file_count', '+', eb.ref('excluded.file_count')),
      })),
    ),
);

/** Adds to what a user keeps here; negative figures take away. */
export async function addUsage(tx: WriteTx, userId: string, bytes: number, files: number): Promise<void> {
  await tx.change(addToUsage, { userId, bytes, files });
}
