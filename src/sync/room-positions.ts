import type { RoomId } from '../protocol/ids/index.ts';

const ROOM_STREAMS = ['events', 'receipts', 'typing'] as const;

/** The streams that are kept by room. */
export type RoomStream = (typeof ROOM_STREAMS)[number];

export function isRoomStream(stream: string): stream is RoomStream {
  return ROOM_STREAMS.some((one) => one === stream);
}

/**
 * The last position of each room in the streams that are kept by room, in memory: what tells without a query that
 * nothing happened. Right for the rooms that some online user is in.
 */
export class RoomPositions {
  readonly #last: Record<RoomStream, Map<RoomId, number>> = {
    events: new Map(),
    receipts: new Map(),
    typing: new Map(),
  };

  /** The last position known of a room; 0 where nothing is known. */
  last(stream: RoomStream, roomId: RoomId): number {
    return this.#last[stream].get(roomId) ?? 0;
  }

  /** Notes a position; an older one than is known changes nothing. */
  note(stream: RoomStream, roomId: RoomId, position: number): void {
    if (position > this.last(stream, roomId)) this.#last[stream].set(roomId, position);
  }
}
