import { randomBytes } from 'node:crypto';
import { MatrixError } from '../../protocol/errors.ts';
import { parseRoomId, type RoomId, type UserId } from '../../protocol/ids/index.ts';
import type { JsonObject } from '../../protocol/json/index.ts';
import { type RoomVersionRules, roomVersionRules } from '../../protocol/room-versions/index.ts';
import { insertRoom } from '../store/index.ts';
import type { WriteDeps } from './deps.ts';
import { EMPTY_DIGEST } from './digest.ts';
import type { HotRoom } from './hot-room.ts';
import type { AlsoWrite, PendingEvent } from './pending.ts';

const OPAQUE_ID_BYTES = 15;

/** A room in the making: its events are judged one after the other, and written together. */
export class NewRoom {
  readonly room: HotRoom;
  readonly #deps: WriteDeps;
  readonly #creator: UserId;
  readonly #events: PendingEvent[] = [];

  constructor(deps: WriteDeps, rules: RoomVersionRules, creator: UserId, createContent: JsonObject) {
    const roomId = rules.createEventIsRoomId ? undefined : newRoomId(deps);
    const { room, pending } = asRoomState(() => {
      return deps.writer.found(rules, roomId, { sender: creator, content: createContent });
    });
    this.room = room;
    this.#deps = deps;
    this.#creator = creator;
    this.#events.push(pending);
  }

  get roomId(): RoomId {
    return this.room.roomId;
  }

  /** Adds a state event of the creator. @throws MatrixError `M_INVALID_ROOM_STATE` where the rules refuse it */
  add(type: string, stateKey: string, content: JsonObject): void {
    const proposal = { type, stateKey, content, sender: this.#creator };
    this.#events.push(asRoomState(() => this.#deps.writer.extend(this.room, proposal)));
  }

  /** Writes the room, all in one transaction. */
  async write(isPublic: boolean, also: readonly AlsoWrite[]): Promise<void> {
    const row = {
      ...EMPTY_DIGEST,
      room_id: this.room.roomId,
      version: this.room.rules.id,
      state_root: 0,
      row_version: 0,
      joined_count: 0,
      invited_count: 0,
      is_public: isPublic ? 1 : 0,
      created_ts: this.#deps.clock.now(),
    };
    await this.#deps.writer.create(this.room, this.#events, (tx) => insertRoom(tx, row), also);
  }
}

/** The rules of a version that a client asks for. @throws MatrixError `M_UNSUPPORTED_ROOM_VERSION` */
export function requestedRules(version: string): RoomVersionRules {
  const rules = roomVersionRules(version);
  if (rules !== undefined) return rules;
  throw new MatrixError('M_UNSUPPORTED_ROOM_VERSION', 'This server does not support that room version');
}

function newRoomId({ serverName }: WriteDeps): RoomId {
  const opaque = randomBytes(OPAQUE_ID_BYTES).toString('base64url').replace(/[-_]/g, 'x');
  const roomId = parseRoomId(`!${opaque}:${serverName}`);
  if (roomId === undefined) throw new Error('a server name makes room ids');
  return roomId;
}

/** In a room that doesn't exist yet, nothing is forbidden: what was asked for makes no valid room. */
function asRoomState<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof MatrixError) || error.errcode !== 'M_FORBIDDEN') throw error;
    throw new MatrixError('M_INVALID_ROOM_STATE', error.message);
  }
}
