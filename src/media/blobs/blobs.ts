import { createWriteStream } from 'node:fs';
import { PassThrough } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { Clock } from '../../clock.ts';
import type { WrittenBody } from '../../http/result.ts';
import { KeyedLocks } from '../../keyed-locks.ts';
import type { Database, WriteTx } from '../../storage/index.ts';
import { deleteUnusedBlob, findBlob, insertBlob, setBlobStore } from '../store/blob-rows.ts';
import type { BlobStore, ByteRange } from './blob-store.ts';
import { Journal } from './journal.ts';
import { Settling } from './settling.ts';
import type { StagedFile, Staging } from './staging.ts';

export interface BlobsDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly staging: Staging;
  /** The path of the journal. */
  readonly journalFile: string;
  /** Where new files go, and every store that may hold one. */
  readonly stores: readonly [BlobStore, ...BlobStore[]];
}

/** A file on this machine, as long as it isn't disposed of. */
export interface LocalCopy extends AsyncDisposable {
  readonly path: string;
}

/**
 * Files and their rows, kept in step: both are durable before anybody is told, and a file goes after its row has gone. What a
 * crash leaves between the two stands in the journal (files without a row) or is marked as unsettled (rows without a whole
 * file), and is mended at the next start.
 */
export class Blobs implements AsyncDisposable {
  readonly staging: Staging;
  readonly #deps: BlobsDeps;
  readonly #journal: Journal;
  readonly #settling: Settling;
  readonly #locks = new KeyedLocks();

  private constructor(deps: BlobsDeps, journal: Journal) {
    this.#deps = deps;
    this.#journal = journal;
    this.#settling = new Settling(deps.database);
    this.staging = deps.staging;
  }

  /** Mends what a crash left, in time that depends only on what was going on then. */
  static async open(deps: BlobsDeps): Promise<Blobs> {
    const { journal, unsettled } = Journal.open(deps.journalFile);
    const blobs = new Blobs(deps, journal);
    for (const sha256 of await blobs.#settling.mend(deps.stores)) await blobs.#mend(sha256);
    for (const sha256 of unsettled) await blobs.#mend(sha256);
    journal.clear();
    return blobs;
  }

  /** Makes a staged file durable and writes its row together with what `work` writes. Equal files are kept once. */
  async keep<T>(staged: StagedFile, work: (tx: WriteTx) => Promise<T>): Promise<T> {
    const { sha256 } = staged;
    const { database, stores } = this.#deps;
    return this.#locks.run(sha256, async () => {
      const known = await database.read((tx) => findBlob(tx, sha256));
      const store = (known === undefined ? undefined : this.#storeCalled(known.store)) ?? stores[0];
      if (known !== undefined && (await store.sizeOf(sha256)) === staged.sizeBytes) {
        return database.write('main', work);
      }
      return known === undefined ? this.#place(staged, store, work) : this.#replace(staged, store, work);
    });
  }

