import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import type { Database, WriteTx } from '../../storage/index.ts';
import { findBlob } from '../store/blob-rows.ts';
import { deleteUnsettled, insertUnsettled, listUnsettled, takeBackRows } from '../store/unsettled-rows.ts';
import type { BlobStore } from './blob-store.ts';

/** Files that became durable stay marked so long: one write for many. */
const FLUSH_MS = 1_000;

/**
 * Knows which files have a row but may not be durable yet, since both are written at once. The marks are in the database,
 * so that they are there after a power cut if, and only if, the rows are.
 */
export class Settling implements AsyncDisposable {
  readonly #database: Database;
  /** Durable, but still marked. */
  readonly #settled = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Takes back the rows of files that a power cut has torn, and gives their hashes. */
  async mend(stores: readonly Pick<BlobStore, 'name' | 'pathOf'>[]): Promise<readonly string[]> {
    const marked = await this.#database.read(listUnsettled);
    const torn: string[] = [];
    for (const sha256 of marked) {
      // One without a row was deleted, and one that doesn't lie on this machine was brought away when it was whole.
      const row = await this.#database.read((tx) => findBlob(tx, sha256));
      const file = stores.find((store) => store.name === row?.store)?.pathOf(sha256);
      if (file !== undefined && !(await isWhole(file, sha256))) torn.push(sha256);
    }
    for (const sha256 of torn) await this.takeBack(sha256);
    if (marked.length > 0) await this.#database.write('main', (tx) => deleteUnsettled(tx, marked));
    return torn;
  }

  /** Marks a file, in the transaction that writes its row. */
  async begin(tx: WriteTx, sha256: string): Promise<void> {
    await insertUnsettled(tx, sha256);
    this.#settled.delete(sha256);
  }

  /** The file is durable. Its mark goes soon. */
  end(sha256: string): void {
    this.#settled.add(sha256);
    this.#timer ??= setTimeout(() => void this.#flush(), FLUSH_MS).unref();
  }

  /** The file could not be made durable: forgets it with all that refers to it. */
  async takeBack(sha256: string): Promise<void> {
    await this.#database.write('main', (tx) => takeBackRows(tx, sha256));
  }

  async #flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    let going: readonly string[] = [];
    const written = this.#database.write('main', async (tx) => {
      // Read here and not before: a file may have been deleted and be coming anew by now.
      going = [...this.#settled];
      this.#settled.clear();
      if (going.length > 0) await deleteUnsettled(tx, going);
    });
    // They go with the next ones; the next start only looks at more than it need.
    await written.catch(() => going.forEach((sha256) => void this.#settled.add(sha256)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#settled.size > 0) await this.#flush();
    clearTimeout(this.#timer);
  }
}

async function isWhole(file: string, sha256: string): Promise<boolean> {
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(file), hash);
  } catch {
    return false;
  }
  return hash.digest('hex') === sha256;
}
