/** Media: files, thumbnails and link previews, and that the disk doesn't only grow. */
import type { IncomingHttpHeaders } from 'node:http';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import type { Clock } from '../clock.ts';
import type { Config } from '../config/index.ts';
import type { Reply } from '../http/result.ts';
import { type Jobs, job } from '../jobs/index.ts';
import { forbidden, MatrixError, notFound } from '../protocol/errors.ts';
import type { ServerName, UserId } from '../protocol/ids/index.ts';
import type { Database, WriteTx } from '../storage/index.ts';
import type { ConsumerDeps, Hub } from '../streams/index.ts';
import type { BlobStore } from './blobs/blob-store.ts';
import { Blobs } from './blobs/blobs.ts';
import { LocalBlobs } from './blobs/local-blobs.ts';
import { Staging } from './blobs/staging.ts';
import { cleanFileName } from './file-name.ts';
import { type FindOptions, Library, type RemoteMedia } from './library.ts';
import type { Preview, Previews, PreviewsDeps } from './previews/previews.ts';
import { type MediaRules, rulesOf } from './rules.ts';
import { serve } from './serve.ts';
import { findMedia } from './store/media-rows.ts';
import { listDeletions } from './store/reference-rows.ts';
import { listUploads, markMedia } from './store/tidy-rows.ts';
import { PictureProcesses } from './thumbnails/picture-processes.ts';
import type { ThumbnailWish } from './thumbnails/plan.ts';
import { Thumbnails } from './thumbnails/thumbnails.ts';
import { Deletions, type SignRecord } from './tidy/deletions.ts';
import { moveBlobs } from './tidy/move.ts';
import { References } from './tidy/references.ts';
import { Retention } from './tidy/retention.ts';
import { type VerifyReport, verifyMedia } from './tidy/verify.ts';
import { Uploads } from './uploads.ts';

export type { FindOptions, RemoteMedia } from './library.ts';
export type { MediaItem } from './media-item.ts';
export { mediaMigrations } from './store/migrations.ts';
export type { SignRecord } from './tidy/deletions.ts';
export type { VerifyReport } from './tidy/verify.ts';
export type { Upload } from './uploads.ts';

export interface MediaOptions {
  readonly database: Database;
  readonly hub: Hub;
  readonly jobs: Jobs;
  readonly clock: Clock;
  readonly serverName: ServerName;
  readonly config: Config['media'];
  /** Signs the records of what was deleted. */
  readonly sign: SignRecord;
  /** Gets files of other servers; undefined while there is no federation. */
  readonly remote?: RemoteMedia;
  /** What goes wrong where nobody waits for it. */
  readonly onError: (error: unknown) => void;
}

/** Who may have a file: anyone where it is open, or those who are logged in. */
export type Access = 'open' | 'authenticated';

/** A download that is asked for. */
export interface Download extends FindOptions {
  readonly origin: ServerName;
  readonly mediaId: string;
  /** Instead of the file's own name. */
  readonly fileName?: string | undefined;
  readonly access: Access;
  /** For ranges and conditions. */
  readonly headers: IncomingHttpHeaders;
}

/** A thumbnail that is asked for. */
export interface ThumbnailDownload extends Omit<Download, 'fileName'> {
  readonly wish: ThumbnailWish;
}

/** Retention is a matter of days. */
const TIDY_EVERY_MS = 3_600_000;
const DELETE_PAGE = 200;
const THUMBNAIL_JOB = 'media.make_thumbnails';

async function openS3(section: NonNullable<Config['media']['s3']>): Promise<BlobStore> {
  // Loaded only where there is an object store.
  const { S3Blobs } = await import('./blobs/s3-blobs.ts');
  return new S3Blobs({
    endpoint: section.endpoint,
    region: section.region,
    accessKeyId: section.access_key_id,
    secretAccessKey: section.secret_access_key,
    prefix: section.prefix,
  });
}

