import { createWriteStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
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

/** A file on this machine, as long as it isn't disposed of. */
export interface LocalCopy extends AsyncDisposable {
  readonly path: string;
}

function keptFile(file: string): LocalCopy {
  return { path: file, [Symbol.asyncDispose]: async () => undefined };
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
    return (await this.#storeOf(sha256))?.open(sha256, range);
  }

  /** The file by a path, for programs that read files; a copy where it is stored elsewhere. Undefined where it is lost. */
  async asFile(sha256: string): Promise<LocalCopy | undefined> {
    const store = await this.#storeOf(sha256);
    const own = store?.pathOf(sha256);
    if (own !== undefined) return (await store?.sizeOf(sha256)) === undefined ? undefined : keptFile(own);
    const body = await store?.open(sha256);
    if (body === undefined) return undefined;
    const { staging } = this.#deps;
    const copy = staging.newPath();
    await pipeline(body, createWriteStream(copy, { mode: 0o600 }));
    return { path: copy, [Symbol.asyncDispose]: () => staging.remove(copy) };
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

  async #storeOf(sha256: string): Promise<BlobStore | undefined> {
    const { stores, database } = this.#deps;
    if (stores.length === 1) return stores[0];
    const row = await database.read((tx) => findBlob(tx, sha256));
    return row === undefined ? undefined : this.#storeCalled(row.store);
  }

  #storeCalled(name: string): BlobStore | undefined {
    return this.#deps.stores.find((store) => store.name === name);
  }
}
