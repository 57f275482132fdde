/** What devices ask of the rooms, which are above them: whoever composes the server hands it in. */
import type { RoomId, UserId } from '../protocol/ids/index.ts';
import type { ReadTx } from '../storage/index.ts';

export interface DeviceRooms {
  /** The rooms that a user is joined to. */
  joinedRoomIds(tx: ReadTx, userId: UserId): Promise<readonly RoomId[]>;
}

/** What is worth a line in the log. */
export interface DevicesLog {
  warn(fields: object, message: string): void;
}
