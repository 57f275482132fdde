/** What administrators do with files. */
import { z } from 'zod';
import type { Clock } from '../clock.ts';
import { userIdSchema } from '../http/schema.ts';
import { type Jobs, job } from '../jobs/index.ts';
import { forbidden, notFound } from '../protocol/errors.ts';
import type { RoomId, ServerName, UserId } from '../protocol/ids/index.ts';
import type { Database, WriteTx } from '../storage/index.ts';
import {
  listMediaOf,
  listMentionsIn,
  listOldMedia,
  type MediaListing,
  mediaStatistics,
  quarantineMediaOf,
  setQuarantine,
  type UserStatisticsQuery,
} from './store/admin-rows.ts';
import { isAvatar } from './store/event-rows.ts';
import { findMedia, insertMedia, type MediaRow } from './store/media-rows.ts';
import { listDeletions } from './store/reference-rows.ts';
import { listUploads, markMedia } from './store/tidy-rows.ts';
import type { Deletions } from './tidy/deletions.ts';
import { mediaIn } from './tidy/references.ts';

export interface MediaAdminDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly serverName: ServerName;
  readonly deletions: Deletions;
  readonly jobs: Jobs;
  /** Whether what a user has uploaded goes with an account that is erased. */
  readonly deletesErased: boolean;
  /** Writes which files were served lately. */
  readonly flushAccesses: () => Promise<void>;
}

/** The files that a room's events mention, as `mxc:` URIs. */
export interface RoomMedia {
  readonly local: readonly string[];
  readonly remote: readonly string[];
}

/** Which files are old and large. */
export interface OldMedia {
  /** Nobody asked for them since then. */
  readonly beforeTs: number;
  /** They are larger than this. */
  readonly bytesMin: number;
  /** Avatars of users and rooms stay. */
  readonly keepAvatars: boolean;
}

const ERASE_JOB = 'media.delete_uploads_of';
const PAGE = 200;
const BY_ADMIN = 'an administrator has deleted it';

/** Deleting, hiding, protecting, listing. */
export class MediaAdmin {
  readonly #deps: MediaAdminDeps;

  constructor(deps: MediaAdminDeps) {
    this.#deps = deps;
    deps.jobs.declare(
      job({
        name: ERASE_JOB,
        payload: z.object({ userId: userIdSchema }),
        handle: async ({ userId }) => void (await this.deleteUploadsOf(userId, 'the account was erased')),
      }),
    );
  }

  /** What is known of a file. Throws `M_NOT_FOUND` where there is none. */
  async get(origin: ServerName, mediaId: string): Promise<MediaRow> {
    const row = await this.#deps.database.read((tx) => findMedia(tx, origin, mediaId));
    if (row === undefined) throw notFound('No such file');
    return row;
  }

  /** A page of a user's files. */
  listOf(userId: UserId, listing: MediaListing) {
    return this.#deps.database.read((tx) => listMediaOf(tx, userId, listing));
  }

  /** How much users have uploaded. */
  statistics(query: UserStatisticsQuery) {
    return this.#deps.database.read((tx) => mediaStatistics(tx, query));
  }

  /** The files that events of a room mention, as far as they aren't encrypted. */
  async listOfRoom(roomId: RoomId): Promise<RoomMedia> {
    const { database, serverName } = this.#deps;
    const local = new Set<string>();
    const remote = new Set<string>();
    for (let after: number | undefined = -1; after !== undefined; ) {
      const from: number = after;
      const page = await database.read((tx) => listMentionsIn(tx, roomId, from, PAGE));
      for (const { json } of page) {
        for (const { origin, mediaId } of mediaIn(json)) {
          (origin === serverName ? local : remote).add(`mxc://${origin}/${mediaId}`);
        }
      }
      after = page.length < PAGE ? undefined : page.at(-1)?.nid;
    }
    return { local: [...local], remote: [...remote] };
  }

