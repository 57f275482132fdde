/** `media verify`: files without rows, rows without files, and what hangs on nothing; mended where that is wanted. */
import type { ServerName } from '../../protocol/ids/index.ts';
import type { Database } from '../../storage/index.ts';
import type { Blobs } from '../blobs/blobs.ts';
import { deletePicture } from '../store/thumbnail-rows.ts';
import {
  deleteThumbnailsWith,
  listBlobs,
  listLostSources,
  listMediaWithoutBlob,
  referrersOf,
} from '../store/tidy-rows.ts';
import type { Deletions } from './deletions.ts';
import { checkHashes, type HashCheck, type HashReport } from './hashes.ts';

export interface VerifyDeps {
  readonly database: Database;
  readonly blobs: Blobs;
  readonly deletions: Deletions;
  readonly serverName: ServerName;
}

/** What was looked at, and what was wrong. */
export interface VerifyReport {
  readonly fileCount: number;
  readonly rowCount: number;
  /** Files without a row. */
  readonly orphanFiles: readonly string[];
  /** Rows that nothing refers to. */
  readonly orphanRows: readonly string[];
  /** `mxc:` URIs whose file is lost or has another size than it had: they can't be had back. */
  readonly lost: readonly string[];
  /** Thumbnails that are lost, or are of files that are: they are made again when asked for. */
  readonly thumbnailCount: number;
  /** What `hash` has found; undefined without it. */
  readonly hashes: HashReport | undefined;
}

/** `mend`: set right what is wrong. `hash`: read every file too; this takes long. */
export interface VerifyOptions {
  readonly mend: boolean;
  readonly hash?: Omit<HashCheck, keyof VerifyDeps> | undefined;
}

const PAGE = 500;

/** Looks through everything. The server may be running meanwhile. */
export async function verifyMedia(deps: VerifyDeps, { mend, hash }: VerifyOptions): Promise<VerifyReport> {
  const mendDamaged = (sha256: string) => (mend ? replaceDamaged(deps, sha256) : Promise.resolve());
  const hashes = hash === undefined ? undefined : await checkHashes({ ...deps, ...hash }, mendDamaged);
  const files = await checkFiles(deps, mend);
  const { thumbnailCount, ...rows } = await checkRows(deps, mend);
  const lostThumbnails = await checkThumbnails(deps, mend);
  return { ...files, ...rows, thumbnailCount: thumbnailCount + lostThumbnails, hashes };
}

/** Forgets a damaged file that can be had again: a thumbnail, or another server's. One of our users stays: a bit of it may be wrong. */
async function replaceDamaged({ database, blobs, deletions, serverName }: VerifyDeps, sha256: string): Promise<void> {
  const { media } = await database.read((tx) => referrersOf(tx, sha256));
  if (media.some(({ origin }) => origin === serverName)) return;
  await database.write('main', (tx) => deleteThumbnailsWith(tx, sha256));
  await deletions.delete(media, 'the file was damaged');
  await blobs.deleteUnused([sha256]);
}

async function checkFiles({ blobs }: VerifyDeps, mend: boolean) {
  const orphanFiles: string[] = [];
  let fileCount = 0;
  for await (const { sha256, store } of blobs.listFiles()) {
    fileCount++;
    if (await blobs.isOrphan(sha256, store, mend)) orphanFiles.push(sha256);
  }
  return { fileCount, orphanFiles };
}

async function checkRows({ database, blobs, deletions }: VerifyDeps, mend: boolean) {
  const orphanRows: string[] = [];
  const lost: string[] = [];
  let thumbnailCount = 0;
  let rowCount = 0;
  for (let after: string | undefined = ''; after !== undefined; ) {
    const from: string = after;
    const page = await database.read((tx) => listBlobs(tx, from, PAGE));
    for (const { sha256, size_bytes } of page) {
      rowCount++;
      const { media, thumbnails } = await database.read((tx) => referrersOf(tx, sha256));
      const isUsed = media.length > 0 || thumbnails.length > 0;
      const isWhole = (await blobs.sizeOf(sha256)) === size_bytes;
      if (isUsed && isWhole) continue;
      if (!isUsed) orphanRows.push(sha256);
      lost.push(...media.map(mxcOf));
      thumbnailCount += thumbnails.length;
      if (!mend) continue;
      await database.write('main', (tx) => deleteThumbnailsWith(tx, sha256));
      await deletions.delete(media, 'the file was lost');
      await blobs.deleteUnused([sha256]);
    }
    after = page.length < PAGE ? undefined : page.at(-1)?.sha256;
  }
  for (let after: number | undefined = -1; after !== undefined; ) {
    const from: number = after;
    const page = await database.read((tx) => listMediaWithoutBlob(tx, from, PAGE));
    lost.push(...page.map(mxcOf));
    if (mend) await deletions.delete(page, 'the file was lost');
    after = page.length < PAGE ? undefined : page.at(-1)?.media_nid;
  }
  return { rowCount, orphanRows, lost, thumbnailCount };
}

async function checkThumbnails({ database, blobs }: VerifyDeps, mend: boolean): Promise<number> {
  let count = 0;
  for (let after: string | undefined = ''; after !== undefined; ) {
    const from: string = after;
    const page = await database.read((tx) => listLostSources(tx, from, PAGE));
    count += page.length;
    for (const source of mend ? page : []) {
      const freed = await database.write('main', (tx) => deletePicture(tx, source));
      await blobs.deleteUnused(freed);
    }
    after = page.length < PAGE ? undefined : page.at(-1);
  }
  return count;
}

function mxcOf({ origin, media_id }: { readonly origin: string; readonly media_id: string }): string {
  return `mxc://${origin}/${media_id}`;
}
