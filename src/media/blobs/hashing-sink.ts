import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { Writable } from 'node:stream';

/** Whether the chunks of a stream are seen by nobody else, so that their memory may be taken away. Bodies of requests are `ours`. */
export type Chunks = 'ours' | 'shared';

/** Gathers what comes into few large writes, and hashes it while the disk is at it. */
export class HashingSink extends Writable {
  readonly hash = createHash('sha256');
  sizeBytes = 0;
  readonly #handle: Promise<FileHandle>;
  readonly #chunks: Chunks;
  readonly #writeBytes: number;
  #writing: Promise<void> = Promise.resolve();
  #gathered: Buffer[] = [];
  #gatheredBytes = 0;

  /** The file may still be being opened while the first bytes come. */
  constructor(handle: Promise<FileHandle>, chunks: Chunks, writeBytes: number) {
    super({ highWaterMark: writeBytes, decodeStrings: false });
    this.#handle = handle;
    this.#chunks = chunks;
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
    this.#writing = this.#write(chunks, this.#gatheredBytes, position);
    this.#writing.catch(() => undefined);
    this.#gathered = [];
    this.#gatheredBytes = 0;
    // While the disk is at it.
    for (const chunk of chunks) this.hash.update(chunk);
  }

  async #write(chunks: Buffer[], total: number, position: number): Promise<void> {
    await writeAll(await this.#handle, chunks, total, position);
    if (this.#chunks === 'ours') for (const chunk of chunks) giveBack(chunk);
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

/**
 * Gives the memory of a chunk back at once. Left to the garbage collector, every 64 MiB of bodies would cause a full
 * collection of the server's heap, in all its threads: more than half of what an upload cost (m). One that shares its memory
 * with others is left alone.
 */
function giveBack({ buffer, byteLength }: Buffer): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}
