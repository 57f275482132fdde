/** Finds files to serve, waiting for those that are announced. */
import type { Clock } from '../clock.ts';
import { MatrixError, notFound } from '../protocol/errors.ts';
import type { ServerName } from '../protocol/ids/index.ts';
import type { Database } from '../storage/index.ts';
import type { Hub } from '../streams/index.ts';
import { type MediaItem, toItem } from './media-item.ts';
import { findMedia, type MediaRow, touchMedia } from './store/media-rows.ts';
import { uploadedKey } from './uploads.ts';

/** How long to wait for a file that is announced where the client doesn't say, and at most. */
export const WAIT_MS_DEFAULT = 20_000;
export const WAIT_MS_MAX = 60_000;
/** How often accesses are written. */
const FLUSH_INTERVAL_MS = 60_000;
/** An access is noted again after this time: less would only cost writes. */
const ACCESS_GRAIN_MS = 3_600_000;

export interface FindOptions {
  /** How long to wait for an announced upload. */
  readonly waitMs?: number | undefined;
  readonly signal?: AbortSignal;
  /** Whether a file of another server may be fetched. */
  readonly allowRemote?: boolean;
}

/** Gets the files of other servers that aren't here. Undefined where there is none. */
export interface RemoteMedia {
  find(origin: ServerName, mediaId: string, options: FindOptions): Promise<MediaItem | undefined>;
}

export interface LibraryDeps {
  readonly database: Database;
  readonly hub: Hub;
  readonly clock: Clock;
  readonly serverName: ServerName;
  readonly remote: RemoteMedia | undefined;
  readonly onError: (error: unknown) => void;
}

/** All files that we can serve. */
export class Library implements AsyncDisposable {
  readonly #deps: LibraryDeps;
  readonly #timer: NodeJS.Timeout;
  #accessed = new Set<number>();

  constructor(deps: LibraryDeps) {
    this.#deps = deps;
    this.#timer = setInterval(() => void this.flush().catch(deps.onError), FLUSH_INTERVAL_MS).unref();
  }

  /**
   * The file of an `mxc:` URI. Throws `M_NOT_FOUND` where there is none, or it is quarantined; `M_NOT_YET_UPLOADED` where it
   * was announced and didn't come in time.
   */
  async get(origin: ServerName, mediaId: string, options: FindOptions = {}): Promise<MediaItem> {
    const { serverName, remote } = this.#deps;
    const row = await this.#find(origin, mediaId);
    if (row?.is_quarantined === 1) throw notFound('No such file');
    if (row === undefined && origin !== serverName && options.allowRemote !== false) {
      const item = await remote?.find(origin, mediaId, options);
      if (item !== undefined) return item;
    }
    const ready = row?.sha256 === null ? await this.#wait(row, options) : row;
    if (ready === undefined || ready.sha256 === null || ready.is_quarantined === 1) throw notFound('No such file');
    this.#noteAccess(ready);
    return toItem(ready, ready.sha256);
  }

  #find(origin: string, mediaId: string): Promise<MediaRow | undefined> {
    return this.#deps.database.read((tx) => findMedia(tx, origin, mediaId));
  }

  async #wait(row: MediaRow, { waitMs = WAIT_MS_DEFAULT, signal }: FindOptions): Promise<MediaRow | undefined> {
    const { hub, clock } = this.#deps;
    if (row.unused_expires_ts !== null && row.unused_expires_ts <= clock.now()) return undefined;
    const timeout = AbortSignal.timeout(Math.min(waitMs, WAIT_MS_MAX));
    const ended = signal === undefined ? timeout : AbortSignal.any([timeout, signal]);
    const news = hub.once(uploadedKey(row.media_id), ended);
    // It may have come before we listened.
    let now = await this.#find(row.origin, row.media_id);
    if (now?.sha256 === null) {
      await news;
      now = await this.#find(row.origin, row.media_id);
    }
    if (now?.sha256 === null) throw new MatrixError('M_NOT_YET_UPLOADED', 'The file has not been uploaded yet');
    return now;
  }

  #noteAccess(row: MediaRow): void {
    if (row.last_access_ts + ACCESS_GRAIN_MS < this.#deps.clock.now()) this.#accessed.add(row.media_nid);
  }

  /** Writes which files were served lately. */
  async flush(): Promise<void> {
    if (this.#accessed.size === 0) return;
    const nids = [...this.#accessed];
    this.#accessed = new Set();
    await this.#deps.database.write('main', (tx) => touchMedia(tx, nids, this.#deps.clock.now()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
  }
}
