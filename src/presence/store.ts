import type { RoomId, UserId } from '../protocol/ids/index.ts';
import { compiledOnce, type ReadTx } from '../storage/index.ts';
import '../rooms/index.ts';

/** The rooms that a user is in and that have no more members than `membersMax`. */
export async function roomsUpTo(tx: ReadTx, userId: UserId, membersMax: number): Promise<ReadonlySet<RoomId>> {
  return new Set((await tx.run(smallRooms, { userId, membersMax })).map((row) => row.room_id));
}

/** Whether two users are in a room together. */
export async function shareRoom(tx: ReadTx, one: UserId, other: UserId): Promise<boolean> {
  return (await tx.find(sharedRoom, { one, other })) !== undefined;
}

const smallRooms = compiledOnce<{ userId: UserId; membersMax: number }>()((db, p) =>
  db
    .selectFrom('memberships')
    .innerJoin('rooms', 'rooms.room_nid', 'memberships.room_nid')
    .select('rooms.room_id')
    .where('memberships.user_id', '=', p('userId'))
    .where('memberships.membership', '=', 'join')
    .where('rooms.joined_count', '<=', p('membersMax')),
);

const sharedRoom = compiledOnce<{ one: UserId; other: UserId }>()((db, p) =>
  db
    .selectFrom('memberships as a')
    .innerJoin('memberships as b', 'b.room_nid', 'a.room_nid')
    .select('a.room_nid')
    .where('a.user_id', '=', p('one'))
    .where('b.user_id', '=', p('other'))
    .where('a.membership', '=', 'join')
    .where('b.membership', '=', 'join')
    .limit(1),
);
