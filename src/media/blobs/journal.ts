import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';

const HASH_LENGTH = 64;
const HASH = /^[0-9a-f]{64}$/;
/** From here on it is emptied as soon as nothing is going on. */
const SIZE_BYTES_SOFT = 64 * 1024;

/**
 * Remembers which files are just being placed or removed, so that after a crash only these are looked at: their row and their
 * file may not agree. It survives the process, not a power cut; after one `media verify` finds the same.
 */
export class Journal implements Disposable {
  readonly #fd: number;
  #sizeBytes = 0;
  #openCount = 0;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** Opens the journal, and gives what it says of the time before. It is kept until `clear`. */
  static open(file: string): { readonly journal: Journal; readonly unsettled: readonly string[] } {
    const journal = new Journal(openSync(file, 'a', 0o600));
    const lines = readFileSync(file, 'latin1').split('\n');
    return { journal, unsettled: [...new Set(lines.filter((line) => HASH.test(line)))] };
  }

  /** Forgets the time before, which has been mended. */
  clear(): void {
    ftruncateSync(this.#fd);
    this.#sizeBytes = 0;
  }

  /** Notes a file before it is placed or removed. At once: to wait for another thread takes longer than to copy a line (m). */
  begin(sha256: string): void {
    writeSync(this.#fd, `${sha256}\n`, null, 'latin1');
    this.#openCount++;
    this.#sizeBytes += HASH_LENGTH + 1;
  }

  /** The file and its row agree again. Every `begin` has its `end`. */
  end(): void {
    this.#openCount--;
    if (this.#openCount === 0 && this.#sizeBytes > SIZE_BYTES_SOFT) this.clear();
  }

  [Symbol.dispose](): void {
    if (this.#openCount === 0) this.clear();
    closeSync(this.#fd);
  }
}
