import type { Selectable } from 'kysely';
import { compiledOnce, type ReadTx, upsert, type WriteTx } from '../../storage/index.ts';
import type { MediaPicturesTable, MediaThumbnailsTable } from './tables.ts';

export type PictureRow = Readonly<Selectable<MediaPicturesTable>>;
export type ThumbnailRow = Readonly<Selectable<MediaThumbnailsTable>>;

/** What tells the thumbnails of one file apart. */
export type ThumbnailKey = Pick<ThumbnailRow, 'source_sha256' | 'width' | 'height' | 'method' | 'is_animated'>;

const pictureByHash = compiledOnce<{ sha256: string }>()((db, p) =>
  db.selectFrom('media_pictures').selectAll().where('sha256', '=', p('sha256')),
);

export function findPicture(tx: ReadTx, sha256: string): Promise<PictureRow | undefined> {
  return tx.find(pictureByHash, { sha256 });
}

export async function putPicture(tx: WriteTx, row: PictureRow): Promise<void> {
  await upsert(tx, 'media_pictures', row, ['sha256']);
}

const thumbnailByKey = compiledOnce<ThumbnailKey>()((db, p) =>
  db
    .selectFrom('media_thumbnails')
    .selectAll()
    .where('source_sha256', '=', p('source_sha256'))
    .where('width', '=', p('width'))
    .where('height', '=', p('height'))
    .where('method', '=', p('method'))
    .where('is_animated', '=', p('is_animated')),
);

export function findThumbnail(tx: ReadTx, key: ThumbnailKey): Promise<ThumbnailRow | undefined> {
  return tx.find(thumbnailByKey, key);
}

/** All thumbnails of a file. */
export function listThumbnails(tx: ReadTx, sourceSha256: string): Promise<readonly ThumbnailRow[]> {
  return tx.db.selectFrom('media_thumbnails').selectAll().where('source_sha256', '=', sourceSha256).execute();
}

export async function putThumbnail(tx: WriteTx, row: ThumbnailRow): Promise<void> {
  await upsert(tx, 'media_thumbnails', row, ['source_sha256', 'width', 'height', 'method', 'is_animated']);
}

/** Forgets what was made of a file, once the file itself is gone. Gives the files of the thumbnails. */
export async function deletePicture(tx: WriteTx, sha256: string): Promise<readonly string[]> {
  const rows = await listThumbnails(tx, sha256);
  await tx.db.deleteFrom('media_thumbnails').where('source_sha256', '=', sha256).execute();
  await tx.db.deleteFrom('media_pictures').where('sha256', '=', sha256).execute();
  return rows.map((row) => row.sha256);
}
