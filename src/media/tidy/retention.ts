/** What goes with time: announced uploads that never came, old files where that is wanted, previews, other servers' files. */
import type { Clock } from '../../clock.ts';
import { KeyedLocks } from '../../keyed-locks.ts';
import type { ServerName } from '../../protocol/ids/index.ts';
import type { Database } from '../../storage/index.ts';
import { deleteExpiredPending, findMedia, type MediaRow } from '../store/media-rows.ts';
import { takeOldPreviews } from '../store/preview-rows.ts';
import { listUnusedSince, remoteBytes } from '../store/tidy-rows.ts';
import type { Deletions } from './deletions.ts';

export interface RetentionDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly serverName: ServerName;
  readonly deletions: Deletions;
  /** Files of our users that nobody asked for so long go; undefined: never. */
  readonly localMs: number | undefined;
  /** Likewise those of other servers. */
  readonly remoteMs: number | undefined;
  /** What the files of other servers may take. */
  readonly remoteBytesMax: number;
}

const PAGE = 200;
const NEVER = new AbortController().signal;

/** Runs now and then. */
export class Retention {
  readonly #deps: RetentionDeps;
  readonly #locks = new KeyedLocks();
  /** What other servers' files take, or less: it is counted anew when it seems too much. */
  #keptBytesAtMost = Number.POSITIVE_INFINITY;
  /** What those take for which room was made, and which have no row yet. */
  #comingBytes = 0;
  /** What all of these took that have come so far. */
  #cameBytes = 0;
  #onCame: (() => void) | undefined;

  constructor(deps: RetentionDeps) {
    this.#deps = deps;
  }

  /** Does all of it once. */
  async run(signal: AbortSignal): Promise<void> {
    const { database, clock, localMs, remoteMs } = this.#deps;
    await database.write('main', (tx) => deleteExpiredPending(tx, clock.now()));
    await this.#deletePreviews(signal);
    if (localMs !== undefined) await this.#deleteUnused(true, localMs, signal);
    if (remoteMs !== undefined) await this.#deleteUnused(false, remoteMs, signal);
    await this.#shrinkRemote(signal);
  }

  async #deletePreviews(signal: AbortSignal): Promise<void> {
    const { database, clock, serverName, deletions } = this.#deps;
    while (!signal.aborted) {
      const { count, images } = await database.write('main', async (tx) => {
        const previews = await takeOldPreviews(tx, clock.now(), PAGE);
        const rows: MediaRow[] = [];
        for (const { image_media_id } of previews) {
          const row = image_media_id === null ? undefined : await findMedia(tx, serverName, image_media_id);
          if (row !== undefined && row.is_protected === 0) rows.push(row);
        }
        return { count: previews.length, images: rows };
      });
      await deletions.delete(images, 'the link preview is old');
      if (count < PAGE) return;
    }
  }

  async #deleteUnused(isOurs: boolean, ageMs: number, signal: AbortSignal): Promise<void> {
    const { database, clock, serverName, deletions } = this.#deps;
    while (!signal.aborted) {
      const range = { origin: serverName, isOurs, beforeTs: clock.now() - ageMs, limit: PAGE };
      const rows = await database.read((tx) => listUnusedSince(tx, range));
      await deletions.delete(rows, 'nobody asked for it for a long time');
      if (rows.length < PAGE) return;
    }
  }

  /**
   * Makes room for another file of another server, so that their limit isn't passed in between either. To be disposed of when
   * the file has its row, or won't have one.
   */
  makeRoom(bytes: number): Promise<Disposable> {
    return this.#locks.run('', async () => {
      while (!this.#isRoomFor(bytes)) {
        await this.#shrinkRemote(NEVER, this.#comingBytes + bytes);
        const cameBefore = this.#cameBytes;
        const counted = await this.#remoteBytes();
        // Those that came while they were counted may not be among them.
        this.#keptBytesAtMost = counted + this.#cameBytes - cameBefore;
        // Only what has its row can go: what is still coming is waited for.
        if (this.#isRoomFor(bytes) || this.#comingBytes === 0) break;
        await new Promise<void>((resolve) => {
          this.#onCame = resolve;
        });
      }
      this.#comingBytes += bytes;
      return {
        [Symbol.dispose]: () => {
          this.#comingBytes -= bytes;
          this.#cameBytes += bytes;
          this.#keptBytesAtMost += bytes;
          this.#onCame?.();
        },
      };
    });
  }

  #isRoomFor(bytes: number): boolean {
    return this.#keptBytesAtMost + this.#comingBytes + bytes <= this.#deps.remoteBytesMax;
  }

  #remoteBytes(): Promise<number> {
    return this.#deps.database.read((tx) => remoteBytes(tx, this.#deps.serverName));
  }

  /** The least recently used go first, until the rest fits beside `bytes` more. */
  async #shrinkRemote(signal: AbortSignal, bytes = 0): Promise<void> {
    const { database, clock, serverName, deletions, remoteBytesMax } = this.#deps;
    let excess = (await this.#remoteBytes()) + bytes - remoteBytesMax;
    while (excess > 0 && !signal.aborted) {
      const range = { origin: serverName, isOurs: false, beforeTs: clock.now() + 1, limit: PAGE };
      const rows = await database.read((tx) => listUnusedSince(tx, range));
      const going: MediaRow[] = [];
      for (const row of rows) {
        if (excess <= 0) break;
        going.push(row);
        excess -= row.size_bytes;
      }
      if (going.length === 0) return;
      await deletions.delete(going, 'the cache of remote files is full');
    }
  }
}
