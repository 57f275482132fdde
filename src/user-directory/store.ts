/** The tables of the user directory: everyone this server knows of, with the name to find them by. */
import type { Generated } from 'kysely';
import type { UserId } from '../protocol/ids/index.ts';
import {
  createTokenIndex,
  idColumn,
  idList,
  type Migrations,
  type ReadTx,
  textList,
  type WriteTx,
} from '../storage/index.ts';

declare module '../storage/tables.ts' {
  interface Tables {
    directory_users: {
      readonly nid: Generated<number>;
      readonly user_id: UserId;
      readonly display_name: string | null;
      readonly avatar_url: string | null;
    };
  }
}

export const USER_INDEX = 'directory_tokens';

export const userDirectoryMigrations: Migrations = {
  '0710_user_directory_init': {
    async up(db) {
      await db.schema
        .createTable('directory_users')
        .addColumn('nid', 'integer', idColumn)
        .addColumn('user_id', 'text', (c) => c.notNull().unique())
        .addColumn('display_name', 'text')
        .addColumn('avatar_url', 'text')
        .execute();
      await createTokenIndex(db, USER_INDEX);
    },
  },
};

/** A user as the directory knows them. */
export interface DirectoryUser {
  readonly nid: number;
  readonly user_id: UserId;
  readonly display_name: string | null;
  readonly avatar_url: string | null;
}

export function findDirectoryUser(tx: ReadTx, userId: UserId): Promise<DirectoryUser | undefined> {
  return tx.db.selectFrom('directory_users').selectAll().where('user_id', '=', userId).executeTakeFirst();
}

/** Adds a user or changes them, and returns the nid. */
export async function putDirectoryUser(tx: WriteTx, user: Omit<DirectoryUser, 'nid'>): Promise<number> {
  const { display_name, avatar_url } = user;
  const row = await tx.db
    .insertInto('directory_users')
    .values(user)
    .onConflict((conflict) => conflict.column('user_id').doUpdateSet({ display_name, avatar_url }))
    .returning('nid')
    .executeTakeFirstOrThrow();
  return row.nid;
}

export function directoryUsersAt(tx: ReadTx, nids: readonly number[]): Promise<readonly DirectoryUser[]> {
  return tx.db.selectFrom('directory_users').selectAll().where('nid', 'in', idList(nids)).execute();
}

/** Profiles changed after `from` up to `to`, in order. */
export function changedProfiles(tx: ReadTx, from: number, to: number, limit: number) {
  return tx.db
    .selectFrom('profiles')
    .select(['user_id', 'displayname', 'avatar_url', 'position'])
    .where('position', '>', from)
    .where('position', '<=', to)
    .orderBy('position')
    .limit(limit)
    .execute();
}

/** Member events after `from` up to `to`, in order. */
export function memberEvents(tx: ReadTx, from: number, to: number, limit: number) {
  return tx.db
    .selectFrom('events')
    .select(['nid', 'position'])
    .where('position', '>', from)
    .where('position', '<=', to)
    .where('type', '=', 'm.room.member')
    .orderBy('position')
    .limit(limit)
    .execute();
}

/** Those of `userIds` who are in a room together with the viewer, or in one that is public or that the world may read. */
export async function visibleUsers(
  tx: ReadTx,
  viewer: UserId,
  userIds: readonly UserId[],
): Promise<ReadonlySet<string>> {
  const rows = await tx.db
    .selectFrom('memberships as theirs')
    .innerJoin('rooms', 'rooms.room_nid', 'theirs.room_nid')
    .select('theirs.user_id')
    .distinct()
    .where('theirs.user_id', 'in', textList(userIds))
    .where('theirs.membership', '=', 'join')
    .where((eb) =>
      eb.or([
        eb('rooms.join_rule', '=', 'public'),
        eb('rooms.history_visibility', '=', 'world_readable'),
        eb.exists(
          eb
            .selectFrom('memberships as own')
            .select('own.room_nid')
            .where('own.user_id', '=', viewer)
            .whereRef('own.room_nid', '=', 'theirs.room_nid')
            .where('own.membership', '=', 'join'),
        ),
      ]),
    )
    .execute();
  return new Set(rows.map((row) => row.user_id));
}

/** The rooms that both users are in, in the order of their nids. */
export function sharedRooms(tx: ReadTx, a: UserId, b: UserId) {
  return tx.db
    .selectFrom('memberships as one')
    .innerJoin('memberships as other', 'other.room_nid', 'one.room_nid')
    .innerJoin('rooms', 'rooms.room_nid', 'one.room_nid')
    .select(['rooms.room_nid', 'rooms.room_id'])
    .where('one.user_id', '=', a)
    .where('other.user_id', '=', b)
    .where('one.membership', '=', 'join')
    .where('other.membership', '=', 'join')
    .orderBy('rooms.room_nid')
    .execute();
}
