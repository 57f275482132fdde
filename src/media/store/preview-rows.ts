import type { Selectable } from 'kysely';
import { compiledOnce, type ReadTx, upsert, type WriteTx } from '../../storage/index.ts';
import type { MediaUrlPreviewsTable } from './tables.ts';

export type PreviewRow = Readonly<Selectable<MediaUrlPreviewsTable>>;

const previewByUrl = compiledOnce<{ url: string }>()((db, p) =>
  db.selectFrom('media_url_previews').selectAll().where('url', '=', p('url')),
);

export function findPreview(tx: ReadTx, url: string): Promise<PreviewRow | undefined> {
  return tx.find(previewByUrl, { url });
}

export async function putPreview(tx: WriteTx, row: PreviewRow): Promise<void> {
  await upsert(tx, 'media_url_previews', row, ['url']);
}

/** Takes out previews that nobody will get any more, at most `limit`, and gives them. */
export async function takeOldPreviews(tx: WriteTx, beforeTs: number, limit: number): Promise<readonly PreviewRow[]> {
  const rows = await tx.db
    .selectFrom('media_url_previews')
    .selectAll()
    .where('expires_ts', '<', beforeTs)
    .limit(limit)
    .execute();
  for (const { url } of rows) await tx.db.deleteFrom('media_url_previews').where('url', '=', url).execute();
  return rows;
}
