/** Copies of other servers' files: fetched when they are first asked for, kept as long as there is room. */
import { LRUCache } from 'lru-cache';
import type { Clock } from '../../clock.ts';
import { RefusedError, UnreachableError } from '../../federation/index.ts';
import { upTo } from '../../lru.ts';
import { MatrixError, notFound } from '../../protocol/errors.ts';
import type { ServerName } from '../../protocol/ids/index.ts';
import { Slots } from '../../slots.ts';
import type { Database } from '../../storage/index.ts';
import type { Blobs } from '../blobs/blobs.ts';
import type { StagedFile } from '../blobs/staging.ts';
import { cleanContentType } from '../content-types.ts';
import { cleanFileName } from '../file-name.ts';
import { FileVetoError, type Intake } from '../intake.ts';
import { type FindOptions, type RemoteMedia, WAIT_MS_DEFAULT, WAIT_MS_MAX } from '../library.ts';
import { type MediaItem, toItem } from '../media-item.ts';
import { findMedia, insertMedia, type MediaRow } from '../store/media-rows.ts';
import type { RemoteFile, RemoteSource } from './remote-source.ts';
import { RemoteFailureError, watched } from './watched-stream.ts';

export interface RemoteCacheDeps {
  readonly database: Database;
  readonly blobs: Blobs;
  readonly intake: Intake;
  readonly clock: Clock;
  readonly source: RemoteSource;
  /** Servers whose files are never fetched. */
  readonly deniedServers: readonly string[];
  readonly fileBytesMax: number;
  /** For all of a file. */
  readonly timeoutMs: number;
  /** Files that are fetched at once from one server. */
  readonly perServerMax: number;
  /** Files that come now may be downloaded without login. */
  readonly isOpen: boolean;
  /** Called before a file is kept, with its size; what it gives is disposed of after. */
  readonly makeRoom: (bytes: number) => Promise<Disposable>;
}

const WAITING_PER_SERVER_MAX = 100;
const FAILURES_MAX = 5_000;
/** By what the client is told. */
const FAILURE_KEPT_MS: Readonly<Record<string, number>> = {
  M_NOT_FOUND: 60_000,
  M_TOO_LARGE: 10 * 60_000,
  // May pass: the other server is away, or can't check our signature just now.
  M_UNKNOWN: 5_000,
};

