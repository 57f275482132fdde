import type { Readable } from 'node:stream';
import type { Clock } from '../../clock.ts';
import type { Database, WriteTx } from '../../storage/index.ts';
import { KeyedLocks } from '../keyed-locks.ts';
import { deleteUnusedBlob, findBlob, insertBlob } from '../store/blob-rows.ts';
import type { BlobStore, ByteRange } from './blob-store.ts';
import type { StagedFile, Staging } from './staging.ts';

export interface BlobsDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly staging: Staging;
  /** Where new files go, and every store that may hold one. */
  readonly stores: readonly [BlobStore, ...BlobStore[]];
}

/**
 * Files and their rows, kept in step: a file is durable before its row is written, and goes after its row has gone. What a
 * crash leaves between the two is marked, and mended at the next start.
 */
export class Blobs {
  readonly staging: Staging;
  readonly #deps: BlobsDeps;
  readonly #locks = new KeyedLocks();

  private constructor(deps: BlobsDeps) {
    this.#deps = deps;
    this.staging = deps.staging;
  }

  /** Mends what a crash left, in time that depends only on what was going on then. */
  static async open(deps: BlobsDeps): Promise<Blobs> {
    const blobs = new Blobs(deps);
    for (const sha256 of await deps.staging.marked()) await blobs.#mend(sha256);
    return blobs;
  }

  /** Makes a staged file durable and writes its row together with what `work` writes. Equal files are kept once. */
  async keep<T>(staged: StagedFile, work: (tx: WriteTx) => Promise<T>): Promise<T> {
    const { sha256, sizeBytes } = staged;
    const { database, clock, stores, staging } = this.#deps;
    return this.#locks.run(sha256, async () => {
      const known = await database.read((tx) => findBlob(tx, sha256));
      const store = (known === undefined ? undefined : this.#storeCalled(known.store)) ?? stores[0];
      if (known !== undefined && (await store.sizeOf(sha256)) === sizeBytes) return database.write('main', work);
      const marked = staging.mark(sha256);
      try {
        await Promise.all([marked, store.put(staged)]);
        const result = await database.write('main', async (tx) => {
          await insertBlob(tx, { sha256, size_bytes: sizeBytes, store: store.name, created_ts: clock.now() });
          return work(tx);
        });
        await staging.unmark(sha256);
        return result;
      } catch (error) {
        await marked.catch(() => undefined);
        await this.#mend(sha256);
        throw error;
      }
    });
  }

  /** The bytes of a file; undefined where it is lost. */
  async open(sha256: string, range?: ByteRange): Promise<Readable | undefined> {
    const { stores } = this.#deps;
    if (stores.length === 1) return stores[0].open(sha256, range);
    const row = await this.#deps.database.read((tx) => findBlob(tx, sha256));
    return row === undefined ? undefined : this.#storeCalled(row.store)?.open(sha256, range);
  }

  /** Deletes those of the files that nothing refers to any more. To be called after the rows that referred to them went. */
  async deleteUnused(hashes: Iterable<string>): Promise<void> {
    const { database, staging } = this.#deps;
    for (const sha256 of new Set(hashes)) {
      await this.#locks.run(sha256, async () => {
        await staging.mark(sha256);
        await database.write('main', (tx) => deleteUnusedBlob(tx, sha256));
        await this.#mend(sha256);
      });
    }
  }

  /** Deletes a file without a row, wherever it is. */
  async #mend(sha256: string): Promise<void> {
    const { database, staging, stores } = this.#deps;
    const row = await database.read((tx) => findBlob(tx, sha256));
    if (row === undefined) for (const store of stores) await store.delete(sha256);
    await staging.unmark(sha256);
  }

  #storeCalled(name: string): BlobStore | undefined {
    return this.#deps.stores.find((store) => store.name === name);
  }
}
