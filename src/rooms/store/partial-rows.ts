/** Rooms that were joined with a part of their state: those that lack the rest, and since when others have all of it. */
import type { RoomId, ServerName } from '../../protocol/ids/index.ts';
import { upsert } from '../../storage/index.ts';
import type { Migrations, ReadTx, WriteTx } from '../../storage/types.ts';

export interface PartialRoomsTable {
  readonly room_nid: number;
  /** The join by which we got into the room. */
  readonly join_nid: number;
  /** The server through which we joined. */
  readonly via: ServerName;
  /** JSON: the servers in the room before the join, as that server says. */
  readonly servers: string;
  /** In the stream 'events': when the whole state was there. Null: it isn't yet. */
  readonly completed_position: number | null;
}

declare module '../../storage/tables.ts' {
  interface Tables {
    partial_rooms: PartialRoomsTable;
  }
}

/** Creates the table. */
export const partialMigrations: Migrations = {
  '0215_rooms_partial': {
    async up({ schema }) {
      await schema
        .createTable('partial_rooms')
        .addColumn('room_nid', 'integer', (c) => c.primaryKey())
        .addColumn('join_nid', 'integer', (c) => c.notNull())
        .addColumn('via', 'text', (c) => c.notNull())
        .addColumn('servers', 'text', (c) => c.notNull())
        .addColumn('completed_position', 'integer')
        .execute();
    },
  },
};

/** A row with the room's id. */
export type PartialRoomRow = PartialRoomsTable & { readonly room_id: RoomId };

/** All of them. */
export function listPartialRooms(tx: ReadTx): Promise<readonly PartialRoomRow[]> {
  return tx.db
    .selectFrom('partial_rooms')
    .innerJoin('rooms', 'rooms.room_nid', 'partial_rooms.room_nid')
    .selectAll('partial_rooms')
    .select('rooms.room_id')
    .execute();
}

/** Notes that a room lacks a part of its state. */
export async function putPartialRoom(tx: WriteTx, row: PartialRoomsTable): Promise<void> {
  await upsert(tx, 'partial_rooms', row, ['room_nid']);
}

/** Notes that the whole state of a room is there. */
export async function completePartialRoom(tx: WriteTx, roomNid: number, position: number): Promise<void> {
  await tx.db
    .updateTable('partial_rooms')
    .set({ completed_position: position })
    .where('room_nid', '=', roomNid)
    .execute();
}

/** The room is no longer one of them. */
export async function deletePartialRoom(tx: WriteTx, roomNid: number): Promise<void> {
  await tx.db.deleteFrom('partial_rooms').where('room_nid', '=', roomNid).execute();
}

/** The last position at which a room was completed: nothing else may stand there. */
export async function lastCompletion(tx: ReadTx): Promise<number> {
  const row = await tx.db
    .selectFrom('partial_rooms')
    .select((eb) => eb.fn.max('completed_position').as('last'))
    .executeTakeFirst();
  return Number(row?.last ?? 0);
}
