import type { RoomId } from '../protocol/ids/index.ts';
import type { SyncToken } from '../streams/index.ts';
import type { RoomStream } from './room-positions.ts';

/** Changes remembered of a user; a client that waits comes back within far fewer. */
const CHANGES_MAX = 64;

interface Change {
  readonly stream: RoomStream;
  readonly roomId: RoomId;
  position: number;
}

/**
 * The latest changes in a user's rooms, so that a client which was here a moment ago costs as much as has changed and not
 * as many rooms as the user has.
 */
export class RecentRooms {
  /** Of each stream, the last position that is no longer (or was never) among the changes. */
  readonly #unknownUpTo: Record<RoomStream, number> = { events: 0, receipts: 0, typing: 0 };
  #changes: Change[] = [];

  /** Begins anew: nothing is remembered of what is at or before these positions. */
  begin(positions: Readonly<Record<RoomStream, number>>): void {
    Object.assign(this.#unknownUpTo, positions);
    this.#changes = [];
  }

  /** Notes that a room has something at a position of a stream. */
  note(stream: RoomStream, roomId: RoomId, position: number): void {
    const last = this.#changes.at(-1);
    if (last !== undefined && last.stream === stream && last.roomId === roomId) {
      last.position = Math.max(last.position, position);
      return;
    }
    this.#changes.push({ stream, roomId, position });
    if (this.#changes.length <= CHANGES_MAX * 2) return;
    for (const dropped of this.#changes.splice(0, CHANGES_MAX)) {
      const upTo = this.#unknownUpTo[dropped.stream];
      this.#unknownUpTo[dropped.stream] = Math.max(upTo, dropped.position);
    }
  }

  /** The rooms in which something happened after a token; undefined where that goes back too far. */
  after(since: SyncToken): ReadonlySet<RoomId> | undefined {
    const unknown = this.#unknownUpTo;
    const isTooFar =
      since.events < unknown.events || since.receipts < unknown.receipts || since.typing < unknown.typing;
    if (isTooFar) return undefined;
    const rooms = new Set<RoomId>();
    for (const { stream, roomId, position } of this.#changes) if (position > since[stream]) rooms.add(roomId);
    return rooms;
  }
}
