import { notFound } from '../../protocol/errors.ts';
import type { RoomId, ServerName, UserId } from '../../protocol/ids/index.ts';
import { findRoom, type Membership } from '../store/index.ts';
import type { Reading } from './reading.ts';
import { mayKnowOf, membershipIn, previewOf, type RoomPreview } from './room-previews.ts';
import { findOwnRoom } from './space-hierarchy.ts';

/** What `/room_summary` asks for. */
export interface RoomSummaryRequest {
  readonly roomId: RoomId;
  /** Servers to ask where we aren't in the room. */
  readonly via: readonly ServerName[];
  /** Undefined: nobody is logged in. */
  readonly userId: UserId | undefined;
}

/** A room for those who may know of it, as the wire has it. */
export interface ViewedPreview extends RoomPreview {
  /** Of the user who asks; absent where nobody is logged in. */
  readonly membership?: Membership;
}

/**
 * A room in short.
 * Spec: client-server-api/#get_matrixclientv1room_summaryroomidoralias
 * @throws M_NOT_FOUND where there is none, or none that the user may know of
 */
export async function roomSummary(reading: Reading, request: RoomSummaryRequest): Promise<ViewedPreview> {
  const { roomId, via, userId } = request;
  const { database, states, remotePreviews } = reading;
  const local = await database.read(async (tx) => {
    const room = await findOwnRoom(tx, reading, roomId);
    if (room === undefined) return undefined;
    if (!(await mayKnowOf(tx, states, room, userId))) throw notFound('Room not found');
    const preview = await previewOf(tx, states, room);
    return userId === undefined
      ? preview
      : { ...preview, membership: (await membershipIn(tx, room, userId)) ?? 'leave' };
  });
  if (local !== undefined) return local;
  const remote = await remotePreviews?.findPreview(roomId, via, userId);
  if (remote === undefined) throw notFound('Room not found');
  if (userId === undefined) return remote;
  const membership = await database.read(async (tx) => {
    const room = await findRoom(tx, roomId);
    return room && membershipIn(tx, room, userId);
  });
  return { ...remote, membership: membership ?? 'leave' };
}
