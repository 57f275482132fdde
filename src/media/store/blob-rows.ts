import type { Selectable } from 'kysely';
import { compiledOnce, type ReadTx, type WriteTx } from '../../storage/index.ts';
import type { MediaBlobsTable } from './tables.ts';

export type BlobRow = Readonly<Selectable<MediaBlobsTable>>;

const blobByHash = compiledOnce<{ sha256: string }>()((db, p) =>
  db.selectFrom('media_blobs').selectAll().where('sha256', '=', p('sha256')),
);

export function findBlob(tx: ReadTx, sha256: string): Promise<BlobRow | undefined> {
  return tx.find(blobByHash, { sha256 });
}

const addBlob = compiledOnce<{ sha256: string; bytes: number; store: string; nowTs: number }>()((db, p) =>
  db
    .insertInto('media_blobs')
    .values({ sha256: p('sha256'), size_bytes: p('bytes'), store: p('store'), created_ts: p('nowTs') })
    .onConflict((conflict) => conflict.column('sha256').doNothing()),
);

/** Notes a file; one that is known stays as it is. */
export async function insertBlob(tx: WriteTx, row: BlobRow): Promise<void> {
  await tx.change(addBlob, { sha256: row.sha256, bytes: row.size_bytes, store: row.store, nowTs: row.created_ts });
}

/** Notes that a file lies in another store now. */
export async function setBlobStore(tx: WriteTx, sha256: string, store: string): Promise<void> {
  await tx.db.updateTable('media_blobs').set({ store }).where('sha256', '=', sha256).execute();
}

/** Forgets a file, unless something still refers to it. */
export async function deleteUnusedBlob(tx: WriteTx, sha256: string): Promise<boolean> {
  const result = await tx.db
    .deleteFrom('media_blobs')
    .where('sha256', '=', sha256)
    .where((eb) => eb.not(eb.exists(eb.selectFrom('media').select('media_nid').where('sha256', '=', sha256))))
    .where((eb) => eb.not(eb.exists(eb.selectFrom('media_thumbnails').select('width').where('sha256', '=', sha256))))
    .executeTakeFirst();
  return Number(result.numDeletedRows) > 0;
}
