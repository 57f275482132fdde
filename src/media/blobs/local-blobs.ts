import { type FileHandle, mkdir, open, opendir, readdir, rename, stat, unlink } from 'node:fs/promises';
import path from 'node:path';
import type { WrittenBody } from '../../http/result.ts';
import type { BlobStore, ByteRange, PutBlob, StoredBlob } from './blob-store.ts';
import { FileBody } from './file-body.ts';
import type { StagedFile } from './staging.ts';

const HASH = /^[0-9a-f]{64}$/;
/** The folders' names: `00` to `ff`. */
const PREFIXES = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'));

/** Files in a folder, `ab/ab12…`, by the first two digits of their hash. */
export class LocalBlobs implements BlobStore {
  readonly name = 'local';
  readonly #folder: string;
  /** The 256 folders that have been written to, open for fsync. */
  readonly #folders = new Map<string, Promise<FileHandle>>();

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Opens the folder, which is made with all that are in it if it isn't there: no upload then waits until one is durable. */
  static async open(folder: string): Promise<LocalBlobs> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const there = new Set(await readdir(folder));
    const missing = PREFIXES.filter((prefix) => !there.has(prefix));
    if (missing.length > 0) {
      await Promise.all(missing.map((prefix) => mkdir(path.join(folder, prefix), { recursive: true, mode: 0o700 })));
      await using parent = await open(folder);
      await parent.sync();
    }
    return new LocalBlobs(folder);
  }

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

  async put(staged: StagedFile): Promise<PutBlob> {
    const target = this.pathOf(staged.sha256);
    const folder = await this.#folderOf(target);
    // Renamed first: one commit of the file system's journal then holds both, and the second sync finds nothing to do.
    await rename(staged.path, target);
    staged.wasMoved();
    return { syncing: Promise.all([staged.handle.datasync(), folder.sync()]) };
  }

  async open(sha256: string, sizeBytes: number, range?: ByteRange): Promise<WrittenBody | undefined> {
    try {
      const handle = await open(this.pathOf(sha256));
      return new FileBody(handle, range?.start ?? 0, range === undefined ? sizeBytes : range.end + 1);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
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

  async [Symbol.asyncDispose](): Promise<void> {
    const handles = await Promise.allSettled(this.#folders.values());
    this.#folders.clear();
    for (const handle of handles) if (handle.status === 'fulfilled') await handle.value.close();
  }

  #folderOf(file: string): Promise<FileHandle> {
    const folder = path.dirname(file);
    let handle = this.#folders.get(folder);
    if (handle === undefined) {
      handle = open(folder);
      this.#folders.set(folder, handle);
      handle.catch(() => this.#folders.delete(folder));
    }
    return handle;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
