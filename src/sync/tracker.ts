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
      if (isMembershipNews(payload)) this.noteMembership(payload, payload.forgotten ?? false);
      else if (isStreamNews(payload)) this.#noteNews(payload, payload.roomId);
      this.user.touch();
    });
  }

  /** Takes in a membership; an older one than is known changes nothing. */
  noteMembership(news: MembershipNews, forgotten: boolean): void {
    const { roomId, roomNid, membership, eventNid, position } = news;
    const known = this.user.rooms.get(roomId);
    if (known !== undefined && known.position > position) return;
    // Of one member event, what was forgotten stays so: a row may have been read before that.
    const isForgotten = forgotten || (known?.position === position && known.forgotten);
    this.user.setRoom({ roomId, roomNid, membership, eventNid, position, forgotten: isForgotten });
    if (membership === 'join') this.#follow(roomId);
    else this.#leave(roomId);
    this.noteRoom('events', roomId, position);
    this.user.note(MEMBERS, position);
  }

  /** Takes in that a room has something at a position. */
  noteRoom(stream: RoomStream, roomId: RoomId, position: number): void {
    this.#positions.note(stream, roomId, position);
    this.user.noteRoom(stream, roomId, position);
  }

  /** Ends all listening. */
  stop(): void {
    this.#stopUser();
    for (const roomId of [...this.#rooms.keys()]) this.#leave(roomId);
  }

  #follow(roomId: RoomId): void {
    if (this.#rooms.has(roomId)) return;
    const stop = this.#hub.listen(`room:${roomId}`, (payload) => {
      if (isStreamNews(payload)) this.#noteNews(payload, roomId);
      this.user.touch();
    });
    this.#rooms.set(roomId, stop);
    this.#positions.hold(roomId);
  }

  #noteNews({ stream, position }: StreamNews, roomId: RoomId | undefined): void {
    if (roomId !== undefined && isRoomStream(stream)) this.noteRoom(stream, roomId, position);
    else this.user.note(stream, position);
  }

  #leave(roomId: RoomId): void {
    const stop = this.#rooms.get(roomId);
    if (stop === undefined) return;
    stop();
    this.#rooms.delete(roomId);
    this.#positions.release(roomId);
  }
}

function isStreamNews(payload: unknown): payload is StreamNews {
  return typeof payload === 'object' && payload !== null && 'stream' in payload && 'position' in payload;
}

function isMembershipNews(payload: unknown): payload is MembershipNews {
  return typeof payload === 'object' && payload !== null && 'membership' in payload && 'eventNid' in payload;
}
