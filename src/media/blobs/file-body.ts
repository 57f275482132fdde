import type { FileHandle } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { WrittenBody } from '../../http/result.ts';

/** Read at once while few read. */
const BUFFER_BYTES = 256 * 1024;
/** So many of them are kept and used again: to allocate them anew costs more than to read into them (m). */
const BUFFERS_MAX = 48;
/** Where more read at once, each has so much. */
const SMALL_BYTES = 32 * 1024;

const free: Buffer[] = [];
let madeCount = 0;

/** A file or a part of it, read into buffers that are used again. */
export class FileBody extends WrittenBody {
  readonly #handle: FileHandle;
  #position: number;
  /** One beyond the last byte. */
  readonly #end: number;

  constructor(handle: FileHandle, start: number, end: number) {
    super();
    this.#handle = handle;
    this.#position = start;
    this.#end = end;
  }

  async writeTo(target: Writable): Promise<void> {
    const writer = new Writer(target);
    try {
      let before: Promise<void> | undefined;
      while (this.#position < this.#end) {
        const buffer = takeBuffer();
        const wanted = Math.min(buffer.length, this.#end - this.#position);
        const { bytesRead } = await this.#handle.read(buffer, 0, wanted, this.#position);
        if (bytesRead === 0) throw new Error('the file is shorter than it was');
        this.#position += bytesRead;
        await before;
        before = writer.write(buffer, bytesRead);
        before.catch(() => undefined);
      }
      await before;
    } finally {
      writer.release();
      await this.#handle.close();
    }
  }

  async discard(): Promise<void> {
    await this.#handle.close();
  }
}

function takeBuffer(): Buffer {
  const buffer = free.pop();
  if (buffer !== undefined) return buffer;
  if (madeCount >= BUFFERS_MAX) return Buffer.allocUnsafe(SMALL_BYTES);
  madeCount++;
  return Buffer.allocUnsafeSlow(BUFFER_BYTES);
}

/** Writes one buffer after the other. One that was not taken when the target closed is never used again. */
class Writer {
  readonly #target: Writable;
  #fail: ((error: Error) => void) | undefined;
  readonly #onClose = (): void => this.#fail?.(new Error('the other side is gone'));

  constructor(target: Writable) {
    this.#target = target;
    target.once('close', this.#onClose);
  }

  /** Resolves when the buffer has been taken. */
  write(buffer: Buffer, length: number): Promise<void> {
    const isWhole = buffer.length === BUFFER_BYTES;
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void => {
        // Gone with the connection; another may be made in its place.
        if (isWhole) madeCount--;
        reject(error);
      };
      if (this.#target.destroyed) return fail(new Error('the other side is gone'));
      let isSettled = false;
      this.#fail = (error) => {
        if (isSettled) return;
        isSettled = true;
        fail(error);
      };
      this.#target.write(buffer.subarray(0, length), (error) => {
        if (isSettled) return;
        isSettled = true;
        if (error != null) return fail(error);
        if (isWhole) free.push(buffer);
        resolve();
      });
    });
  }

  release(): void {
    this.#target.off('close', this.#onClose);
  }
}
