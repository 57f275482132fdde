/** The tables of mails about missed messages: how far each pusher is, and what pause a room is in. */
import { clustered, idList, type Migrations, type ReadTx, upsert, type WriteTx } from '../storage/index.ts';

declare module '../storage/tables.ts' {
  interface Tables {
    email_pushers: {
      readonly pusher_id: number;
      /** All up to here was read or mailed, or came before the pusher. */
      readonly done_position: number;
    };
    email_rooms: MailedRoomRow;
  }
}

export interface MailedRoomRow {
  readonly pusher_id: number;
  readonly room_nid: number;
  /** The latest event that a mail told of. */
  readonly mailed_position: number;
  readonly mailed_ts: number;
  /** How long no other mail tells of the room, while the user reads nothing there. */
  readonly pause_ms: number;
}

export const emailPusherMigrations: Migrations = {
  '0610_push_email': {
    async up({ schema }) {
      await schema
        .createTable('email_pushers')
        .addColumn('pusher_id', 'integer', (c) => c.primaryKey().notNull())
        .addColumn('done_position', 'integer', (c) => c.notNull())
        .execute();
      await schema
        .createTable('email_rooms')
        .addColumn('pusher_id', 'integer', (c) => c.notNull())
        .addColumn('room_nid', 'integer', (c) => c.notNull())
        .addColumn('mailed_position', 'integer', (c) => c.notNull())
        .addColumn('mailed_ts', 'integer', (c) => c.notNull())
        .addColumn('pause_ms', 'integer', (c) => c.notNull())
        .addPrimaryKeyConstraint('email_rooms_pk', ['pusher_id', 'room_nid'])
        .modifyEnd(clustered)
        .execute();
    },
  },
};

/** Notes where a pusher begins, unless it has begun. */
export async function beginMails(tx: WriteTx, pusherId: number, position: number): Promise<void> {
  await tx.db
    .insertInto('email_pushers')
    .values({ pusher_id: pusherId, done_position: position })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

/** How far a pusher is; undefined where nothing ever happened for it. */
export async function mailState(tx: ReadTx, pusherId: number) {
  const row = await tx.db
    .selectFrom('email_pushers')
    .select('done_position')
    .where('pusher_id', '=', pusherId)
    .executeTakeFirst();
  const rooms = await tx.db.selectFrom('email_rooms').selectAll().where('pusher_id', '=', pusherId).execute();
  return row === undefined
    ? undefined
    : { donePosition: row.done_position, rooms: new Map(rooms.map((room) => [room.room_nid, room])) };
}

/** Notes what a mail told of, and how far the pusher is where nothing waits. */
export async function noteMailed(
  tx: WriteTx,
  pusherId: number,
  rooms: readonly MailedRoomRow[],
  donePosition: number | undefined,
): Promise<void> {
  for (const row of rooms) await upsert(tx, 'email_rooms', row, ['pusher_id', 'room_nid']);
  if (donePosition === undefined) return;
  await upsert(tx, 'email_pushers', { pusher_id: pusherId, done_position: donePosition }, ['pusher_id']);
}

/** Forgets all of some pushers. */
export async function deleteMailStates(tx: WriteTx, pusherIds: readonly number[]): Promise<void> {
  await tx.db.deleteFrom('email_rooms').where('pusher_id', 'in', idList(pusherIds)).execute();
  await tx.db.deleteFrom('email_pushers').where('pusher_id', 'in', idList(pusherIds)).execute();
}