  async #place<T>(staged: StagedFile, store: BlobStore, work: (tx: WriteTx) => Promise<T>): Promise<T> {
    const { sha256, sizeBytes } = staged;
    const { database, clock } = this.#deps;
    this.#journal.begin(sha256);
    try {
      const { syncing } = await store.put(staged);
      const writing = database.write('main', async (tx) => {
        await insertBlob(tx, { sha256, size_bytes: sizeBytes, store: store.name, created_ts: clock.now() });
        if (syncing !== undefined) await this.#settling.begin(tx, sha256);
        return work(tx);
      });
      // Both at once: each is a wait for the disk.
      const [written, synced] = await Promise.allSettled([writing, syncing]);
      if (written.status === 'rejected') throw written.reason;
      if (synced.status === 'rejected') {
        await this.#settling.takeBack(sha256);
        throw synced.reason;
      }
      if (syncing !== undefined) this.#settling.end(sha256);
      return written.value;
    } catch (error) {
      await this.#mend(sha256);
      throw error;
    } finally {
      this.#journal.end();
    }
  }

  /** Puts a file where another with a row was lost. Others' rows refer to it, so that it must never be torn, nor be taken back. */
  async #replace<T>(staged: StagedFile, store: BlobStore, work: (tx: WriteTx) => Promise<T>): Promise<T> {
    await staged.handle.datasync();
    await (await store.put(staged)).syncing;
    return this.#deps.database.write('main', async (tx) => {
      await setBlobStore(tx, staged.sha256, store.name);
      return work(tx);
    });
  }

  /** The bytes of a file; undefined where it is lost. */
  async open(sha256: string, sizeBytes: number, range?: ByteRange): Promise<WrittenBody | undefined> {
    return (await this.#storeOf(sha256))?.open(sha256, sizeBytes, range);
  }

  /** The file by a path, for programs that read files; a copy where it is stored elsewhere. Undefined where it is lost. */
  async asFile(sha256: string): Promise<LocalCopy | undefined> {
    const store = await this.#storeOf(sha256);
    const sizeBytes = await store?.sizeOf(sha256);
    if (store === undefined || sizeBytes === undefined) return undefined;
    const own = store.pathOf(sha256);
    if (own !== undefined) return { path: own, [Symbol.asyncDispose]: async () => undefined };
    const body = await store.open(sha256, sizeBytes);
    if (body === undefined) return undefined;
    const { staging } = this.#deps;
    const copy = staging.newPath();
    const target = createWriteStream(copy, { mode: 0o600 });
    try {
      await body.writeTo(target);
      target.end();
      await finished(target);
    } catch (error) {
      target.destroy();
      await staging.remove(copy);
      throw error;
    }
    return { path: copy, [Symbol.asyncDispose]: () => staging.remove(copy) };
  }

  /** Deletes those of the files that nothing refers to any more. To be called after the rows that referred to them went. */
  async deleteUnused(hashes: Iterable<string>): Promise<void> {
    for (const sha256 of new Set(hashes)) await this.#locks.run(sha256, () => this.#deleteIfUnused(sha256));
  }

  async #deleteIfUnused(sha256: string): Promise<void> {
    this.#journal.begin(sha256);
    try {
      await this.#deps.database.write('main', (tx) => deleteUnusedBlob(tx, sha256));
      await this.#mend(sha256);
    } finally {
      this.#journal.end();
    }
  }

  /** Every file of every store. */
  async *listFiles(): AsyncIterable<{ readonly sha256: string; readonly store: BlobStore }> {
    for (const store of this.#deps.stores) for await (const { sha256 } of store.list()) yield { sha256, store };
  }

  /** The size of a file where its row says that it is; undefined where it isn't. */
  async sizeOf(sha256: string): Promise<number | undefined> {
    return (await this.#storeOf(sha256))?.sizeOf(sha256);
  }

  /** Whether no row says that a file lies in a store, and it isn't just being placed there. `mend` deletes it then. */
  isOrphan(sha256: string, store: BlobStore, mend: boolean): Promise<boolean> {
    return this.#locks.run(sha256, async () => {
      const row = await this.#deps.database.read((tx) => findBlob(tx, sha256));
      if (row?.store === store.name) return false;
      if (mend) await store.delete(sha256);
      return true;
    });
  }

  /** Brings a file to the store where new ones go; false where it is there, or lost. */
  move(sha256: string): Promise<boolean> {
    const { database, stores, staging } = this.#deps;
    return this.#locks.run(sha256, async () => {
      const [target] = stores;
      const row = await database.read((tx) => findBlob(tx, sha256));
      const source = row === undefined ? undefined : this.#storeCalled(row.store);
      if (row === undefined || source === undefined || source === target) return false;
      const body = await source.open(sha256, row.size_bytes);
      if (body === undefined) return false;
      const through = new PassThrough();
      body.writeTo(through).then(
        () => through.end(),
        (error: Error) => through.destroy(error),
      );
      await using staged = await staging.receive(through);
      if (staged.sha256 !== sha256) throw new Error(`${sha256} is damaged; it stays where it is`);
      await (await target.put(staged)).syncing;
      await database.write('main', (tx) => setBlobStore(tx, sha256, target.name));
      await source.delete(sha256);
      return true;
    });
  }

  /** Deletes a file that has no row, wherever it is. */
  async #mend(sha256: string): Promise<void> {
    const { database, stores } = this.#deps;
    const row = await database.read((tx) => findBlob(tx, sha256));
    if (row === undefined) for (const store of stores) await store.delete(sha256);
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

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#settling[Symbol.asyncDispose]();
    this.#journal[Symbol.dispose]();
    for (const store of this.#deps.stores) await store[Symbol.asyncDispose]();
  }
}