/** The face of this domain. */
export class Media implements AsyncDisposable {
  readonly serverName: ServerName;
  readonly rules: MediaRules;
  readonly uploads: Uploads;
  readonly library: Library;
  readonly #database: Database;
  readonly #blobs: Blobs;
  readonly #deletions: Deletions;
  readonly #references: References;
  readonly #processes: PictureProcesses;
  readonly #thumbnails: Thumbnails;
  readonly #previewsDeps: PreviewsDeps;
  #previews: Promise<Previews> | undefined;

  /** Opens the folders and mends what a crash left. */
  static async open(options: MediaOptions): Promise<Media> {
    const { database, clock, config } = options;
    const staging = await Staging.open(path.join(config.folder, 'incoming'));
    const journalFile = path.join(config.folder, 'journal');
    const local = await LocalBlobs.open(path.join(config.folder, 'files'));
    const s3 = config.s3 === undefined ? undefined : await openS3(config.s3);
    if (config.store === 's3' && s3 === undefined) throw new Error('media.store is s3, but there is no media.s3');
    const others: readonly BlobStore[] = config.store === 's3' ? [local] : s3 === undefined ? [] : [s3];
    const first = config.store === 's3' && s3 !== undefined ? s3 : local;
    return new Media(options, await Blobs.open({ database, clock, staging, journalFile, stores: [first, ...others] }));
  }

