/** Media: files, thumbnails and link previews, and that the disk doesn't only grow. */
import type { IncomingHttpHeaders } from 'node:http';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import type { Clock } from '../clock.ts';
import type { Config } from '../config/index.ts';
import type { Federation } from '../federation/index.ts';
import type { Reply } from '../http/result.ts';
import { type Jobs, job } from '../jobs/index.ts';
import { MatrixError, notFound } from '../protocol/errors.ts';
import type { ServerName } from '../protocol/ids/index.ts';
import type { Database, WriteTx } from '../storage/index.ts';
import type { ConsumerDeps, Hub } from '../streams/index.ts';
import { MediaAdmin } from './admin.ts';
import type { BlobStore } from './blobs/blob-store.ts';
import { Blobs } from './blobs/blobs.ts';
import { LocalBlobs } from './blobs/local-blobs.ts';
import { Staging } from './blobs/staging.ts';
import { cleanFileName } from './file-name.ts';
import { Intake } from './intake.ts';
import { type FindOptions, Library } from './library.ts';
import type { MediaItem } from './media-item.ts';
import { PictureStripper } from './metadata/picture-stripper.ts';
import type { Preview, Previews, PreviewsDeps } from './previews/previews.ts';
import { makeRemoteCache } from './remote/make-remote-cache.ts';
import type { RemoteCache } from './remote/remote-cache.ts';
import { type MediaRules, rulesOf } from './rules.ts';
import { ScanCheck } from './scan/scan-check.ts';
import { serve } from './serve.ts';
import { serveMultipart } from './serve-multipart.ts';
import { Covers } from './thumbnails/covers.ts';
import { PictureProcesses } from './thumbnails/picture-processes.ts';
import type { ThumbnailWish } from './thumbnails/plan.ts';
import { Thumbnails } from './thumbnails/thumbnails.ts';
import { Deletions, type SignRecord } from './tidy/deletions.ts';
import { moveBlobs } from './tidy/move.ts';
import { References } from './tidy/references.ts';
import { Retention } from './tidy/retention.ts';
import { type VerifyReport, verifyMedia } from './tidy/verify.ts';
import { Uploads } from './uploads.ts';

export type { FileCheck, FileFacts, FileVerdict, IncomingFile } from './intake.ts';
export type { FindOptions } from './library.ts';
export type { MediaItem } from './media-item.ts';
export { type Fetched, GuardedFetch } from './previews/guarded-fetch.ts';
export { MEDIA_ORDERS, type MediaOrder, USER_ORDERS } from './store/admin-rows.ts';
export type { MediaRow } from './store/media-rows.ts';
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
  /** For the files of other servers; undefined where there is no federation. */
  readonly federation: Federation | undefined;
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

/** A file of ours that another server asks for. */
export type DownloadForServer = Pick<Download, 'mediaId' | 'waitMs' | 'signal'>;

/** Retention is a matter of days. */
const TIDY_EVERY_MS = 3_600_000;
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
  readonly admin: MediaAdmin;
  readonly intake: Intake;
  readonly #remote: RemoteCache | undefined;
  readonly #database: Database;
  readonly #verifyProgressFile: string;
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
    const { database, hub, jobs, clock, serverName, config, federation, onError } = options;
    this.serverName = serverName;
    this.rules = rulesOf(config);
    this.#database = database;
    this.#verifyProgressFile = path.join(config.folder, 'verify-progress');
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
    const stripper = config.strip_metadata ? new PictureStripper(blobs.staging, this.#processes) : undefined;
    this.intake = new Intake(blobs.staging, stripper);
    if (config.scan !== undefined) this.intake.addCheck(new ScanCheck(config.scan, onError));
    const processes = this.#processes;
    const ffmpeg = config.thumbnails.ffmpeg === 'none' ? undefined : config.thumbnails.ffmpeg;
    const covers = new Covers({ database, blobs, processes, pixelsMax, timeoutMs, ffmpeg, processesMax });
    this.#thumbnails = new Thumbnails({ database, blobs, processes, covers, serverName, pixelsMax });
    this.#previewsDeps = {
      database,
      blobs,
      intake: this.intake,
      deletions: this.#deletions,
      thumbnails: this.#thumbnails,
      clock,
      serverName,
      config: config.previews,
    };
    const onUpload = async (tx: WriteTx, mediaId: string): Promise<void> => {
      if (config.thumbnails.when === 'at_upload') await jobs.enqueue(tx, THUMBNAIL_JOB, { mediaId });
    };
    const { intake } = this;
    const makeRoom = (bytes: number) => retention.makeRoom(bytes);
    this.#remote = makeRemoteCache(config, federation, { database, blobs, intake, clock, makeRoom });
    this.uploads = new Uploads({ database, blobs, intake, hub, clock, serverName, rules: this.rules, onUpload });
    this.library = new Library({ database, hub, clock, serverName, remote: this.#remote, onError });
    const { library } = this;
    const flushAccesses = () => library.flush();
    this.admin = new MediaAdmin({
      database,
      jobs,
      clock,
      serverName,
      deletions: this.#deletions,
      flushAccesses,
      deletesErased: tidy.erased,
    });
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
    const item = await this.#find(origin, mediaId, access, download);
    const fileName = cleanFileName(download.fileName) ?? item.fileName;
    return serve(this.#blobs, { ...item, fileName }, headers, access);
  }

  /** A small version of the file, for a client. */
  async thumbnail(download: ThumbnailDownload): Promise<Reply> {
    const { origin, mediaId, access, headers, wish } = download;
    const item = await this.#find(origin, mediaId, access, download);
    return serve(this.#blobs, await this.#thumbnails.get(item, wish), headers, access);
  }

  /** A file of ours for another server. Throws as `download` does. Spec: server-server-api/#content-repository */
  async downloadForServer({ mediaId, ...options }: DownloadForServer): Promise<Reply> {
    return serveMultipart(this.#blobs, await this.library.get(this.serverName, mediaId, options));
  }

  /** A small version of a file of ours, for another server. */
  async thumbnailForServer({ mediaId, wish, ...options }: DownloadForServer & { readonly wish: ThumbnailWish }) {
    const item = await this.library.get(this.serverName, mediaId, options);
    return serveMultipart(this.#blobs, await this.#thumbnails.get(item, wish));
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

  /** Looks for files without rows, rows without files and, where it may `hash`, for damaged files. */
  verify(mend: boolean, hash?: { signal: AbortSignal; onProgress: (line: string) => void }): Promise<VerifyReport> {
    const parts = { database: this.#database, blobs: this.#blobs, deletions: this.#deletions };
    const progressFile = this.#verifyProgressFile;
    const options = { mend, hash: hash && { ...hash, progressFile } };
    return verifyMedia({ ...parts, serverName: this.serverName }, options);
  }

  /** Brings files that lie elsewhere to where new ones go, while all is served. Gives how many there were. */
  moveToFirstStore(): Promise<number> {
    return moveBlobs(this.#database, this.#blobs);
  }

  async #find(origin: ServerName, mediaId: string, access: Access, options: FindOptions): Promise<MediaItem> {
    // Nobody makes us fetch what they may not have then.
    const mayFetch = options.allowRemote !== false && (access === 'authenticated' || this.rules.isOpen);
    const item = await this.library.get(origin, mediaId, { ...options, allowRemote: mayFetch });
    if (access === 'open' && !item.isOpen) throw notFound('No such file');
    return item;
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
    await this.#remote?.[Symbol.asyncDispose]();
    await this.#processes[Symbol.asyncDispose]();
    await this.library[Symbol.asyncDispose]();
    await this.#blobs[Symbol.asyncDispose]();
  }
}
