import type { UserId } from '../../protocol/ids/index.ts';
import type { WriteTx } from '../../storage/types.ts';
import { deleteMembership, isForgottenAt, putMembership, type StoredEvent } from '../store/index.ts';
import type { MemberChange, PendingEvent } from './pending.ts';

/** What the server decides about memberships. */
export interface MemberPolicy {
  /** Whether who leaves a room forgets it at once. */
  readonly forgetsOnLeave: boolean;
}

/** Writes members whom the resolution of a fork gave another membership. */
export async function persistTurned(
  tx: WriteTx,
  policy: MemberPolicy,
  roomNid: number,
  { placement }: PendingEvent,
  { position }: StoredEvent,
): Promise<void> {
  if (placement?.turned === undefined) return;
  for (const { entry, member } of placement.turned.entries) {
    if (member !== undefined)
      await persistMember(tx, policy, roomNid, member, { nid: entry.nid, position, sender: entry.event.sender });
  }
  for (const userId of placement.turned.forgottenMembers) await deleteMembership(tx, userId, roomNid);
}

/** Writes what a member event makes of its user. */
export function persistMember(
  tx: WriteTx,
  { forgetsOnLeave }: MemberPolicy,
  roomNid: number,
  { userId, membership, displayName, avatarUrl }: MemberChange,
  { nid, position, sender }: { readonly nid: number; readonly position: number; readonly sender: UserId },
): Promise<void> {
  return putMembership(tx, {
    user_id: userId,
    room_nid: roomNid,
    membership,
    event_nid: nid,
    position,
    sender,
    forgotten: isForgottenAt(membership, forgetsOnLeave) ? 1 : 0,
    display_name: displayName,
    avatar_url: avatarUrl,
  });
}
