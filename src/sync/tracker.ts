import type { RoomId, UserId } from '../protocol/ids/index.ts';
import { MEMBERS, type MembershipNews, type StreamNews } from '../rooms/index.ts';
import type { Hub } from '../streams/index.ts';
import { OnlineUser } from './online-user.ts';
import { isRoomStream, type RoomPositions, type RoomStream } from './room-positions.ts';

/** Keeps an online user up to date by listening to the user and to the rooms that the user is in. */
export class Tracker {
  readonly user: OnlineUser;
  readonly #hub: Hub;
  readonly #positions: RoomPositions;
  readonly #rooms = new Map<RoomId, () => void>();
  readonly #stopUser: () => void;

  constructor(userId: UserId, hub: Hub, positions: RoomPositions) {
    this.user = new OnlineUser(userId);
    this.#hub = hub;
    this.#positions = positions;
    this.#stopUser = hub.listen(`user:${userId}`, (payload) => {
      if (isMembershipNews(payload)) this.noteMembership(payload, false);
      else if (isStreamNews(payload)) this.#noteNews(payload);
      this.user.touch();
    });
  }

  /** Takes in a membership; an older one than is known changes nothing. */
  noteMembership(news: MembershipNews, forgotten: boolean): void {
    const { roomId, roomNid, membership, eventNid, position } = news;
    const known = this.user.rooms.get(roomId);
    if (known !== undefined && known.position > position) return;
    this.user.rooms.set(roomId, { roomId, roomNid, membership, eventNid, position, forgotten });
    this.noteRoom('events', roomId, position);
    this.user.note(MEMBERS, position);
    if (membership === 'join') this.#follow(roomId);
    else this.#leave(roomId);
  }

  /** Takes in that a room has something at a position. */
  noteRoom(stream: RoomStream, roomId: RoomId, position: number): void {
    this.#positions.note(stream, roomId, position);
    this.user.note(stream, position);
  }

  /** Ends all listening. */
  stop(): void {
    this.#stopUser();
    for (const stop of this.#rooms.values()) stop();
    this.#rooms.clear();
  }

  #follow(roomId: RoomId): void {
    if (this.#rooms.has(roomId)) return;
    const stop = this.#hub.listen(`room:${roomId}`, (payload) => {
      if (isStreamNews(payload)) this.#noteNews({ ...payload, roomId });
      this.user.touch();
    });
    this.#rooms.set(roomId, stop);
  }

  #noteNews({ stream, position, roomId }: StreamNews): void {
    if (roomId !== undefined && isRoomStream(stream)) this.noteRoom(stream, roomId, position);
    else this.user.note(stream, position);
  }

  #leave(roomId: RoomId): void {
    this.#rooms.get(roomId)?.();
    this.#rooms.delete(roomId);
  }
}

function isStreamNews(payload: unknown): payload is StreamNews {
  return typeof payload === 'object' && payload !== null && 'stream' in payload && 'position' in payload;
}

function isMembershipNews(payload: unknown): payload is MembershipNews {
  return typeof payload === 'object' && payload !== null && 'membership' in payload && 'eventNid' in payload;
}
