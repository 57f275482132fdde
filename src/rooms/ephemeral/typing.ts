import { LRUCache } from 'lru-cache';
import type { Clock } from '../../clock.ts';
import { upTo } from '../../lru.ts';
import type { RoomId, UserId } from '../../protocol/ids/index.ts';
import type { Hub, MemoryStream } from '../../streams/index.ts';
import type { StreamNews } from '../news.ts';
import { NOBODY, type ShadowBanSource } from '../write/shadows.ts';

/** Who types in a room, as of a position in the stream 'typing'. */
export interface TypingInRoom {
  readonly position: number;
  readonly userIds: readonly UserId[];
  /** The `m.typing` event. Spec: client-server-api/#mtyping */
  readonly json: string;
}

interface RoomTyping {
  /** When each user stops typing, in milliseconds since the epoch. */
  readonly untilTs: Map<UserId, number>;
  view: TypingInRoom;
}

const TIMEOUT_MS_MIN = 1_000;
const TIMEOUT_MS_MAX = 120_000;
export const TYPING_TIMEOUT_MS_DEFAULT = 30_000;
/** More than this in one room type unseen. */
const USERS_IN_ROOM_MAX = 100;
/** Rooms remembered, those with nobody typing included, since clients must be told that it ended. */
const ROOMS_MAX = 10_000;
const SWEEP_INTERVAL_MS = 1_000;

/**
 * Who is typing where; in memory only.
 * Spec: client-server-api/#typing-notifications
 */
export class Typing implements Disposable {
  readonly stream: MemoryStream;
  readonly #clock: Clock;
  readonly #hub: Hub;
  readonly #shadowBans: ShadowBanSource;
  readonly #rooms = new LRUCache<RoomId, RoomTyping>(upTo(ROOMS_MAX));
  readonly #active = new Set<RoomId>();
  #timer: NodeJS.Timeout | undefined;

  constructor({
    stream,
    clock,
    hub,
    shadowBans = NOBODY,
  }: {
    stream: MemoryStream;
    clock: Clock;
    hub: Hub;
    shadowBans?: ShadowBanSource;
  }) {
    this.stream = stream;
    this.#clock = clock;
    this.#hub = hub;
    this.#shadowBans = shadowBans;
  }

  /** A user types for the next `timeoutMs`. Whether they may, the caller has checked. */
  start(roomId: RoomId, userId: UserId, timeoutMs: number = TYPING_TIMEOUT_MS_DEFAULT): void {
    if (this.#shadowBans.has(userId)) return;
    const room = this.#rooms.get(roomId) ?? { untilTs: new Map<UserId, number>(), view: this.#view([]) };
    const isNew = !room.untilTs.has(userId);
    if (isNew && room.untilTs.size >= USERS_IN_ROOM_MAX) return;
    const limited = Math.min(TIMEOUT_MS_MAX, Math.max(TIMEOUT_MS_MIN, timeoutMs));
    room.untilTs.set(userId, this.#clock.now() + limited);
    this.#rooms.set(roomId, room);
    this.#active.add(roomId);
    this.#schedule();
    if (isNew) this.#publish(roomId, room);
  }

  /** A user has stopped typing, left the room or sent a message. */
  stop(roomId: RoomId, userId: UserId): void {
    const room = this.#rooms.get(roomId);
    if (room?.untilTs.delete(userId)) this.#publish(roomId, room);
  }

  /** Who types in a room, or undefined where nobody has lately. */
  inRoom(roomId: RoomId): TypingInRoom | undefined {
    return this.#rooms.get(roomId)?.view;
  }

  /** The rooms where somebody types, or did a moment ago. */
  get activeRooms(): ReadonlySet<RoomId> {
    return this.#active;
  }

  /** The `m.typing` event of a room, if it has changed after a position of the stream. */
  changedSince(roomId: RoomId, position: number): string | undefined {
    const view = this.inRoom(roomId);
    return view !== undefined && view.position > position ? view.json : undefined;
  }

  /** Ends what has run out by now. Runs by itself once a second while somebody types. */
  sweep(): void {
    const now = this.#clock.now();
    for (const roomId of this.#active) {
      const room = this.#rooms.peek(roomId);
      if (room !== undefined) this.#endIn(roomId, room, now);
      if (room === undefined || room.untilTs.size === 0) this.#active.delete(roomId);
    }
    this.#schedule();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#active.clear();
  }

  #endIn(roomId: RoomId, room: RoomTyping, now: number): void {
    let ended = false;
    for (const [userId, untilTs] of room.untilTs) {
      if (untilTs <= now) ended = room.untilTs.delete(userId);
    }
    if (ended) this.#publish(roomId, room);
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#active.size === 0) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.sweep();
    }, SWEEP_INTERVAL_MS);
    this.#timer.unref();
  }

  #publish(roomId: RoomId, room: RoomTyping): void {
    room.view = this.#view([...room.untilTs.keys()]);
    const news: StreamNews = { stream: 'typing', roomId, position: room.view.position };
    this.#hub.wake([`room:${roomId}`, 'stream:typing'], news);
  }

  #view(userIds: readonly UserId[]): TypingInRoom {
    const json = `{"type":"m.typing","content":{"user_ids":${JSON.stringify(userIds)}}}`;
    return { position: this.stream.next(), userIds, json };
  }
}
