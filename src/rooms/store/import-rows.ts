/** Rows that are replaced as a whole when a room is taken over from another server. */
import type { WriteTx } from '../../storage/types.ts';
import './tables.ts';

/** Empties the room's members: the new state says who they are. */
export async function replaceMembers(tx: WriteTx, roomNid: number): Promise<void> {
  await tx.db.deleteFrom('memberships').where('room_nid', '=', roomNid).execute();
}

/** Empties the room's ends. */
export async function deleteExtremities(tx: WriteTx, roomNid: number): Promise<void> {
  await tx.db.deleteFrom('forward_extremities').where('room_nid', '=', roomNid).execute();
}
