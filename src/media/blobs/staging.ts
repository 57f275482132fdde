/** Where files wait while they come in: a folder of whole and half files, which is emptied at the start. */
import { createHash, randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, unlink } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Chunks, HashingSink } from './hashing-sink.ts';

/** A file that has come in whole and is hashed, but isn't durable. Disposing of it closes it, and removes it unless it was moved away. */
export interface StagedFile extends AsyncDisposable {
  readonly path: string;
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly handle: FileHandle;
  /** To be called when the file lies elsewhere. */
  wasMoved(): void;
}

/** Written at once, per upload, while few come in: each write costs a hop to another thread. */
const WRITE_BYTES_MAX = 512 * 1024;
const WRITE_BYTES_MIN = 64 * 1024;
/** What all uploads together hold in memory, about. */
const WAITING_BYTES_MAX = 16 * 1024 * 1024;
const PART = '.part';

/** The folder `incoming`. */
export class Staging {
  readonly folder: string;
  #receivingCount = 0;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Opens the folder; removes halves of uploads that a crash cut off. */
  static async open(folder: string): Promise<Staging> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const staging = new Staging(folder);
    for (const name of await readdir(folder)) if (name.endsWith(PART)) await staging.remove(path.join(folder, name));
    return staging;
  }

  /** A new path in the folder, for a file that goes if a crash comes before it is taken in. */
  newPath(): string {
    return path.join(this.folder, `${randomBytes(12).toString('hex')}${PART}`);
  }

  /**
   * Writes a stream to a file, hashing it on the way. Rejects, leaving nothing behind, where the stream fails. The memory of
   * `ours` chunks is given back as soon as they are written: nobody else may look at them.
   */
  async receive(stream: Readable, chunks: Chunks = 'shared'): Promise<StagedFile> {
    const file = this.newPath();
    // The first bytes come meanwhile.
    const opening = open(file, 'wx+', 0o600);
    opening.catch(() => undefined);
    this.#receivingCount++;
    try {
      const fair = Math.floor(WAITING_BYTES_MAX / this.#receivingCount);
      const sink = new HashingSink(opening, chunks, Math.max(WRITE_BYTES_MIN, Math.min(WRITE_BYTES_MAX, fair)));
      await pipeline(stream, sink);
      return this.#staged(file, await opening, sink.hash.digest('hex'), sink.sizeBytes);
    } catch (error) {
      // Where it couldn't be opened, that is the error.
      await (await opening).close();
      await this.remove(file);
      throw error;
    } finally {
      this.#receivingCount--;
    }
  }

  /** Removes a file of this folder, if it is there. */
  async remove(file: string): Promise<void> {
    await unlink(file).catch((error: unknown) => {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    });
  }

  /** Hashes a file of this folder that something else has written. */
  async adopt(file: string): Promise<StagedFile> {
    const handle = await open(file, 'r+');
    try {
      const hash = createHash('sha256');
      let sizeBytes = 0;
      for await (const chunk of handle.createReadStream({ autoClose: false, start: 0 })) {
        hash.update(chunk);
        sizeBytes += chunk.length;
      }
      return this.#staged(file, handle, hash.digest('hex'), sizeBytes);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  #staged(file: string, handle: FileHandle, sha256: string, sizeBytes: number): StagedFile {
    let isHere = true;
    return {
      path: file,
      sha256,
      sizeBytes,
      handle,
      wasMoved: () => {
        isHere = false;
      },
      [Symbol.asyncDispose]: async () => {
        const closed = handle.close();
        // One that was moved is durable: nobody needs to wait.
        if (!isHere) return void closed.catch(() => undefined);
        await closed;
        await this.remove(file);
      },
    };
  }
}
