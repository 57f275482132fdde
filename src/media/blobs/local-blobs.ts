import { mkdir, open, opendir, rename, stat, unlink } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import type { BlobStore, ByteRange, StoredBlob } from './blob-store.ts';
import type { StagedFile } from './staging.ts';

/** Large reads while few read, small ones while many do: together they hold about `READERS_BYTES_MAX` in memory. */
const READ_BYTES_MAX = 256 * 1024;
const READ_BYTES_MIN = 32 * 1024;
const READERS_BYTES_MAX = 8 * 1024 * 1024;

const HASH = /^[0-9a-f]{64}$/;

/** Files in a folder, `ab/ab12…`, by the first two digits of their hash. */
export class LocalBlobs implements BlobStore {
  readonly name = 'local';
  readonly #folder: string;
  readonly #knownFolders = new Set<string>();
  #readerCount = 0;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Opens the folder, which is made if it isn't there. */
  static async open(folder: string): Promise<LocalBlobs> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return new LocalBlobs(folder);
  }

  /** Where a file lies, for what reads files by path. */
  pathOf(sha256: string): string {
    return path.join(this.#folder, sha256.slice(0, 2), sha256);
  }

  async sizeOf(sha256: string): Promise<number | undefined> {
    try {
      return (await stat(this.pathOf(sha256))).size;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async put(staged: StagedFile): Promise<void> {
    const target = this.pathOf(staged.sha256);
    const [folder] = await Promise.all([this.#folderOf(target), staged.handle.datasync()]);
    await rename(staged.path, target);
    await syncFolder(folder);
  }

  async open(sha256: string, range?: ByteRange): Promise<Readable | undefined> {
    const handle = await open(this.pathOf(sha256)).catch((error: unknown) => {
      if (isMissing(error)) return undefined;
      throw error;
    });
    if (handle === undefined) return undefined;
    this.#readerCount++;
    const fair = READERS_BYTES_MAX / this.#readerCount;
    const stream = handle.createReadStream({
      highWaterMark: Math.max(READ_BYTES_MIN, Math.min(READ_BYTES_MAX, fair)),
      ...(range === undefined ? {} : { start: range.start, end: range.end }),
    });
    stream.once('close', () => this.#readerCount--);
    return stream;
  }

  async delete(sha256: string): Promise<void> {
    await unlink(this.pathOf(sha256)).catch((error: unknown) => {
      if (!isMissing(error)) throw error;
    });
  }

  async *list(): AsyncIterable<StoredBlob> {
    for await (const folder of await opendir(this.#folder)) {
      if (!folder.isDirectory()) continue;
      for await (const { name } of await opendir(path.join(this.#folder, folder.name))) {
        if (!HASH.test(name)) continue;
        const sizeBytes = await this.sizeOf(name);
        if (sizeBytes !== undefined) yield { sha256: name, sizeBytes };
      }
    }
  }

  async #folderOf(file: string): Promise<string> {
    const folder = path.dirname(file);
    if (this.#knownFolders.has(folder)) return folder;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await syncFolder(this.#folder);
    this.#knownFolders.add(folder);
    return folder;
  }
}

/** A new name is durable only when its folder is. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
