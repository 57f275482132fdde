/** Which room is a user's for what the server has to say. */
import type { RoomId, UserId } from '../protocol/ids/index.ts';
import { clustered, type Migrations, type ReadTx, upsert, type WriteTx } from '../storage/index.ts';

declare module '../storage/tables.ts' {
  interface Tables {
    server_notice_rooms: {
      readonly user_id: UserId;
      readonly room_id: RoomId;
    };
  }
}

export const serverNoticesMigrations: Migrations = {
  '0721_moderation_server_notices': {
    async up({ schema }) {
      await schema
        .createTable('server_notice_rooms')
        .addColumn('user_id', 'text', (c) => c.primaryKey().notNull())
        .addColumn('room_id', 'text', (c) => c.notNull())
        .modifyEnd(clustered)
        .execute();
    },
  },
};

export async function findNoticeRoom(tx: ReadTx, userId: UserId): Promise<RoomId | undefined> {
  const row = await tx.db
    .selectFrom('server_notice_rooms')
    .select('room_id')
    .where('user_id', '=', userId)
    .executeTakeFirst();
  return row?.room_id;
}

export async function setNoticeRoom(tx: WriteTx, userId: UserId, roomId: RoomId): Promise<void> {
  await upsert(tx, 'server_notice_rooms', { user_id: userId, room_id: roomId }, ['user_id']);
}