/** Gets files of other servers. */
export class RemoteCache implements RemoteMedia, AsyncDisposable {
  readonly #deps: RemoteCacheDeps;
  readonly #slots: Slots;
  readonly #running = new Map<string, Promise<MediaItem>>();
  /** What couldn't be had a moment ago isn't asked for again at once. */
  readonly #failures = new LRUCache<string, { readonly error: MatrixError; readonly untilTs: number }>(
    upTo(FAILURES_MAX),
  );
  readonly #stopping = new AbortController();

  constructor(deps: RemoteCacheDeps) {
    this.#deps = deps;
    this.#slots = new Slots({ perKeyMax: deps.perServerMax, waitingMax: WAITING_PER_SERVER_MAX });
  }

  /** The file, once it is here. Who asks for the same at the same time gets the same. @throws MatrixError as clients get it */
  find(origin: ServerName, mediaId: string, options: FindOptions): Promise<MediaItem> {
    const key = `${origin}/${mediaId}`;
    const failure = this.#failures.get(key);
    if (failure !== undefined && failure.untilTs > this.#deps.clock.now()) return Promise.reject(failure.error);
    const known = this.#running.get(key);
    if (known !== undefined) return known;
    const waitMs = Math.min(options.waitMs ?? WAIT_MS_DEFAULT, WAIT_MS_MAX);
    const running = this.#slots
      .run(origin, () => this.#fetch(origin, mediaId, waitMs))
      .catch((error: unknown) => {
        throw this.#remember(key, origin, error);
      })
      .finally(() => this.#running.delete(key));
    this.#running.set(key, running);
    return running;
  }

  /** What the client is told. */
  #remember(key: string, origin: ServerName, error: unknown): unknown {
    const refusal = refusalOf(origin, error);
    if (refusal === undefined) return error;
    const { clock } = this.#deps;
    const keptMs = FAILURE_KEPT_MS[refusal.errcode];
    if (keptMs !== undefined) this.#failures.set(key, { error: refusal, untilTs: clock.now() + keptMs });
    return refusal;
  }

  async #fetch(origin: ServerName, mediaId: string, waitMs: number): Promise<MediaItem> {
    const { intake, deniedServers, fileBytesMax, timeoutMs } = this.#deps;
    if (deniedServers.includes(origin.toLowerCase())) throw notFound(`This server takes no files of ${origin}`);
    // Ends what is still open, whatever happened.
    const ended = new AbortController();
    const signal = AbortSignal.any([ended.signal, this.#stopping.signal, AbortSignal.timeout(timeoutMs)]);
    try {
      const file = await this.#open(origin, mediaId, waitMs, signal);
      if ((file.sizeBytes ?? 0) > fileBytesMax) throw new RemoteFailureError('too large', { isTooLarge: true });
      const contentType = cleanContentType(file.contentType);
      const fileName = cleanFileName(file.fileName);
      const facts = { origin, uploader: undefined, contentType, fileName };
      await using staged = await intake.receive(watched(file.stream, fileBytesMax), facts);
      return await this.#keep(staged, this.#newRow(origin, mediaId, contentType, fileName));
    } catch (error) {
      if (!(error instanceof FileVetoError)) throw error;
      // It would be refused again: it isn't even fetched any more, until an administrator says otherwise.
      const row = {
        ...this.#newRow(origin, mediaId, undefined, undefined),
        is_quarantined: 1,
        quarantined_by: error.checkName,
      };
      await this.#deps.database.write('main', async (tx) => {
        if ((await findMedia(tx, origin, mediaId)) === undefined) await insertMedia(tx, row);
      });
      throw notFound('No such file');
    } finally {
      ended.abort();
    }
  }

  async #open(origin: ServerName, mediaId: string, waitMs: number, signal: AbortSignal): Promise<RemoteFile> {
    try {
      return await this.#deps.source.open({ origin, mediaId, waitMs, signal });
    } catch (cause) {
      if (cause instanceof MatrixError || cause instanceof RefusedError || cause instanceof UnreachableError)
        throw cause;
      throw new RemoteFailureError(cause instanceof Error ? cause.message : String(cause), { cause });
    }
  }

  async #keep(staged: StagedFile, row: Omit<MediaRow, 'media_nid'>): Promise<MediaItem> {
    const { blobs, makeRoom } = this.#deps;
    using _room = await makeRoom(staged.sizeBytes);
    const kept = await blobs.keep(staged, async (tx) => {
      // It may have been quarantined meanwhile, before it was here.
      if ((await findMedia(tx, row.origin, row.media_id)) === undefined) {
        await insertMedia(tx, { ...row, sha256: staged.sha256, size_bytes: staged.sizeBytes });
      }
      return findMedia(tx, row.origin, row.media_id);
    });
    if (kept === undefined || kept.sha256 === null || kept.is_quarantined === 1) throw notFound('No such file');
    return toItem(kept, kept.sha256);
  }

  #newRow(
    origin: ServerName,
    mediaId: string,
    contentType: string | undefined,
    fileName: string | undefined,
  ): Omit<MediaRow, 'media_nid'> {
    const { clock, isOpen } = this.#deps;
    return {
      origin,
      media_id: mediaId,
      uploader: null,
      content_type: contentType ?? null,
      file_name: fileName ?? null,
      sha256: null,
      size_bytes: 0,
      created_ts: clock.now(),
      unused_expires_ts: null,
      last_access_ts: clock.now(),
      is_open: isOpen ? 1 : 0,
      is_quarantined: 0,
      quarantined_by: null,
      is_protected: 0,
    };
  }

  /** Gives up what is just being fetched. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort(new Error('the server stops'));
    await Promise.allSettled(this.#running.values());
  }
}

/** What a client is told of a failure of the other server; undefined for failures of our own. */
function refusalOf(origin: ServerName, error: unknown): MatrixError | undefined {
  if (error instanceof MatrixError) return error;
  if (error instanceof RefusedError) {
    const { errcode, status } = error;
    if (errcode === 'M_NOT_YET_UPLOADED')
      return new MatrixError('M_NOT_YET_UPLOADED', 'The file has not been uploaded yet');
    if (errcode === 'M_TOO_LARGE') return tooLargeThere();
    if (status === 404 || status === 403) return notFound('No such file');
    return new MatrixError('M_UNKNOWN', `${origin} refused to give the file`, { status: 502 });
  }
  if (error instanceof RemoteFailureError && error.isTooLarge) return tooLargeThere();
  if (error instanceof RemoteFailureError || error instanceof UnreachableError) {
    return new MatrixError('M_UNKNOWN', `The file could not be got from ${origin}`, { status: 502 });
  }
  return undefined;
}

/** Spec: client-server-api/#get_matrixclientv1mediadownloadservernamemediaid: 502 where the other server's file is too large. */
const tooLargeThere = (): MatrixError => new MatrixError('M_TOO_LARGE', 'The file is too large', { status: 502 });
