/** Who shares rooms with whom, now and lately: for those who follow others' devices. */
import type { UserId } from '../../protocol/ids/index.ts';
import { compiledOnce } from '../../storage/compiled-once.ts';
import type { ReadTx } from '../../storage/types.ts';
import type { MembershipsTable } from './tables.ts';

/** A membership, with the position of its event. */
export type MemberPosition = Pick<MembershipsTable, 'user_id' | 'room_nid' | 'membership' | 'position'>;

/** Memberships in rooms, of those whose last member event is after a position. */
export function listMovedAfter(
  tx: ReadTx,
  roomNids: readonly number[],
  position: number,
): Promise<readonly MemberPosition[]> {
  return tx.run(movedAfter, { roomNids, position });
}

/** Who is joined to any of some rooms. */
export async function listJoinedIn(tx: ReadTx, roomNids: readonly number[]): Promise<readonly UserId[]> {
  return (await tx.run(joinedIn, { roomNids })).map((row) => row.user_id);
}

/** Which of some users are joined to which of some rooms. */
export async function listJoinedAmong(
  tx: ReadTx,
  roomNids: readonly number[],
  userIds: readonly UserId[],
): Promise<readonly MemberPosition[]> {
  if (userIds.length === 0 || roomNids.length === 0) return [];
  const rooms = new Set(roomNids);
  return (await tx.run(joinedAmong, { userIds })).filter((row) => rooms.has(row.room_nid));
}

const movedAfter = compiledOnce<{ roomNids: readonly number[]; position: number }>()((db, p) =>
  db
    .selectFrom('memberships')
    .select(['user_id', 'room_nid', 'membership', 'position'])
    .where('room_nid', 'in', p.numbers('roomNids'))
    .where('position', '>', p('position')),
);

const joinedIn = compiledOnce<{ roomNids: readonly number[] }>()((db, p) =>
  db
    .selectFrom('memberships')
    .select('user_id')
    .distinct()
    .where('room_nid', 'in', p.numbers('roomNids'))
    .where('membership', '=', 'join'),
);

// All rooms of the users, sorted out in memory: engines that combine two lists look up each user in each room.
const joinedAmong = compiledOnce<{ userIds: readonly UserId[] }>()((db, p) =>
  db
    .selectFrom('memberships')
    .select(['user_id', 'room_nid', 'membership', 'position'])
    .where('user_id', 'in', p.texts('userIds'))
    .where('membership', '=', 'join'),
);
