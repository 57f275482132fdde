import { invalidParam, MatrixError, notFound } from '../protocol/errors.ts';
import type { UserId } from '../protocol/ids/index.ts';
import type { JsonObject } from '../protocol/json/index.ts';
import type { Database, ReadTx, WriteTx } from '../storage/index.ts';
import { joinObject } from './identities.ts';
import { storedObject } from './key-objects.ts';
import {
  deleteBackup,
  deleteSessions,
  findBackup,
  findCurrentBackup,
  findNewestBackup,
  findSession,
  insertBackup,
  type KeyBackupRow,
  type KeyBackupSessionRow,
  listSessions,
  putSession,
  type SessionSelection,
  setBackupAuthData,
  setBackupFigures,
} from './store/key-backups.ts';

/** How a backup's keys are encrypted. */
export interface BackupSettings {
  readonly algorithm: string;
  readonly authData: JsonObject;
}

/** A backup as its owner sees it. */
export interface BackupInfo extends BackupSettings {
  readonly version: string;
  readonly count: number;
  readonly etag: string;
}

/** What changes with each write. */
export type BackupFigures = Pick<BackupInfo, 'count' | 'etag'>;

/** A key to be kept; what is in it we can't read. */
export interface BackupSession {
  readonly roomId: string;
  readonly sessionId: string;
  readonly isVerified: boolean;
  readonly firstMessageIndex: number;
  readonly forwardedCount: number;
  /** All of it, as it came. */
  readonly json: string;
}

/** Encrypted copies of room keys, kept for their owner. Spec: client-server-api/#server-side-key-backups */
export class KeyBackups {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Starts a new backup, which is the current one from then on, and returns its version. */
  create(userId: UserId, { algorithm, authData }: BackupSettings): Promise<string> {
    return this.#database.write('main', async (tx) => {
      const version = ((await findNewestBackup(tx, userId))?.version ?? 0) + 1;
      await insertBackup(tx, {
        user_id: userId,
        version,
        algorithm,
        auth_data: JSON.stringify(authData),
        etag: 0,
        session_count: 0,
        is_deleted: 0,
      });
      return String(version);
    });
  }

  /** A backup; without `version` the current one. Throws 404 where there is none. */
  async get(userId: UserId, version?: string): Promise<BackupInfo> {
    const row = await this.#database.read((tx) =>
      version === undefined ? findCurrentBackup(tx, userId) : findBackup(tx, userId, parseVersion(version)),
    );
    if (row === undefined) throw version === undefined ? notFound('No current backup version') : unknownVersion();
    return {
      algorithm: row.algorithm,
      authData: storedObject(row.auth_data),
      version: String(row.version),
      ...figuresOf(row),
    };
  }

  /** Changes a backup's `auth_data`. Throws 404, and 400 where the algorithm is another one. */
  async update(userId: UserId, version: string, { algorithm, authData }: BackupSettings): Promise<void> {
    await this.#database.write('main', async (tx) => {
      const row = await getBackup(tx, userId, version);
      if (row.algorithm !== algorithm) throw invalidParam('Algorithm does not match');
      await setBackupAuthData(tx, row, JSON.stringify(authData));
    });
  }

  /** Deletes a backup with its keys; one that was deleted before is deleted. Throws 404 where there never was one. */
  async delete(userId: UserId, version: string): Promise<void> {
    const number = parseVersion(version);
    await this.#database.write('main', async (tx) => {
      const row = await findBackup(tx, userId, number);
      if (row !== undefined) return deleteBackup(tx, row);
      const newest = await findNewestBackup(tx, userId);
      if (newest === undefined || number > newest.version) throw unknownVersion();
    });
  }

  /**
   * Keeps keys in the current backup. Where there is one already, the better one stays.
   * @throws M_WRONG_ROOM_KEYS_VERSION with `current_version`, 404 where there is no backup at all
   */
  put(userId: UserId, version: string, sessions: readonly BackupSession[]): Promise<BackupFigures> {
    return this.#database.write('main', async (tx) => {
      const current = await findCurrentBackup(tx, userId);
      if (current === undefined) throw notFound('No current backup version');
      if (String(current.version) !== version) throw wrongVersion(String(current.version));
      let [added, replaced] = [0, 0];
      for (const session of sessions) {
        const known = await findSession(tx, userId, current.version, session.roomId, session.sessionId);
        if (known !== undefined && !isBetter(session, known)) continue;
        await putSession(tx, toRow(userId, current.version, session));
        if (known === undefined) added++;
        else replaced++;
      }
      return changeFigures(tx, current, added, added + replaced > 0);
    });
  }

  /** All keys of a backup as JSON: `{"<room>":{"sessions":{"<session>":…}}}`. Throws 404 for an unknown version. */
  async all(userId: UserId, version: string): Promise<string> {
    const rooms = new Map<string, [string, string][]>();
    for (const { room_id: roomId, session_id: sessionId, json } of await this.#list(userId, version, {})) {
      const sessions = rooms.get(roomId);
      if (sessions === undefined) rooms.set(roomId, [[sessionId, json]]);
      else sessions.push([sessionId, json]);
    }
    return joinObject([...rooms].map(([roomId, list]) => [roomId, `{"sessions":${joinObject(list)}}`] as const));
  }

  /** The keys of a room as JSON: `{"<session>":…}`. Throws 404 for an unknown version. */
  async ofRoom(userId: UserId, version: string, roomId: string): Promise<string> {
    const rows = await this.#list(userId, version, { roomId });
    return joinObject(rows.map((row) => [row.session_id, row.json] as const));
  }

  /** One key as JSON. Throws 404 where it isn't there. */
  async one(userId: UserId, version: string, roomId: string, sessionId: string): Promise<string> {
    const [row] = await this.#list(userId, version, { roomId, sessionId });
    if (row === undefined) throw notFound('Key not found');
    return row.json;
  }

  /** Deletes keys of a backup. Throws 404 for an unknown version. */
  deleteSessions(userId: UserId, version: string, selection: SessionSelection): Promise<BackupFigures> {
    return this.#database.write('main', async (tx) => {
      const row = await getBackup(tx, userId, version);
      const count = await deleteSessions(tx, userId, row.version, selection);
      return changeFigures(tx, row, -count, count > 0);
    });
  }

  #list(userId: UserId, version: string, selection: SessionSelection) {
    return this.#database.read(async (tx) => {
      const { version: number } = await getBackup(tx, userId, version);
      return listSessions(tx, userId, number, selection);
    });
  }
}