  /** Deletes a file with all that hangs on it. Throws `M_NOT_FOUND` where there is none. */
  async delete(origin: ServerName, mediaId: string, reason = BY_ADMIN): Promise<void> {
    await this.#deps.deletions.delete([await this.get(origin, mediaId)], reason);
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

  /** Has what a user has uploaded deleted once `tx` is committed, where erased accounts are treated so. */
  async erase(tx: WriteTx, userId: UserId): Promise<void> {
    if (this.#deps.deletesErased) await this.#deps.jobs.enqueue(tx, ERASE_JOB, { userId });
  }

  /** Deletes a page of a user's files; gives their ids. */
  async deletePageOf(userId: UserId, listing: MediaListing): Promise<readonly string[]> {
    const { rows } = await this.listOf(userId, listing);
    await this.#deps.deletions.delete(rows, BY_ADMIN);
    return rows.map((row) => row.media_id);
  }

  /** Deletes our own files that are old and large, but no protected ones; gives their ids. */
  deleteOld(old: OldMedia): Promise<readonly string[]> {
    return this.#deleteOld(true, old);
  }

  /** Deletes copies of other servers' files; gives how many there were. */
  async purgeRemote(beforeTs: number): Promise<number> {
    return (await this.#deleteOld(false, { beforeTs, bytesMin: -1, keepAvatars: false })).length;
  }

  async #deleteOld(isOurs: boolean, { beforeTs, bytesMin, keepAvatars }: OldMedia): Promise<readonly string[]> {
    const { database, deletions, serverName: origin, flushAccesses } = this.#deps;
    await flushAccesses();
    const ids: string[] = [];
    for (let after: number | undefined = -1; after !== undefined; ) {
      const afterNid: number = after;
      const page = await database.read((tx) =>
        listOldMedia(tx, { origin, isOurs, beforeTs, bytesMin, afterNid, limit: PAGE }),
      );
      const going: MediaRow[] = [];
      for (const row of page) {
        const mxc = `mxc://${row.origin}/${row.media_id}`;
        if (!keepAvatars || !(await database.read((tx) => isAvatar(tx, mxc)))) going.push(row);
      }
      await deletions.delete(going, BY_ADMIN);
      ids.push(...going.map((row) => row.media_id));
      after = page.length < PAGE ? undefined : page.at(-1)?.media_nid;
    }
    return ids;
  }

  /** Hides a file from everybody; one of another server also before it is here. Throws `M_FORBIDDEN` for a protected one, `M_NOT_FOUND`. */
  async quarantine(origin: ServerName, mediaId: string, by: string): Promise<void> {
    if (await this.#quarantine(origin, mediaId, by)) return;
    await this.get(origin, mediaId);
    throw forbidden('The file is protected');
  }

  /** Shows a file again. Throws `M_NOT_FOUND`. */
  async unquarantine(origin: ServerName, mediaId: string): Promise<void> {
    const { database, deletions, serverName } = this.#deps;
    const row = await this.get(origin, mediaId);
    // It is fetched, and looked at, when it is asked for.
    if (row.sha256 === null && origin !== serverName) await deletions.delete([row], 'it is no longer quarantined');
    else await database.write('main', (tx) => setQuarantine(tx, { origin, mediaId }, null));
  }

  /** Hides what a user has uploaded; gives how many files. */
  quarantineOf(userId: UserId, by: string): Promise<number> {
    return this.#deps.database.write('main', (tx) => quarantineMediaOf(tx, userId, by));
  }

  /** Hides what events of a room mention; gives how many files. */
  async quarantineRoom(roomId: RoomId, by: string): Promise<number> {
    const { local, remote } = await this.listOfRoom(roomId);
    let count = 0;
    for (const { origin, mediaId } of mediaIn([...local, ...remote].join(' '))) {
      if (await this.#quarantine(origin, mediaId, by)) count++;
    }
    return count;
  }

  #quarantine(origin: string, mediaId: string, by: string): Promise<boolean> {
    const { database, clock, serverName } = this.#deps;
    return database.write('main', async (tx) => {
      if (await setQuarantine(tx, { origin, mediaId }, by)) return true;
      if (origin === serverName || (await findMedia(tx, origin, mediaId)) !== undefined) return false;
      await insertMedia(tx, {
        origin,
        media_id: mediaId,
        uploader: null,
        content_type: null,
        file_name: null,
        sha256: null,
        size_bytes: 0,
        created_ts: clock.now(),
        unused_expires_ts: null,
        last_access_ts: clock.now(),
        is_open: 0,
        is_quarantined: 1,
        quarantined_by: by,
        is_protected: 0,
      });
      return true;
    });
  }

  /** Protects a file from quarantine and from being tidied away, or no more. Throws `M_NOT_FOUND`. */
  async setProtected(mediaId: string, isProtected: boolean): Promise<void> {
    const { database, serverName } = this.#deps;
    const marks = { is_protected: isProtected ? 1 : 0 };
    const isThere = await database.write('main', (tx) => markMedia(tx, serverName, mediaId, marks));
    if (!isThere) throw notFound('No such file');
  }

  /** The signed records of a file's deletion, as JSON. */
  deletionsOf(mediaId: string): Promise<readonly string[]> {
    return this.#deps.database.read((tx) => listDeletions(tx, mediaId));
  }
}
