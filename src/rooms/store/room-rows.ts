import type { RoomAlias, RoomId, UserId } from '../../protocol/ids/index.ts';
import { compiledOnce } from '../../storage/compiled-once.ts';
import type { ReadTx, StreamDeclaration, WriteTx } from '../../storage/types.ts';
import { lastCompletion } from './partial-rows.ts';
import type { RoomsTable } from './tables.ts';

/** A room's row as it is read. */
export type RoomRow = Omit<RoomsTable, 'room_nid'> & { readonly room_nid: number };

/** The columns that follow the current state. */
export type RoomDigest = Pick<
  RoomsTable,
  | 'name'
  | 'topic'
  | 'canonical_alias'
  | 'avatar_url'
  | 'join_rule'
  | 'guest_access'
  | 'history_visibility'
  | 'room_type'
  | 'encryption'
  | 'federate'
  | 'creator'
  | 'tombstone_replacement'
>;

/** The stream of all live events. */
export const eventsStream: StreamDeclaration = {
  name: 'events',
  lane: 'main',
  load: async (tx) => {
    const row = await tx.db
      .selectFrom('events')
      .select((eb) => eb.fn.max('position').as('last'))
      .executeTakeFirst();
    return Math.max(0, Number(row?.last ?? 0), await lastCompletion(tx));
  },
};

/** The room's row, or undefined. */
export async function findRoom(tx: ReadTx, roomId: RoomId): Promise<RoomRow | undefined> {
  return tx.find(roomById, { roomId });
}

/** The rooms' rows by their nids, in no order. */
export async function listRooms(tx: ReadTx, roomNids: readonly number[]): Promise<readonly RoomRow[]> {
  return tx.run(roomsByNids, { roomNids });
}

/** Inserts a room and returns its nid. */
export async function insertRoom(tx: WriteTx, room: Omit<RoomRow, 'room_nid'>): Promise<number> {
  const { room_nid } = await tx.db.insertInto('rooms').values(room).returning('room_nid').executeTakeFirstOrThrow();
  return room_nid;
}

/** Takes the room's row from one version to the next. False: another owner has written to the room. */
export async function advanceRoom(tx: WriteTx, roomNid: number, from: number): Promise<boolean> {
  return (await tx.change(advanceVersion, { roomNid, from, to: from + 1 })) === 1;
}

/** What of a room's row follows its state. */
export type RoomUpdate = RoomDigest & Pick<RoomsTable, 'state_root' | 'joined_count' | 'invited_count'>;

/** As `advanceRoom`, with the columns that follow the state. */
export async function advanceRoomState(
  tx: WriteTx,
  roomNid: number,
  from: number,
  update: RoomUpdate,
): Promise<boolean> {
  const result = await tx.db
    .updateTable('rooms')
    .set({ ...update, row_version: from + 1 })
    .where('room_nid', '=', roomNid)
    .where('row_version', '=', from)
    .executeTakeFirst();
  return Number(result.numUpdatedRows) === 1;
}

/** Puts a room into the published directory or takes it out. */
export async function setRoomPublic(tx: WriteTx, roomNid: number, isPublic: boolean): Promise<void> {
  await tx.db
    .updateTable('rooms')
    .set({ is_public: isPublic ? 1 : 0 })
    .where('room_nid', '=', roomNid)
    .execute();
}

/** A room's alias with whom it belongs to. */
export interface AliasRow {
  readonly alias: RoomAlias;
  readonly room_nid: number;
  readonly room_id: RoomId;
  readonly creator: UserId;
}

/** Where an alias leads. */
export async function findAlias(tx: ReadTx, alias: RoomAlias): Promise<AliasRow | undefined> {
  return tx.find(aliasByName, { alias });
}

/** Inserts an alias; a unique violation where it is taken. */
export async function insertAlias(tx: WriteTx, alias: RoomAlias, roomNid: number, creator: UserId): Promise<void> {
  await tx.db.insertInto('room_aliases').values({ alias, room_nid: roomNid, creator }).execute();
}

/** How many aliases of a room somebody has made. */
export async function countAliases(tx: ReadTx, roomNid: number, creator: UserId): Promise<number> {
  const row = await tx.db
    .selectFrom('room_aliases')
    .select((eb) => eb.fn.countAll().as('count'))
    .where('room_nid', '=', roomNid)
    .where('creator', '=', creator)
    .executeTakeFirst();
  return Number(row?.count ?? 0);
}

/** Deletes an alias. */
export async function deleteAlias(tx: WriteTx, alias: RoomAlias): Promise<void> {
  await tx.db.deleteFrom('room_aliases').where('alias', '=', alias).execute();
}

/** Moves all aliases of a room to another one. */
export async function moveAliases(tx: WriteTx, fromRoomNid: number, toRoomNid: number): Promise<void> {
  await tx.db.updateTable('room_aliases').set({ room_nid: toRoomNid }).where('room_nid', '=', fromRoomNid).execute();
}

/** The local aliases of a room, in alphabetical order. */
export async function listAliases(tx: ReadTx, roomNid: number): Promise<readonly RoomAlias[]> {
  const rows = await tx.db
    .selectFrom('room_aliases')
    .select('alias')
    .where('room_nid', '=', roomNid)
    .orderBy('alias')
    .execute();
  return rows.map((row) => row.alias);
}

const roomById = compiledOnce<{ roomId: RoomId }>()((db, p) =>
  db.selectFrom('rooms').selectAll().where('room_id', '=', p('roomId')),
);

const roomsByNids = compiledOnce<{ roomNids: readonly number[] }>()((db, p) =>
  db.selectFrom('rooms').selectAll().where('room_nid', 'in', p.numbers('roomNids')),
);

const advanceVersion = compiledOnce<{ roomNid: number; from: number; to: number }>()((db, p) =>
  db
    .updateTable('rooms')
    .set({ row_version: p('to') })
    .where('room_nid', '=', p('roomNid'))
    .where('row_version', '=', p('from')),
);

const aliasByName = compiledOnce<{ alias: RoomAlias }>()((db, p) =>
  db
    .selectFrom('room_aliases')
    .innerJoin('rooms', 'rooms.room_nid', 'room_aliases.room_nid')
    .select(['room_aliases.alias', 'room_aliases.room_nid', 'room_aliases.creator', 'rooms.room_id'])
    .where('room_aliases.alias', '=', p('alias')),
);