/** Verified before not, then the one that reads more of the room, then the one that came by fewer hands. */
function isBetter(session: BackupSession, known: KeyBackupSessionRow): boolean {
  if (session.isVerified !== (known.is_verified === 1)) return session.isVerified;
  if (session.firstMessageIndex !== known.first_message_index) {
    return session.firstMessageIndex < known.first_message_index;
  }
  return session.forwardedCount < known.forwarded_count;
}

function toRow(userId: UserId, version: number, session: BackupSession): KeyBackupSessionRow {
  return {
    user_id: userId,
    version,
    room_id: session.roomId,
    session_id: session.sessionId,
    is_verified: session.isVerified ? 1 : 0,
    first_message_index: session.firstMessageIndex,
    forwarded_count: session.forwardedCount,
    json: session.json,
  };
}

async function changeFigures(
  tx: WriteTx,
  row: KeyBackupRow,
  added: number,
  hasChanged: boolean,
): Promise<BackupFigures> {
  if (!hasChanged) return figuresOf(row);
  const changed = { ...row, etag: row.etag + 1, session_count: row.session_count + added };
  await setBackupFigures(tx, changed);
  return figuresOf(changed);
}

function figuresOf(row: KeyBackupRow): BackupFigures {
  return { count: row.session_count, etag: String(row.etag) };
}

async function getBackup(tx: ReadTx, userId: UserId, version: string): Promise<KeyBackupRow> {
  const row = await findBackup(tx, userId, parseVersion(version));
  if (row === undefined) throw unknownVersion();
  return row;
}

function parseVersion(version: string): number {
  if (!/^[1-9][0-9]{0,9}$/.test(version)) throw unknownVersion();
  return Number(version);
}

const unknownVersion = (): MatrixError => notFound('Unknown backup version');

const wrongVersion = (current: string): MatrixError =>
  new MatrixError('M_WRONG_ROOM_KEYS_VERSION', 'Wrong backup version', { fields: { current_version: current } });