  private constructor(options: MediaOptions, blobs: Blobs) {
    const { database, hub, jobs, clock, serverName, config, remote, onError } = options;
    this.serverName = serverName;
    this.rules = rulesOf(config);
    this.#database = database;
    this.#blobs = blobs;
    this.#deletions = new Deletions({ database, jobs, clock, blobs, sign: options.sign });
    const { tidy } = config;
    this.#references = new References({
      database,
      jobs,
      clock,
      serverName,
      deletions: this.#deletions,
      delayMs: tidy.redacted ? tidy.redacted_delay : undefined,
    });
    const retention = new Retention({
      database,
      clock,
      serverName,
      deletions: this.#deletions,
      localMs: tidy.local_retention,
      remoteMs: tidy.remote_retention,
      remoteBytesMax: tidy.remote_cache_max,
    });
    jobs.declare(
      job({
        name: 'media.tidy',
        payload: z.object({}),
        everyMs: TIDY_EVERY_MS,
        handle: (_, { signal }) => retention.run(signal),
      }),
    );
    const { pixels_max: pixelsMax, timeout: timeoutMs, processes_max } = config.thumbnails;
    const processesMax = processes_max ?? Math.max(1, availableParallelism() - 1);
    this.#processes = new PictureProcesses({ processesMax, timeoutMs });
    this.#thumbnails = new Thumbnails({ database, blobs, processes: this.#processes, pixelsMax });
    this.#previewsDeps = {
      database,
      blobs,
      thumbnails: this.#thumbnails,
      clock,
      serverName,
      config: config.previews,
    };
    const onUpload = async (tx: WriteTx, mediaId: string): Promise<void> => {
      if (config.thumbnails.when === 'at_upload') await jobs.enqueue(tx, THUMBNAIL_JOB, { mediaId });
    };
    this.uploads = new Uploads({ database, blobs, hub, clock, serverName, rules: this.rules, onUpload });
    this.library = new Library({ database, hub, clock, serverName, remote, onError });
    jobs.declare(
      job({
        name: THUMBNAIL_JOB,
        payload: z.object({ mediaId: z.string() }),
        handle: ({ mediaId }) => this.#makeThumbnails(mediaId),
      }),
    );
  }

  /** The file, for a client. Throws `M_NOT_FOUND` also where it isn't open to those who are not logged in. */
  async download(download: Download): Promise<Reply> {
    const { origin, mediaId, access, headers } = download;
    const item = await this.library.get(origin, mediaId, download);
    if (access === 'open' && !item.isOpen) throw notFound('No such file');
    const fileName = cleanFileName(download.fileName) ?? item.fileName;
    return serve(this.#blobs, { ...item, fileName }, headers, access);
  }

  /** A small version of the file, for a client. */
  async thumbnail(download: ThumbnailDownload): Promise<Reply> {
    const { origin, mediaId, access, headers, wish } = download;
    const item = await this.library.get(origin, mediaId, download);
    if (access === 'open' && !item.isOpen) throw notFound('No such file');
    return serve(this.#blobs, await this.#thumbnails.get(item, wish), headers, access);
  }

  /** What a link leads to. */
  async preview(url: string): Promise<Preview> {
    // Loaded at its first use: the client and the parser would make the server's start slower.
    this.#previews ??= import('./previews/previews.ts').then(({ Previews }) => new Previews(this.#previewsDeps));
    return (await this.#previews).get(url);
  }

  /** Begins to follow the events, to know which files are referred to. */
  startFollowing(consumers: ConsumerDeps): void {
    this.#references.start(consumers);
  }

  /** Deletes a file with all that hangs on it. Throws `M_NOT_FOUND` where there is none. */
  async delete(origin: ServerName, mediaId: string, reason: string): Promise<void> {
    const row = await this.#database.read((tx) => findMedia(tx, origin, mediaId));
    if (row === undefined) throw notFound('No such file');
    await this.#deletions.delete([row], reason);
  }

  /** Deletes all that a user has uploaded, also what was only announced. Gives how many files there were. */
  async deleteUploadsOf(userId: UserId, reason: string): Promise<number> {
    for (let count = 0; ; ) {
      const rows = await this.#database.read((tx) => listUploads(tx, userId, 0, DELETE_PAGE));
      if (rows.length === 0) return count;
      await this.#deletions.delete(rows, reason);
      count += rows.length;
    }
  }

  /** Hides a file from everybody, or shows it again. A protected one is not hidden. Throws `M_NOT_FOUND`. */
  async setQuarantined(origin: ServerName, mediaId: string, isQuarantined: boolean): Promise<void> {
    const row = await this.#database.read((tx) => findMedia(tx, origin, mediaId));
    if (row?.is_protected === 1 && isQuarantined) throw forbidden('The file is protected');
    await this.#mark(origin, mediaId, { is_quarantined: isQuarantined ? 1 : 0 });
  }

  /** Protects a file from quarantine and from being tidied away, or no more. Throws `M_NOT_FOUND`. */
  setProtected(origin: ServerName, mediaId: string, isProtected: boolean): Promise<void> {
    return this.#mark(origin, mediaId, { is_protected: isProtected ? 1 : 0 });
  }

  /** The signed records of a file's deletion, as JSON. */
  deletionsOf(mediaId: string): Promise<readonly string[]> {
    return this.#database.read((tx) => listDeletions(tx, mediaId));
  }

  /** Looks for files without rows and rows without files; `mend` sets it right. */
  verify(mend: boolean): Promise<VerifyReport> {
    return verifyMedia({ database: this.#database, blobs: this.#blobs, deletions: this.#deletions }, mend);
  }

  /** Brings files that lie elsewhere to where new ones go, while all is served. Gives how many there were. */
  moveToFirstStore(): Promise<number> {
    return moveBlobs(this.#database, this.#blobs);
  }

  async #mark(origin: string, mediaId: string, marks: Parameters<typeof markMedia>[3]): Promise<void> {
    const isThere = await this.#database.write('main', (tx) => markMedia(tx, origin, mediaId, marks));
    if (!isThere) throw notFound('No such file');
  }

  async #makeThumbnails(mediaId: string): Promise<void> {
    try {
      await this.#thumbnails.makeAll(await this.library.get(this.serverName, mediaId));
    } catch (error) {
      // Deleted meanwhile: nothing to do.
      if (!(error instanceof MatrixError)) throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#references[Symbol.asyncDispose]();
    await (await this.#previews)?.[Symbol.asyncDispose]();
    await this.#processes[Symbol.asyncDispose]();
    await this.library[Symbol.asyncDispose]();
    await this.#blobs[Symbol.asyncDispose]();
  }
}
