import { sql } from 'kysely';
import type { RoomId, ServerName, UserId } from '../../protocol/ids/index.ts';
import { compiledOnce } from '../../storage/compiled-once.ts';
import type { ReadTx, WriteTx } from '../../storage/types.ts';
import type { Membership, MembershipsTable } from './tables.ts';

export type MembershipRow = MembershipsTable;

/** A user's membership with its room's id. */
export type RoomMembershipRow = MembershipsTable & { readonly room_id: RoomId };

/** The current membership of a user in a room, or undefined where there never was one. */
export async function findMembership(tx: ReadTx, userId: UserId, roomNid: number): Promise<MembershipRow | undefined> {
  return tx.find(membershipOf, { userId, roomNid });
}

/** The current memberships of a user in some rooms, in no order. */
export async function listMembershipsIn(
  tx: ReadTx,
  userId: UserId,
  roomNids: readonly number[],
): Promise<readonly MembershipRow[]> {
  return tx.run(membershipsIn, { userId, roomNids });
}

/** All current memberships in a room, in no order. Small rooms only: for display, page through `listMembersBy`. */
export async function listMembers(tx: ReadTx, roomNid: number): Promise<readonly MembershipRow[]> {
  return tx.run(membersOf, { roomNid });
}

/** The members of a room with one membership. */
export async function listMembersBy(
  tx: ReadTx,
  roomNid: number,
  membership: Membership,
): Promise<readonly MembershipRow[]> {
  return tx.run(membersBy, { roomNid, membership });
}

/** The current member events of a room, the oldest first. */
export async function listMemberEventNids(tx: ReadTx, roomNid: number): Promise<readonly number[]> {
  return (await tx.run(memberEventNids, { roomNid })).map((row) => row.event_nid);
}

/** The first users of a room who are joined or invited (`present`), or who left or are banned (`gone`), at most `limit`. */
export async function listFirstMembers(
  tx: ReadTx,
  roomNid: number,
  membership: 'present' | 'gone',
  limit: number,
): Promise<readonly UserId[]> {
  const query = membership === 'present' ? firstPresent : firstGone;
  return (await tx.run(query, { roomNid, limit })).map((row) => row.user_id);
}

/** All rooms a user has to do with, forgotten ones too, with their ids. */
export async function listRoomsOfUser(tx: ReadTx, userId: UserId): Promise<readonly RoomMembershipRow[]> {
  return tx.run(roomsOf, { userId });
}

/** Inserts or replaces a membership. */
export async function putMembership(tx: WriteTx, row: MembershipRow): Promise<void> {
  await tx.run(upsertMembership, row);
}

/** Takes a membership away, as if it had never been. */
export async function deleteMembership(tx: WriteTx, userId: UserId, roomNid: number): Promise<void> {
  await tx.db.deleteFrom('memberships').where('user_id', '=', userId).where('room_nid', '=', roomNid).execute();
}

/**
 * Whether a user has forgotten a room as soon as this is their membership: where the server forgets what users leave.
 * Spec: client-server-api/#mforget_forced_upon_leave-capability
 */
export function isForgottenAt(membership: Membership, forgetsOnLeave: boolean): boolean {
  return forgetsOnLeave && (membership === 'leave' || membership === 'ban');
}

/** Marks a room as forgotten by a user. */
export async function forgetMembership(tx: WriteTx, userId: UserId, roomNid: number): Promise<void> {
  await tx.db
    .updateTable('memberships')
    .set({ forgotten: 1 })
    .where('user_id', '=', userId)
    .where('room_nid', '=', roomNid)
    .execute();
}

const membershipOf = compiledOnce<{ userId: UserId; roomNid: number }>()((db, p) =>
  db.selectFrom('memberships').selectAll().where('user_id', '=', p('userId')).where('room_nid', '=', p('roomNid')),
);

const membershipsIn = compiledOnce<{ userId: UserId; roomNids: readonly number[] }>()((db, p) =>
  db
    .selectFrom('memberships')
    .selectAll()
    .where('user_id', '=', p('userId'))
    .where('room_nid', 'in', p.numbers('roomNids')),
);

const membersOf = compiledOnce<{ roomNid: number }>()((db, p) =>
  db.selectFrom('memberships').selectAll().where('room_nid', '=', p('roomNid')),
);

/** Whether a user of a server is joined to a room. */
export async function hasJoinedUserOf(tx: ReadTx, roomNid: number, serverName: ServerName): Promise<boolean> {
  // No part of a server name is a wildcard of LIKE: there is neither % nor _ in it.
  return (await tx.find(joinedUserLike, { roomNid, pattern: `%:${serverName}` })) !== undefined;
}

const joinedUserLike = compiledOnce<{ roomNid: number; pattern: string }>()((db, p) =>
  db
    .selectFrom('memberships')
    .select('room_nid')
    .where('room_nid', '=', p('roomNid'))
    .where('membership', '=', 'join')
    .where(sql<boolean>`user_id like ${p('pattern')}`)
    .limit(1),
);

const membersBy = compiledOnce<{ roomNid: number; membership: Membership }>()((db, p) =>
  db
    .selectFrom('memberships')
    .selectAll()
    .where('room_nid', '=', p('roomNid'))
    .where('membership', '=', p('membership')),
);

const memberEventNids = compiledOnce<{ roomNid: number }>()((db, p) =>
  db.selectFrom('memberships').select('event_nid').where('room_nid', '=', p('roomNid')).orderBy('position'),
);

const firstPresent = firstWith(['join', 'invite']);
const firstGone = firstWith(['leave', 'ban']);

function firstWith(memberships: readonly Membership[]) {
  return compiledOnce<{ roomNid: number; limit: number }>()((db, p) =>
    db
      .selectFrom('memberships')
      .select('user_id')
      .where('room_nid', '=', p('roomNid'))
      .where('membership', 'in', memberships)
      .orderBy('position')
      .limit(p('limit')),
  );
}

const roomsOf = compiledOnce<{ userId: UserId }>()((db, p) =>
  db
    .selectFrom('memberships')
    .innerJoin('rooms', 'rooms.room_nid', 'memberships.room_nid')
    .selectAll('memberships')
    .select('rooms.room_id')
    .where('memberships.user_id', '=', p('userId')),
);

const upsertMembership = compiledOnce<MembershipRow>()((db, p) =>
  db
    .insertInto('memberships')
    .values({
      user_id: p('user_id'),
      room_nid: p('room_nid'),
      membership: p('membership'),
      event_nid: p('event_nid'),
      position: p('position'),
      sender: p('sender'),
      forgotten: p('forgotten'),
      display_name: p('display_name'),
      avatar_url: p('avatar_url'),
    })
    .onConflict((conflict) =>
      conflict.columns(['user_id', 'room_nid']).doUpdateSet((eb) => ({
        membership: eb.ref('excluded.membership'),
        event_nid: eb.ref('excluded.event_nid'),
        position: eb.ref('excluded.position'),
        sender: eb.ref('excluded.sender'),
        forgotten: eb.ref('excluded.forgotten'),
        display_name: eb.ref('excluded.display_name'),
        avatar_url: eb.ref('excluded.avatar_url'),
      })),
    ),
);
