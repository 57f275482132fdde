/** Questions that only tidying asks: what is old, and what has no counterpart. */
import type { ReadTx, WriteTx } from '../../storage/index.ts';
import type { BlobRow } from './blob-rows.ts';
import type { MediaRow } from './media-rows.ts';

/** Files that nobody asked for since `beforeTs`, ours or those of others, without the protected ones. */
export function listUnusedSince(
  tx: ReadTx,
  { origin, isOurs, beforeTs, limit }: { origin: string; isOurs: boolean; beforeTs: number; limit: number },
): Promise<readonly MediaRow[]> {
  return (
    tx.db
      .selectFrom('media')
      .selectAll()
      .where('origin', isOurs ? '=' : '!=', origin)
      .where('last_access_ts', '<', beforeTs)
      .where('sha256', 'is not', null)
      .where('is_protected', '=', 0)
      // What is quarantined would only be fetched again, and shown.
      .$if(!isOurs, (query) => query.where('is_quarantined', '=', 0))
      .orderBy('last_access_ts')
      .limit(limit)
      .execute()
  );
}

/** How much the files of other servers take, in bytes. */
export async function remoteBytes(tx: ReadTx, origin: string): Promise<number> {
  const row = await tx.db
    .selectFrom('media')
    .select((eb) => eb.fn.sum<number | null>('size_bytes').as('bytes'))
    .where('origin', '!=', origin)
    .executeTakeFirst();
  return Number(row?.bytes ?? 0);
}

/** Rows of files in the order of their hashes. */
export function listBlobs(tx: ReadTx, after: string, limit: number): Promise<readonly BlobRow[]> {
  return tx.db
    .selectFrom('media_blobs')
    .selectAll()
    .where('sha256', '>', after)
    .orderBy('sha256')
    .limit(limit)
    .execute();
}

/** What refers to a file: media, and the thumbnail that it is. */
export async function referrersOf(tx: ReadTx, sha256: string) {
  const media = await tx.db.selectFrom('media').selectAll().where('sha256', '=', sha256).execute();
  const thumbnails = await tx.db.selectFrom('media_thumbnails').selectAll().where('sha256', '=', sha256).execute();
  return { media, thumbnails };
}

/** Forgets that a file is a thumbnail; it will be made again. */
export async function deleteThumbnailsWith(tx: WriteTx, sha256: string): Promise<void> {
  await tx.db.deleteFrom('media_thumbnails').where('sha256', '=', sha256).execute();
}

/** Media whose file has no row, in the order of their rows. */
export function listMediaWithoutBlob(tx: ReadTx, afterNid: number, limit: number): Promise<readonly MediaRow[]> {
  return tx.db
    .selectFrom('media')
    .selectAll()
    .where('sha256', 'is not', null)
    .where('media_nid', '>', afterNid)
    .where((eb) =>
      eb.not(
        eb.exists(eb.selectFrom('media_blobs').select('store').whereRef('media_blobs.sha256', '=', 'media.sha256')),
      ),
    )
    .orderBy('media_nid')
    .limit(limit)
    .execute();
}

/** Sources of thumbnails that are gone, in the order of their hashes. */
export async function listLostSources(tx: ReadTx, after: string, limit: number): Promise<readonly string[]> {
  const rows = await tx.db
    .selectFrom('media_thumbnails')
    .select('source_sha256')
    .distinct()
    .where('source_sha256', '>', after)
    .where((eb) =>
      eb.not(
        eb.exists(
          eb.selectFrom('media').select('media_nid').whereRef('media.sha256', '=', 'media_thumbnails.source_sha256'),
        ),
      ),
    )
    .orderBy('source_sha256')
    .limit(limit)
    .execute();
  return rows.map((row) => row.source_sha256);
}

/** Sets a mark on a file; false where there is no such file. */
export async function markMedia(
  tx: WriteTx,
  origin: string,
  mediaId: string,
  marks: { readonly is_protected: number },
): Promise<boolean> {
  const result = await tx.db
    .updateTable('media')
    .set(marks)
    .where('media_id', '=', mediaId)
    .where('origin', '=', origin)
    .executeTakeFirst();
  return Number(result.numUpdatedRows) > 0;
}

/** Our files by uploader, newest last. */
export function listUploads(tx: ReadTx, userId: string, afterNid: number, limit: number): Promise<readonly MediaRow[]> {
  return tx.db
    .selectFrom('media')
    .selectAll()
    .where('uploader', '=', userId)
    .where('media_nid', '>', afterNid)
    .orderBy('media_nid')
    .limit(limit)
    .execute();
}
