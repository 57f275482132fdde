import type { RoomId } from '../protocol/ids/index.ts';

/** The streams that are kept by room. */
export type RoomStream = 'events' | 'receipts' | 'typing';

interface HeldRoom {
  holders: number;
  readonly last: Record<RoomStream, number>;
}

export function isRoomStream(stream: string): stream is RoomStream {
  return stream === 'events' || stream === 'receipts' || stream === 'typing';
}

/**
 * The last position of each room in the streams that are kept by room, in memory: what tells without a query that
 * nothing happened. Kept for the rooms that somebody listens to, as long as they do.
 */
export class RoomPositions {
  readonly #rooms = new Map<RoomId, HeldRoom>();

  /** Somebody listens to a room from now on. What was before, they have to note. */
  hold(roomId: RoomId): void {
    const room = this.#rooms.get(roomId);
    if (room === undefined) this.#rooms.set(roomId, { holders: 1, last: { events: 0, receipts: 0, typing: 0 } });
    else room.holders++;
  }

  /** One listener less. */
  release(roomId: RoomId): void {
    const room = this.#rooms.get(roomId);
    if (room === undefined) return;
    room.holders--;
    if (room.holders === 0) this.#rooms.delete(roomId);
  }

  /** The last position known of a room; 0 where nothing is known. */
  last(stream: RoomStream, roomId: RoomId): number {
    return this.#rooms.get(roomId)?.last[stream] ?? 0;
  }

  /** Notes a position of a room that is listened to; an older one than is known changes nothing. */
  note(stream: RoomStream, roomId: RoomId, position: number): void {
    const room = this.#rooms.get(roomId);
    if (room !== undefined && position > room.last[stream]) room.last[stream] = position;
  }

  /** How many rooms are listened to. */
  get size(): number {
    return this.#rooms.size;
  }
}
