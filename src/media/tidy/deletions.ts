/** Deleting means all of it: the row, the references, the thumbnails and the files. */
import { z } from 'zod';
import type { Clock } from '../../clock.ts';
import { type Jobs, job } from '../../jobs/index.ts';
import type { JsonObject } from '../../protocol/json/index.ts';
import type { Database, WriteTx } from '../../storage/index.ts';
import type { Blobs } from '../blobs/blobs.ts';
import { addUsage, type MediaRow } from '../store/media-rows.ts';
import { deleteMediaRow, insertDeletion, isShared } from '../store/reference-rows.ts';
import { deletePicture } from '../store/thumbnail-rows.ts';

/** Signs a record with the server's key. */
export type SignRecord = (record: JsonObject) => JsonObject;

export interface DeletionsDeps {
  readonly database: Database;
  readonly jobs: Jobs;
  readonly clock: Clock;
  readonly blobs: Blobs;
  readonly sign: SignRecord;
}

const JOB = 'media.delete_files';
/** Rows per transaction, so that others needn't wait for long. */
const BATCH_ROWS_MAX = 50;

/** Deletes files. */
export class Deletions {
  readonly #deps: DeletionsDeps;

  constructor(deps: DeletionsDeps) {
    this.#deps = deps;
    deps.jobs.declare(
      job({
        name: JOB,
        payload: z.object({ hashes: z.array(z.string()) }),
        handle: ({ hashes }) => deps.blobs.deleteUnused(hashes),
      }),
    );
  }

  /** Deletes files and all that hangs on them. Resolves when they are gone; a crash on the way only delays that. */
  async delete(rows: readonly MediaRow[], reason: string): Promise<void> {
    for (let start = 0; start < rows.length; start += BATCH_ROWS_MAX) {
      await this.#deleteBatch(rows.slice(start, start + BATCH_ROWS_MAX), reason);
    }
  }

  async #deleteBatch(rows: readonly MediaRow[], reason: string): Promise<void> {
    const { database, jobs, clock, blobs, sign } = this.#deps;
    const now = clock.now();
    const hashes = await database.write('main', async (tx) => {
      const freed: string[] = [];
      for (const row of rows) {
        if (!(await deleteMediaRow(tx, row))) continue;
        if (row.uploader !== null && row.sha256 !== null) await addUsage(tx, row.uploader, -row.size_bytes, -1);
        freed.push(...(await this.#filesOf(tx, row)));
        // What others have, and what the server put here itself, is no loss to anybody.
        if (row.uploader === null) continue;
        const record = sign({
          type: 'inglenook.media_deletion',
          mxc: `mxc://${row.origin}/${row.media_id}`,
          sha256: row.sha256,
          size_bytes: row.size_bytes,
          reason,
          deleted_ts: now,
        });
        await insertDeletion(tx, { media_id: row.media_id, json: JSON.stringify(record), deleted_ts: now });
      }
      // Kept until it is done, should a crash come between.
      if (freed.length > 0) await jobs.enqueue(tx, JOB, { hashes: freed });
      return freed;
    });
    await blobs.deleteUnused(hashes);
  }

  /** The files that nothing needs any more. */
  async #filesOf(tx: WriteTx, { sha256 }: MediaRow): Promise<readonly string[]> {
    if (sha256 === null || (await isShared(tx, sha256))) return [];
    return [sha256, ...(await deletePicture(tx, sha256))];
  }
}
