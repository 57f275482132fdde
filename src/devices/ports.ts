/** What devices ask of the rooms, which are above them: whoever composes the server hands it in. */
import type { RoomId, ServerName, UserId } from '../protocol/ids/index.ts';
import type { JsonObject } from '../protocol/json/index.ts';
import type { ReadTx, WriteTx } from '../storage/index.ts';

export interface DeviceRooms {
  /** The rooms that a user is joined to. */
  joinedRoomIds(tx: ReadTx, userId: UserId): Promise<readonly RoomId[]>;
  /** Whether a user of ours and this one have been in a room together all the time since a position of the stream 'events'. */
  sharesRoomSince(userId: UserId, position: number): Promise<boolean>;
}

/** What is worth a line in the log. */
export interface DevicesLog {
  warn(fields: object, message: string): void;
}

/** Where messages to devices of other servers go. */
export interface ToDeviceOutbox {
  /** Queues messages for a server, in the transaction in which they were sent. */
  add(
    tx: WriteTx,
    server: ServerName,
    message: {
      readonly sender: UserId;
      readonly type: string;
      readonly messages: readonly (readonly [UserId, JsonObject])[];
    },
  ): Promise<void>;
}
