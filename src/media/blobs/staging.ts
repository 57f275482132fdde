/** Where files wait while they come in: a folder for whole and half files, and for marks of what is being done. */
import { createHash, randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { type Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** A file that has come in whole and is hashed, but isn't durable. Disposing of it closes it, and removes it if it is still there. */
export interface StagedFile extends AsyncDisposable {
  readonly path: string;
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly handle: FileHandle;
}

/** What may wait in memory for the disk, per upload. */
const WAITING_BYTES_MAX = 512 * 1024;
const PART = '.part';
const MARK = '.mark';

/** The folder `incoming`. */
export class Staging {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Opens the folder; removes halves of uploads that a crash cut off. */
  static async open(folder: string): Promise<Staging> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    for (const name of await readdir(folder)) if (name.endsWith(PART)) await rm(path.join(folder, name));
    return new Staging(folder);
  }

  /** A new path in the folder, for a file that goes if a crash comes before it is taken in. */
  newPath(): string {
    return path.join(this.folder, `${randomBytes(12).toString('hex')}${PART}`);
  }

  /** Writes a stream to a file, hashing it on the way. Rejects, leaving nothing behind, where the stream fails. */
  async receive(stream: Readable): Promise<StagedFile> {
    const file = this.newPath();
    const handle = await open(file, 'wx+', 0o600);
    try {
      const sink = new HashingSink(handle);
      await pipeline(stream, sink);
      return staged(file, handle, sink.hash.digest('hex'), sink.sizeBytes);
    } catch (error) {
      await handle.close();
      await rm(file, { force: true });
      throw error;
    }
  }

  /** Removes a file of this folder, if it is there. */
  async remove(file: string): Promise<void> {
    await rm(file, { force: true });
  }

  /** Hashes a file of this folder that something else has written. */
  async adopt(file: string): Promise<StagedFile> {
    const handle = await open(file, 'r+');
    const hash = createHash('sha256');
    let sizeBytes = 0;
    for await (const chunk of handle.createReadStream({ autoClose: false, start: 0 })) {
      hash.update(chunk);
      sizeBytes += chunk.length;
    }
    return staged(file, handle, hash.digest('hex'), sizeBytes);
  }

  /**
   * Marks that a file is about to be placed or removed, before its row is written or after it has gone. What is still marked
   * after a crash is looked at again; the mark needn't survive a power cut, where `media verify` does the same.
   */
  async mark(sha256: string): Promise<void> {
    const handle = await open(path.join(this.folder, sha256 + MARK), 'w', 0o600);
    await handle.close();
  }

  async unmark(sha256: string): Promise<void> {
    await rm(path.join(this.folder, sha256 + MARK), { force: true });
  }

  /** The files that are marked. */
  async marked(): Promise<readonly string[]> {
    const names = await readdir(this.folder);
    return names.filter((name) => name.endsWith(MARK)).map((name) => name.slice(0, -MARK.length));
  }
}

function staged(file: string, handle: FileHandle, sha256: string, sizeBytes: number): StagedFile {
  return {
    path: file,
    sha256,
    sizeBytes,
    handle,
    async [Symbol.asyncDispose]() {
      await handle.close();
      await rm(file, { force: true });
    },
  };
}

/** Writes what comes, several chunks at once where the disk is slower than the network. */
class HashingSink extends Writable {
  readonly hash = createHash('sha256');
  sizeBytes = 0;
  readonly #handle: FileHandle;

  constructor(handle: FileHandle) {
    super({ highWaterMark: WAITING_BYTES_MAX, decodeStrings: false });
    this.#handle = handle;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#append([chunk], done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.#append(
      chunks.map(({ chunk }) => chunk),
      done,
    );
  }

  #append(chunks: Buffer[], done: (error?: Error | null) => void): void {
    const total = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    const position = this.sizeBytes;
    this.sizeBytes += total;
    writeAll(this.#handle, chunks, total, position).then(() => done(), done);
    // While the disk is at it.
    for (const chunk of chunks) this.hash.update(chunk);
  }
}

async function writeAll(handle: FileHandle, chunks: Buffer[], total: number, position: number): Promise<void> {
  const { bytesWritten } = await handle.writev(chunks, position);
  if (bytesWritten === total) return;
  // The disk took a part: the rest in one piece, or the error that says why not.
  const rest = Buffer.concat(chunks).subarray(bytesWritten);
  await handle.writev([rest], position + bytesWritten).then((next) => {
    if (next.bytesWritten < rest.length) throw new Error('the disk took less than it was given');
  });
}
