import type { RoomId, UserId } from '../protocol/ids/index.ts';
import type { Membership } from '../rooms/index.ts';
import { RecentRooms } from './recent-rooms.ts';
import type { RoomStream } from './room-positions.ts';

/** A room that a user has to do with, as of the member event that says so. */
export interface UserRoom {
  readonly roomId: RoomId;
  readonly roomNid: number;
  readonly membership: Membership;
  /** The member event, and its position in the stream 'events'. */
  readonly eventNid: number;
  readonly position: number;
  readonly forgotten: boolean;
}

/**
 * What a syncing user's requests need to know without a query: the user's rooms, up to where there is anything in each
 * stream, and who waits. Positions are upper bounds: one that is too high costs a query, never news.
 */
export class OnlineUser {
  readonly userId: UserId;
  readonly #rooms = new Map<RoomId, UserRoom>();
  #joined: readonly UserRoom[] | undefined;
  readonly recent = new RecentRooms();
  readonly #newest = new Map<string, number>();
  #news = 0;
  readonly #waiting = new Set<() => void>();

  constructor(userId: UserId) {
    this.userId = userId;
  }

  /** All rooms that the user has to do with. */
  get rooms(): ReadonlyMap<RoomId, UserRoom> {
    return this.#rooms;
  }

  /** The rooms that the user is in, as of now: the list itself doesn't change. */
  get joined(): readonly UserRoom[] {
    this.#joined ??= [...this.#rooms.values()].filter((room) => room.membership === 'join');
    return this.#joined;
  }

  /** Takes in a room, in place of what was known of it. */
  setRoom(room: UserRoom): void {
    this.#rooms.set(room.roomId, room);
    this.#joined = undefined;
  }

  /** Goes up with every hint: a request that has seen its value has missed nothing. */
  get news(): number {
    return this.#news;
  }

  /** The last position of a stream at which there is anything for this user, all rooms together. */
  newest(stream: string): number {
    return this.#newest.get(stream) ?? 0;
  }

  /** Notes that there is something for this user at a position of a stream. */
  note(stream: string, position: number): void {
    if (position > this.newest(stream)) this.#newest.set(stream, position);
  }

  /** `note` for a stream that is kept by room. */
  noteRoom(stream: RoomStream, roomId: RoomId, position: number): void {
    this.note(stream, position);
    this.recent.note(stream, roomId, position);
  }

  /** Something happened that may concern this user: wakes the requests that wait. */
  touch(): void {
    this.#news++;
    if (this.#waiting.size === 0) return;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  }

  /** Resolves at the next news after `seen`, after `timeoutMs`, or when `signal` is aborted, whichever comes first. */
  async waitForNews(seen: number, timeoutMs: number, signal: AbortSignal): Promise<void> {
    if (this.#news !== seen || timeoutMs <= 0 || signal.aborted) return;
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', wake);
        this.#waiting.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, timeoutMs);
      signal.addEventListener('abort', wake);
      this.#waiting.add(wake);
    });
  }
}
