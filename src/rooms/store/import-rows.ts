/** Rows that are replaced as a whole when a room is taken over from another server. */
import { bulkInsert } from '../../storage/index.ts';
import type { ReadTx, WriteTx } from '../../storage/types.ts';
import type { MembershipRow } from './membership-rows.ts';
import { deleteSticky } from './sticky-rows.ts';
import './tables.ts';

/** Empties the room's members: the new state says who they are. */
export async function replaceMembers(tx: WriteTx, roomNid: number): Promise<void> {
  await tx.db.deleteFrom('memberships').where('room_nid', '=', roomNid).execute();
}

/** Empties the room's ends. */
export async function deleteExtremities(tx: WriteTx, roomNid: number): Promise<void> {
  await tx.db.deleteFrom('forward_extremities').where('room_nid', '=', roomNid).execute();
}

/** Inserts memberships of users who have none in the room. */
export async function insertMembers(tx: WriteTx, rows: readonly MembershipRow[]): Promise<void> {
  await bulkInsert(tx, 'memberships', rows);
}

/** The events of a room from our join on, and those since that were refused: by nid, oldest first. */
export async function listSinceJoin(tx: ReadTx, roomNid: number, joinNid: number): Promise<readonly number[]> {
  const join = await tx.db.selectFrom('events').select('position').where('nid', '=', joinNid).executeTakeFirst();
  const seen = await tx.db
    .selectFrom('events')
    .select('nid')
    .where('room_nid', '=', roomNid)
    .where('position', '>=', join?.position ?? 0)
    .orderBy('position')
    .execute();
  const refused = await tx.db
    .selectFrom('events')
    .select('nid')
    .where('room_nid', '=', roomNid)
    .where('position', 'is', null)
    .where('state_before', '!=', 0)
    .where('nid', '>', joinNid)
    .orderBy('nid')
    .execute();
  return [...seen, ...refused].map((row) => row.nid);
}

/** What is newly known of an event that has its place. */
export interface NewVerdict {
  readonly nid: number;
  readonly state_before: number;
  readonly rejected: 0 | 1;
  readonly soft_failed: 0 | 1;
  /** Undefined: it stays where it is. */
  readonly position?: number | null;
}

/** Changes what is known of an event. */
export async function putVerdict(tx: WriteTx, { nid, ...verdict }: NewVerdict): Promise<void> {
  await tx.db.updateTable('events').set(verdict).where('nid', '=', nid).execute();
}

/** Takes away what an event did that is refused now. */
export async function undoEvent(tx: WriteTx, nid: number): Promise<void> {
  await tx.db.deleteFrom('relations').where('event_nid', '=', nid).execute();
  await tx.db.deleteFrom('notifications').where('event_nid', '=', nid).execute();
  await tx.db.updateTable('events').set({ unread: 0 }).where('nid', '=', nid).execute();
  await deleteSticky(tx, nid);
}
