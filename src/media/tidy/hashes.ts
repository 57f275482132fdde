/** `media verify --hash`: reads every file, and finds those whose bytes are no more what their name says. */
import { createHash } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { Writable } from 'node:stream';
import type { Blobs } from '../blobs/blobs.ts';
import type { BlobRow } from '../store/blob-rows.ts';
import { listBlobs } from '../store/tidy-rows.ts';
import type { VerifyDeps } from './verify.ts';

export interface HashCheck extends VerifyDeps {
  /** Remembers how far it came, so that one that was broken off goes on there. */
  readonly progressFile: string;
  readonly signal: AbortSignal;
  readonly onProgress: (line: string) => void;
}

/** What was read, and what was wrong. */
export interface HashReport {
  readonly checkedCount: number;
  /** Names of files with other bytes, or that could not be read. */
  readonly damaged: readonly string[];
}

const PAGE = 100;
const PROGRESS_BYTES = 256 * 1024 * 1024;
/** After each piece that was hashed the server gets this long for its users. */
const PAUSE_MS = 1;
const PAUSE_BYTES = 256 * 1024;
const HASH = /^[0-9a-f]{64}$/;

/** Goes through all files in the order of their names; `onDamaged` is called for each that is wrong. */
export async function checkHashes(check: HashCheck, onDamaged: (sha256: string) => Promise<void>): Promise<HashReport> {
  const { database, progressFile, signal, onProgress } = check;
  const damaged: string[] = [];
  let after = await readProgress(progressFile);
  if (after !== '') onProgress(`going on after ${after}`);
  let checkedCount = 0;
  let bytes = 0;
  let savedBytes = 0;
  for (let page = await nextPage(); page.length > 0; page = await nextPage()) {
    for (const row of page) {
      signal.throwIfAborted();
      if (!(await isWhole(check.blobs, row))) {
        damaged.push(row.sha256);
        await onDamaged(row.sha256);
      }
      checkedCount++;
      bytes += row.size_bytes;
      after = row.sha256;
      if (bytes - savedBytes < PROGRESS_BYTES) continue;
      savedBytes = bytes;
      await writeProgress(progressFile, after);
      onProgress(`${checkedCount} files, ${Math.round(bytes / 1e6)} MB read; ${damaged.length} damaged`);
    }
  }
  await rm(progressFile, { force: true });
  return { checkedCount, damaged };

  function nextPage(): Promise<readonly BlobRow[]> {
    return database.read((tx) => listBlobs(tx, after, PAGE));
  }
}

/** False where the bytes differ or can't be read. One that was deleted meanwhile is not damaged, and a lost one is found elsewhere. */
async function isWhole(blobs: Blobs, { sha256, size_bytes }: BlobRow): Promise<boolean> {
  try {
    const body = await blobs.open(sha256, size_bytes);
    if (body === undefined) return true;
    const sink = new PausingHash();
    await body.writeTo(sink);
    return sink.hash.digest('hex') === sha256;
  } catch {
    return false;
  }
}

/** Hashes, with pauses. */
class PausingHash extends Writable {
  readonly hash = createHash('sha256');
  #sincePause = 0;

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.hash.update(chunk);
    this.#sincePause += chunk.length;
    if (this.#sincePause < PAUSE_BYTES) {
      done();
      return;
    }
    this.#sincePause = 0;
    setTimeout(done, PAUSE_MS);
  }
}

async function readProgress(file: string): Promise<string> {
  const text = await readFile(file, 'latin1').catch(() => '');
  return HASH.test(text) ? text : '';
}

async function writeProgress(file: string, sha256: string): Promise<void> {
  await writeFile(`${file}.new`, sha256, { mode: 0o600 });
  await rename(`${file}.new`, file);
}
