import type { UserId } from '../../protocol/ids/index.ts';
import { compiledOnce, type ReadTx, type WriteTx } from '../../storage/index.ts';
import type { KeyBackupSessionsTable, KeyBackupsTable } from './tables.ts';

export type KeyBackupRow = KeyBackupsTable;
export type KeyBackupSessionRow = KeyBackupSessionsTable;

/** Which keys of a backup are meant: all, those of a room, or one. */
export interface SessionSelection {
  readonly roomId?: string | undefined;
  readonly sessionId?: string | undefined;
}

/** The newest backup of a user, deleted or not. */
export function findNewestBackup(tx: ReadTx, userId: UserId): Promise<KeyBackupRow | undefined> {
  return tx.find(newestOf, { userId });
}

/** The newest backup of a user that is not deleted. */
export function findCurrentBackup(tx: ReadTx, userId: UserId): Promise<KeyBackupRow | undefined> {
  return tx.find(currentOf, { userId });
}

/** A version of a user's backup that is not deleted. */
export function findBackup(tx: ReadTx, userId: UserId, version: number): Promise<KeyBackupRow | undefined> {
  return tx.find(versionOf, { userId, version });
}

export async function insertBackup(tx: WriteTx, row: KeyBackupRow): Promise<void> {
  await tx.db.insertInto('key_backups').values(row).execute();
}

export async function setBackupAuthData(
  tx: WriteTx,
  { user_id: userId, version }: KeyBackupRow,
  authData: string,
): Promise<void> {
  await tx.db
    .updateTable('key_backups')
    .set({ auth_data: authData })
    .where('user_id', '=', userId)
    .where('version', '=', version)
    .execute();
}

export async function setBackupFigures(tx: WriteTx, row: KeyBackupRow): Promise<void> {
  await tx.change(setFigures, row);
}

/** Deletes a backup with its keys. The newest version stays as a mark, so that its number does not come again. */
export async function deleteBackup(tx: WriteTx, { user_id: userId, version }: KeyBackupRow): Promise<void> {
  await deleteSessions(tx, userId, version, {});
  await tx.db
    .updateTable('key_backups')
    .set({ is_deleted: 1, auth_data: '{}', session_count: 0 })
    .where('user_id', '=', userId)
    .where('version', '=', version)
    .execute();
  await tx.db
    .deleteFrom('key_backups')
    .where('user_id', '=', userId)
    .where('is_deleted', '=', 1)
    .where('version', '<', (eb) =>
      eb
        .selectFrom('key_backups as newest')
        .select((inner) => inner.fn.max('newest.version').as('version'))
        .where('newest.user_id', '=', userId),
    )
    .execute();
}

/** Deletes all backups of a user, with all keys. */
export async function deleteAllBackups(tx: WriteTx, userId: UserId): Promise<void> {
  for (const table of ['key_backups', 'key_backup_sessions'] as const) {
    await tx.db.deleteFrom(table).where('user_id', '=', userId).execute();
  }
}

export function findSession(
  tx: ReadTx,
  userId: UserId,
  version: number,
  roomId: string,
  sessionId: string,
): Promise<KeyBackupSessionRow | undefined> {
  return tx.find(sessionOf, { userId, version, roomId, sessionId });
}

/** Inserts or replaces a key. */
export async function putSession(tx: WriteTx, row: KeyBackupSessionRow): Promise<void> {
  await tx.change(upsertSession, row);
}

/** Keys of a backup, those of a room together. */
export function listSessions(
  tx: ReadTx,
  userId: UserId,
  version: number,
  { roomId, sessionId }: SessionSelection,
): Promise<readonly Pick<KeyBackupSessionRow, 'room_id' | 'session_id' | 'json'>[]> {
  let query = tx.db
    .selectFrom('key_backup_sessions')
    .select(['room_id', 'session_id', 'json'])
    .where('user_id', '=', userId)
    .where('version', '=', version)
    .orderBy('room_id')
    .orderBy('session_id');
  if (roomId !== undefined) query = query.where('room_id', '=', roomId);
  if (sessionId !== undefined) query = query.where('session_id', '=', sessionId);
  return query.execute();
}

/** Deletes keys of a backup and says how many there were. */
export async function deleteSessions(
  tx: WriteTx,
  userId: UserId,
  version: number,
  { roomId, sessionId }: SessionSelection,
): Promise<number> {
  let query = tx.db.deleteFrom('key_backup_sessions').where('user_id', '=', userId).where('version', '=', version);
  if (roomId !== undefined) query = query.where('room_id', '=', roomId);
  if (sessionId !== undefined) query = query.where('session_id', '=', sessionId);
  return Number((await query.executeTakeFirst()).numDeletedRows);
}

const newestOf = compiledOnce<{ userId: UserId }>()((db, p) =>
  db.selectFrom('key_backups').selectAll().where('user_id', '=', p('userId')).orderBy('version', 'desc').limit(1),
);

const currentOf = compiledOnce<{ userId: UserId }>()((db, p) =>
  db
    .selectFrom('key_backups')
    .selectAll()
    .where('user_id', '=', p('userId'))
    .where('is_deleted', '=', 0)
    .orderBy('version', 'desc')
    .limit(1),
);

const versionOf = compiledOnce<{ userId: UserId; version: number }>()((db, p) =>
  db
    .selectFrom('key_backups')
    .selectAll()
    .where('user_id', '=', p('userId'))
    .where('version', '=', p('version'))
    .where('is_deleted', '=', 0),
);

const setFigures = compiledOnce<KeyBackupRow>()((db, p) =>
  db
    .updateTable('key_backups')
    .set({ etag: p('etag'), session_count: p('session_count') })
    .where('user_id', '=', p('user_id'))
    .where('version', '=', p('version')),
);

const sessionOf = compiledOnce<{ userId: UserId; version: number; roomId: string; sessionId: string }>()((db, p) =>
  db
    .selectFrom('key_backup_sessions')
    .selectAll()
    .where('user_id', '=', p('userId'))
    .where('version', '=', p('version'))
    .where('room_id', '=', p('roomId'))
    .where('session_id', '=', p('sessionId')),
);

const upsertSession = compiledOnce<KeyBackupSessionRow>()((db, p) =>
  db
    .insertInto('key_backup_sessions')
    .values({
      user_id: p('user_id'),
      version: p('version'),
      room_id: p('room_id'),
      session_id: p('session_id'),
      is_verified: p('is_verified'),
      first_message_index: p('first_message_index'),
      forwarded_count: p('forwarded_count'),
      json: p('json'),
    })
    .onConflict((conflict) =>
      conflict.columns(['user_id', 'version', 'room_id', 'session_id']).doUpdateSet((eb) => ({
        is_verified: eb.ref('excluded.is_verified'),
        first_message_index: eb.ref('excluded.first_message_index'),
        forwarded_count: eb.ref('excluded.forwarded_count'),
        json: eb.ref('excluded.json'),
      })),
    ),
);
