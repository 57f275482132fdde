/** What administrators do with files. */
import { forbidden, notFound } from '../protocol/errors.ts';
import type { ServerName, UserId } from '../protocol/ids/index.ts';
import type { Database } from '../storage/index.ts';
import { findMedia } from './store/media-rows.ts';
import { listDeletions } from './store/reference-rows.ts';
import { listUploads, markMedia } from './store/tidy-rows.ts';
import type { Deletions } from './tidy/deletions.ts';

export interface MediaAdminDeps {
  readonly database: Database;
  readonly deletions: Deletions;
}

const PAGE = 200;

/** Deleting, hiding and protecting. */
export class MediaAdmin {
  readonly #deps: MediaAdminDeps;

  constructor(deps: MediaAdminDeps) {
    this.#deps = deps;
  }

  /** Deletes a file with all that hangs on it. Throws `M_NOT_FOUND` where there is none. */
  async delete(origin: ServerName, mediaId: string, reason: string): Promise<void> {
    const row = await this.#deps.database.read((tx) => findMedia(tx, origin, mediaId));
    if (row === undefined) throw notFound('No such file');
    await this.#deps.deletions.delete([row], reason);
  }

  /** Deletes all that a user has uploaded, also what was only announced. Gives how many files there were. */
  async deleteUploadsOf(userId: UserId, reason: string): Promise<number> {
    const { database, deletions } = this.#deps;
    for (let count = 0; ; ) {
      const rows = await database.read((tx) => listUploads(tx, userId, 0, PAGE));
      if (rows.length === 0) return count;
      await deletions.delete(rows, reason);
      count += rows.length;
    }
  }

  /** Hides a file from everybody, or shows it again. A protected one is not hidden. Throws `M_NOT_FOUND`. */
  async setQuarantined(origin: ServerName, mediaId: string, isQuarantined: boolean): Promise<void> {
    const row = await this.#deps.database.read((tx) => findMedia(tx, origin, mediaId));
    if (row?.is_protected === 1 && isQuarantined) throw forbidden('The file is protected');
    await this.#mark(origin, mediaId, { is_quarantined: isQuarantined ? 1 : 0 });
  }

  /** Protects a file from quarantine and from being tidied away, or no more. Throws `M_NOT_FOUND`. */
  setProtected(origin: ServerName, mediaId: string, isProtected: boolean): Promise<void> {
    return this.#mark(origin, mediaId, { is_protected: isProtected ? 1 : 0 });
  }

  /** The signed records of a file's deletion, as JSON. */
  deletionsOf(mediaId: string): Promise<readonly string[]> {
    return this.#deps.database.read((tx) => listDeletions(tx, mediaId));
  }

  async #mark(origin: string, mediaId: string, marks: Parameters<typeof markMedia>[3]): Promise<void> {
    const isThere = await this.#deps.database.write('main', (tx) => markMedia(tx, origin, mediaId, marks));
    if (!isThere) throw notFound('No such file');
  }
}
