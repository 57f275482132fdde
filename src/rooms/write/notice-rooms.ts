import { MatrixError } from '../../protocol/errors.ts';
import type { UserId } from '../../protocol/ids/index.ts';
import type { HotRoom } from './hot-room.ts';

/** What is different in the rooms where the server itself speaks to a user. Spec: client-server-api/#server-notices */
export class NoticeRooms {
  readonly #speaker: UserId | undefined;

  /** `speaker`: the user whose name the server speaks in. */
  constructor(speaker: UserId | undefined) {
    this.#speaker = speaker;
  }

  /** Whether it is the server that speaks. */
  isFrom(userId: UserId): boolean {
    return userId === this.#speaker;
  }

  /** An invite of the server can't be rejected. @throws MatrixError `M_CANNOT_LEAVE_SERVER_NOTICE_ROOM`, StateNotLoaded */
  assertMayReject(room: HotRoom, userId: UserId): void {
    if (this.#speaker === undefined || room.membership(userId) !== 'invite') return;
    if (room.stateEvent('m.room.member', userId)?.sender !== this.#speaker) return;
    throw new MatrixError('M_CANNOT_LEAVE_SERVER_NOTICE_ROOM', 'You cannot reject this invite');
  }
}
