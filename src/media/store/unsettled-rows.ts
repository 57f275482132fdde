/** Files whose rows were written while the disk was still at their bytes. */
import { compiledOnce, type ReadTx, textList, type WriteTx } from '../../storage/index.ts';
import { addUsage } from './media-rows.ts';
import { deleteMediaRow } from './reference-rows.ts';
import { deletePicture } from './thumbnail-rows.ts';
import { deleteThumbnailsWith, referrersOf } from './tidy-rows.ts';

const addUnsettled = compiledOnce<{ sha256: string }>()((db, p) =>
  db
    .insertInto('media_unsettled')
    .values({ sha256: p('sha256') })
    .onConflict((conflict) => conflict.column('sha256').doNothing()),
);

/** Notes that a file may not be durable when its row is. */
export async function insertUnsettled(tx: WriteTx, sha256: string): Promise<void> {
  await tx.change(addUnsettled, { sha256 });
}

/** The files that may not be durable. */
export async function listUnsettled(tx: ReadTx): Promise<readonly string[]> {
  const rows = await tx.db.selectFrom('media_unsettled').select('sha256').execute();
  return rows.map((row) => row.sha256);
}

/** Notes that files are durable, or gone. */
export async function deleteUnsettled(tx: WriteTx, hashes: readonly string[]): Promise<void> {
  await tx.db.deleteFrom('media_unsettled').where('sha256', 'in', textList(hashes)).execute();
}

/** Deletes all rows of a file that never became durable: nobody was told that it was taken in. */
export async function takeBackRows(tx: WriteTx, sha256: string): Promise<void> {
  const { media } = await referrersOf(tx, sha256);
  for (const row of media) {
    await deleteMediaRow(tx, row);
    if (row.uploader !== null) await addUsage(tx, row.uploader, -row.size_bytes, -1);
  }
  await deleteThumbnailsWith(tx, sha256);
  await deletePicture(tx, sha256);
  await tx.db.deleteFrom('media_blobs').where('sha256', '=', sha256).execute();
  await deleteUnsettled(tx, [sha256]);
}
