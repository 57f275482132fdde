import { compiledOnce, type ReadTx, upsert, type WriteTx } from '../../storage/index.ts';
import type { MediaRow } from './media-rows.ts';

/** Notes that an event refers to one of our files. */
export async function putReference(tx: WriteTx, mediaId: string, eventId: string): Promise<void> {
  await upsert(tx, 'media_references', { media_id: mediaId, event_id: eventId }, ['media_id', 'event_id']);
}

/** Notes that a file's own uploader has sent it. */
export async function putSent(tx: WriteTx, mediaId: string): Promise<void> {
  await upsert(tx, 'media_sent', { media_id: mediaId }, ['media_id']);
}

/** Whether a file's own uploader is known to have sent it. */
export async function wasSent(tx: ReadTx, mediaId: string): Promise<boolean> {
  const row = await tx.db
    .selectFrom('media_sent')
    .select('media_id')
    .where('media_id', '=', mediaId)
    .executeTakeFirst();
  return row !== undefined;
}

/** Takes away the references of an event, and gives the files that it referred to. */
export async function takeReferences(tx: WriteTx, eventId: string): Promise<readonly string[]> {
  const rows = await tx.db.selectFrom('media_references').select('media_id').where('event_id', '=', eventId).execute();
  if (rows.length > 0) await tx.db.deleteFrom('media_references').where('event_id', '=', eventId).execute();
  return rows.map((row) => row.media_id);
}

const firstReference = compiledOnce<{ mediaId: string }>()((db, p) =>
  db.selectFrom('media_references').select('event_id').where('media_id', '=', p('mediaId')).limit(1),
);

/** Whether any event is known to refer to the file. */
export async function isReferred(tx: ReadTx, mediaId: string): Promise<boolean> {
  return (await tx.find(firstReference, { mediaId })) !== undefined;
}

/** Deletes a file's row and what hangs on it; false where it was gone. The file itself goes afterwards. */
export async function deleteMediaRow(tx: WriteTx, row: MediaRow): Promise<boolean> {
  const result = await tx.db.deleteFrom('media').where('media_nid', '=', row.media_nid).executeTakeFirst();
  // Only those of our users have such rows, and another server may use the same id.
  if (row.uploader === null) return Number(result.numDeletedRows) > 0;
  await tx.db.deleteFrom('media_references').where('media_id', '=', row.media_id).execute();
  await tx.db.deleteFrom('media_sent').where('media_id', '=', row.media_id).execute();
  return Number(result.numDeletedRows) > 0;
}

/** Whether another row still has the file. */
export async function isShared(tx: ReadTx, sha256: string): Promise<boolean> {
  const row = await tx.db
    .selectFrom('media')
    .select('media_nid')
    .where('sha256', '=', sha256)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

/** Notes that a file was deleted, and why: a signed record. */
export async function insertDeletion(tx: WriteTx, record: { media_id: string; json: string; deleted_ts: number }) {
  await tx.db.insertInto('media_deletions').values(record).execute();
}

/** The records of the deletion of a file. */
export async function listDeletions(tx: ReadTx, mediaId: string): Promise<readonly string[]> {
  const rows = await tx.db.selectFrom('media_deletions').select('json').where('media_id', '=', mediaId).execute();
  return rows.map((row) => row.json);
}
