/** Takes files in: at once, or announced first and sent later. */
import { randomBytes } from 'node:crypto';
import type { Readable } from 'node:stream';
import type { Clock } from '../clock.ts';
import { forbidden, limitExceeded, MatrixError, notFound } from '../protocol/errors.ts';
import type { ServerName, UserId } from '../protocol/ids/index.ts';
import type { Database, WriteTx } from '../storage/index.ts';
import type { Hub } from '../streams/index.ts';
import type { Blobs } from './blobs/blobs.ts';
import type { StagedFile } from './blobs/staging.ts';
import { cleanContentType, OCTET_STREAM } from './content-types.ts';
import { cleanFileName } from './file-name.ts';
import type { Intake } from './intake.ts';
import { assertSize, assertType, type MediaRules } from './rules.ts';
import {
  addUsage,
  completeMedia,
  countPending,
  findMedia,
  insertMedia,
  type MediaRow,
  usageOf,
} from './store/media-rows.ts';

/** A file that comes in. */
export interface Upload {
  readonly contentType: string | undefined;
  readonly fileName: string | undefined;
  /** As the client announced it, in bytes. */
  readonly contentLength: number | undefined;
  stream(): Readable;
}

export interface UploadsDeps {
  readonly database: Database;
  readonly blobs: Blobs;
  readonly intake: Intake;
  readonly hub: Hub;
  readonly clock: Clock;
  readonly serverName: ServerName;
  readonly rules: MediaRules;
  /** Called in the transaction that takes a file in. */
  readonly onUpload?: (tx: WriteTx, mediaId: string) => Promise<void>;
}

/** The hub's key of the file of an announced upload. */
export const uploadedKey = (mediaId: string): string => `media:${mediaId}`;

/** 144 random bits: nobody guesses them. */
const MEDIA_ID_BYTES = 18;
/** What a client is told that has announced too many: it may send one of the files, or wait. */
const RETRY_PENDING_MS = 60_000;

interface Described {
  readonly contentType: string | undefined;
  readonly fileName: string | undefined;
}

/** The uploads of our own users. */
export class Uploads {
  readonly #deps: UploadsDeps;

  constructor(deps: UploadsDeps) {
    this.#deps = deps;
  }

  /** Takes a file in and gives its media id. It is durable when this resolves. */
  async upload(userId: UserId, upload: Upload): Promise<string> {
    const described = await this.#check(userId, upload);
    await using file = await this.#receive(userId, upload, described);
    const mediaId = newMediaId();
    await this.#deps.blobs.keep(file, async (tx) => {
      await this.#takeFromQuota(tx, userId, file);
      await insertMedia(tx, { ...this.#newRow(userId, mediaId), ...fileColumns(file), ...describe(described) });
      await this.#deps.onUpload?.(tx, mediaId);
    });
    return mediaId;
  }

