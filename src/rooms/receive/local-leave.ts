import type { EventDraft } from '../../protocol/event/index.ts';
import type { RoomId, UserId } from '../../protocol/ids/index.ts';
import type { JsonObject } from '../../protocol/json/index.ts';
import type { RoomVersionRules } from '../../protocol/room-versions/index.ts';

/** The draft of a leave that no other server knows of: it has no place in the room's graph. */
export function newRoomDraft(
  _rules: RoomVersionRules,
  ours: { readonly roomId: RoomId; readonly userId: UserId; readonly content: JsonObject; readonly nowTs: number },
): Omit<EventDraft, 'eventId'> {
  return {
    type: 'm.room.member',
    roomId: ours.roomId,
    sender: ours.userId,
    stateKey: ours.userId,
    content: { ...ours.content, membership: 'leave' },
    originServerTs: ours.nowTs,
    depth: 1,
    prevEvents: [],
    authEvents: [],
  };
}
