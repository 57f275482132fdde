/** Where files wait while they come in: a folder of whole and half files, which is emptied at the start. */
import { createHash, randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, unlink } from 'node:fs/promises';
import path from 'node:path';
import { type Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

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

  /** Writes a stream to a file, hashing it on the way. Rejects, leaving nothing behind, where the stream fails. */
  async receive(stream: Readable): Promise<StagedFile> {
    const file = this.newPath();
    const handle = await open(file, 'wx+', 0o600);
    this.#receivingCount++;
    try {
      const fair = Math.floor(WAITING_BYTES_MAX / this.#receivingCount);
      const sink = new HashingSink(handle, Math.max(WRITE_BYTES_MIN, Math.min(WRITE_BYTES_MAX, fair)));
      await pipeline(stream, sink);
      return this.#staged(file, handle, sink.hash.digest('hex'), sink.sizeBytes);
    } catch (error) {
      await handle.close();
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
        await handle.close();
        if (isHere) await this.remove(file);
      },
    };
  }
}

/** Gathers what comes into few large writes, and hashes it while the disk is at it. */
class HashingSink extends Writable {
  readonly hash = createHash('sha256');
  sizeBytes = 0;
  readonly #handle: FileHandle;
  readonly #writeBytes: number;
  #writing: Promise<void> = Promise.resolve();
  #gathered: Buffer[] = [];
  #gatheredBytes = 0;

  constructor(handle: FileHandle, writeBytes: number) {
    super({ highWaterMark: writeBytes, decodeStrings: false });
    this.#handle = handle;
    this.#writeBytes = writeBytes;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#gathered.push(chunk);
    this.#gatheredBytes += chunk.length;
    if (this.#gatheredBytes < this.#writeBytes) {
      done();
      return;
    }
    // The next bytes come in while these are written.
    const before = this.#writing;
    this.#flush();
    before.then(() => done(), done);
  }

  override _final(done: (error?: Error | null) => void): void {
    const before = this.#writing;
    if (this.#gatheredBytes > 0) this.#flush();
    Promise.all([before, this.#writing]).then(() => done(), done);
  }

  /** Waits for the disk before the file is closed under it. */
  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#writing.then(
      () => done(error),
      (failed: Error) => done(error ?? failed),
    );
  }

  #flush(): void {
    const chunks = this.#gathered;
    const position = this.sizeBytes;
    this.sizeBytes += this.#gatheredBytes;
    this.#writing = writeAll(this.#handle, chunks, this.#gatheredBytes, position);
    this.#writing.catch(() => undefined);
    this.#gathered = [];
    this.#gatheredBytes = 0;
    // While the disk is at it.
    for (const chunk of chunks) this.hash.update(chunk);
  }
}

async function writeAll(handle: FileHandle, chunks: Buffer[], total: number, position: number): Promise<void> {
  const { bytesWritten } = await handle.writev(chunks, position);
  if (bytesWritten === total) return;
  // The disk took a part: the rest in one piece, or the error that says why not.
  const rest = Buffer.concat(chunks).subarray(bytesWritten);
  const next = await handle.writev([rest], position + bytesWritten);
  if (next.bytesWritten < rest.length) throw new Error('the disk took less than it was given');
}