  /** Announces an upload: its media id, and until when the file must have come. */
  async create(userId: UserId): Promise<{ readonly mediaId: string; readonly expiresTs: number }> {
    const { database, clock, rules } = this.#deps;
    const mediaId = newMediaId();
    const expiresTs = clock.now() + rules.pendingLifetimeMs;
    await database.write('main', async (tx) => {
      if ((await countPending(tx, userId, clock.now())) >= rules.pendingMax) throw limitExceeded(RETRY_PENDING_MS);
      await insertMedia(tx, { ...this.#newRow(userId, mediaId), unused_expires_ts: expiresTs });
    });
    return { mediaId, expiresTs };
  }

  /**
   * Takes in the file of an announced upload. Throws `M_NOT_FOUND` where none was announced (any more), `M_FORBIDDEN` for
   * another user's, `M_CANNOT_OVERWRITE_MEDIA` where it has its file.
   */
  async complete(userId: UserId, origin: ServerName, mediaId: string, upload: Upload): Promise<void> {
    const { database, blobs, hub } = this.#deps;
    const row = await database.read((tx) => findMedia(tx, origin, mediaId));
    this.#assertAwaited(row, userId);
    const described = await this.#check(userId, upload);
    await using file = await this.#receive(userId, upload, described);
    await blobs.keep(file, async (tx) => {
      const now = await findMedia(tx, origin, mediaId);
      this.#assertAwaited(now, userId);
      await this.#takeFromQuota(tx, userId, file);
      const { is_open, last_access_ts } = this.#newRow(userId, mediaId);
      const change = { ...fileColumns(file), ...describe(described), is_open, last_access_ts };
      if (!(await completeMedia(tx, now.media_nid, change))) throw alreadyUploaded();
      await this.#deps.onUpload?.(tx, mediaId);
      tx.onCommit(() => hub.wake([uploadedKey(mediaId)]));
    });
  }

  async #receive(uploader: UserId, upload: Upload, described: Described): Promise<StagedFile> {
    const { intake, serverName, rules } = this.#deps;
    const staged = await intake.receive(upload.stream(), { origin: serverName, uploader, ...described }, 'ours');
    try {
      assertSize(rules, described.contentType ?? OCTET_STREAM, staged.sizeBytes);
      return staged;
    } catch (error) {
      await staged[Symbol.asyncDispose]();
      throw error;
    }
  }

  #assertAwaited(row: MediaRow | undefined, userId: UserId): asserts row is MediaRow {
    const { clock, serverName } = this.#deps;
    if (row === undefined || row.origin !== serverName || row.uploader === null) throw notFound('Unknown media id');
    if (row.uploader !== userId) throw forbidden('Another user has created this media id');
    if (row.sha256 !== null) throw alreadyUploaded();
    if (row.unused_expires_ts !== null && row.unused_expires_ts <= clock.now()) throw notFound('The id has expired');
  }

  /** Refuses before the file comes what can be told by then. */
  async #check(userId: UserId, upload: Upload): Promise<Described> {
    const { rules, database } = this.#deps;
    const contentType = cleanContentType(upload.contentType);
    assertType(rules, contentType ?? OCTET_STREAM);
    assertSize(rules, contentType ?? OCTET_STREAM, upload.contentLength ?? 0);
    if (rules.quotaBytes !== undefined && upload.contentLength !== undefined) {
      const used = await database.read((tx) => usageOf(tx, userId));
      if (used + upload.contentLength > rules.quotaBytes) throw overQuota();
    }
    return { contentType, fileName: cleanFileName(upload.fileName) };
  }

  async #takeFromQuota(tx: WriteTx, userId: UserId, file: StagedFile): Promise<void> {
    const { quotaBytes } = this.#deps.rules;
    if (quotaBytes !== undefined && (await usageOf(tx, userId)) + file.sizeBytes > quotaBytes) throw overQuota();
    await addUsage(tx, userId, file.sizeBytes, 1);
  }

  #newRow(userId: UserId, mediaId: string): Omit<MediaRow, 'media_nid'> {
    const { clock, serverName, rules } = this.#deps;
    return {
      origin: serverName,
      media_id: mediaId,
      uploader: userId,
      content_type: null,
      file_name: null,
      sha256: null,
      size_bytes: 0,
      created_ts: clock.now(),
      unused_expires_ts: null,
      last_access_ts: clock.now(),
      is_open: rules.isOpen ? 1 : 0,
      is_quarantined: 0,
      quarantined_by: null,
      is_protected: 0,
    };
  }
}

function newMediaId(): string {
  return randomBytes(MEDIA_ID_BYTES).toString('base64url');
}

function fileColumns({ sha256, sizeBytes }: StagedFile) {
  return { sha256, size_bytes: sizeBytes };
}

function describe({ contentType, fileName }: Described) {
  return { content_type: contentType ?? null, file_name: fileName ?? null };
}

const overQuota = (): MatrixError => forbidden('You have reached your quota of files');
const alreadyUploaded = (): MatrixError => new MatrixError('M_CANNOT_OVERWRITE_MEDIA', 'The file was already uploaded');
