import { forbidden, invalidParam, MatrixError, notFound } from '../../protocol/errors.ts';
import {
  parseRoomAlias,
  type RoomAlias,
  type RoomId,
  type ServerName,
  serverNameOf,
  type UserId,
} from '../../protocol/ids/index.ts';
import { type JsonObject, readArray, readString } from '../../protocol/json/index.ts';
import { isUniqueViolation } from '../../storage/errors.ts';
import {
  countAliases,
  deleteAlias,
  findAlias,
  findRoom,
  insertAlias,
  listAliases,
  setRoomPublic,
} from '../store/index.ts';
import { assertJoined } from './checks.ts';
import type { WriteDeps } from './deps.ts';
import type { HotRoom } from './hot-room.ts';

/** Of one room, by one user: enough for anybody, and nobody can fill the table. */
export const ALIASES_MAX = 100;

/** Who asks for something about aliases or the directory. */
export interface DirectoryRequester {
  readonly userId: UserId;
  readonly isAdmin: boolean;
}

/** Where an alias leads. */
export interface ResolvedAlias {
  readonly roomId: RoomId;
  readonly servers: readonly ServerName[];
}

/** Room aliases and the published directory. Spec: client-server-api/#room-aliases, client-server-api/#published-room-directory */
export class Aliases {
  readonly #deps: WriteDeps;

  constructor(deps: WriteDeps) {
    this.#deps = deps;
  }

  /** Resolves an alias, of another server by asking there. @throws MatrixError 404, 502 */
  async resolve(alias: RoomAlias): Promise<ResolvedAlias> {
    const server = serverNameOf(alias);
    const { federated, serverName } = this.#deps;
    if (server === serverName || federated === undefined) return this.resolveOurs(alias);
    const { roomId, servers } = await federated.directory(server, alias);
    return { roomId, servers: [...new Set([server, ...servers])] };
  }

  /** Resolves an alias of ours. @throws MatrixError 404 */
  async resolveOurs(alias: RoomAlias): Promise<ResolvedAlias> {
    const row = await this.#deps.database.read((tx) => findAlias(tx, alias));
    if (row === undefined) throw notFound(`Room alias ${alias} not found`);
    return { roomId: row.room_id, servers: [this.#deps.serverName] };
  }

  /** Makes an alias; a member of the room may. @throws MatrixError 400 for another server's alias, 409 where it is taken, `M_LIMIT_EXCEEDED` where the user has made too many */
  async set(alias: RoomAlias, roomId: RoomId, userId: UserId): Promise<void> {
    this.assertOurs(alias);
    const roomNid = await this.#deps.writer.read(roomId, (room) => {
      assertJoined(room, userId);
      return room.roomNid;
    });
    if (this.#deps.shadows.has(userId)) return;
    try {
      await this.#deps.database.write('main', async (tx) => {
        if ((await countAliases(tx, roomNid, userId)) >= ALIASES_MAX) {
          throw new MatrixError('M_LIMIT_EXCEEDED', 'You have made too many aliases of this room', { status: 400 });
        }
        await insertAlias(tx, alias, roomNid, userId);
      });
    } catch (error) {
      throw isUniqueViolation(error) ? aliasTaken(alias) : error;
    }
  }

  /**
   * Deletes an alias: its creator may, who may change the room's canonical alias, and administrators. It is taken out of
   * `m.room.canonical_alias` where the user may do that.
   */
  async delete(alias: RoomAlias, requester: DirectoryRequester): Promise<void> {
    const row = await this.#deps.database.read((tx) => findAlias(tx, alias));
    if (row === undefined) throw notFound(`Room alias ${alias} not found`);
    if (row.creator !== requester.userId) await this.#assertMayManage(row.room_id, requester);
    if (this.#deps.shadows.has(requester.userId)) return;
    const isDeleted = await this.#deps.database.write('main', async (tx) => {
      // By now it may be another one, which somebody else has made.
      const present = await findAlias(tx, alias);
      if (present?.creator !== row.creator || present.room_id !== row.room_id) return false;
      await deleteAlias(tx, alias);
      return true;
    });
    if (!isDeleted) throw notFound(`Room alias ${alias} not found`);
    await this.#unlist(row.room_id, alias, requester.userId);
  }

  /** The aliases of a room, for its members, and for everybody where its history is world-readable. */
  async list(roomId: RoomId, userId: UserId): Promise<readonly RoomAlias[]> {
    const roomNid = await this.#deps.writer.read(roomId, (room) => {
      if (room.figures.digest.history_visibility !== 'world_readable') assertJoined(room, userId);
      return room.roomNid;
    });
    return this.#deps.database.read((tx) => listAliases(tx, roomNid));
  }

  /** Whether a room is in the published directory. @throws MatrixError 404 */
  async isPublic(roomId: RoomId): Promise<boolean> {
    const row = await this.#deps.database.read((tx) => findRoom(tx, roomId));
    if (row === undefined) throw notFound('Unknown room');
    return row.is_public === 1;
  }

  /** Publishes a room in the directory or takes it out. @throws MatrixError 404, 403 */
  async setPublic(roomId: RoomId, isPublic: boolean, requester: DirectoryRequester): Promise<void> {
    const room = await this.#deps.hotRooms.find(roomId);
    if (room === undefined) throw notFound('Unknown room');
    await this.#assertMayManage(roomId, requester);
    if (this.#deps.shadows.has(requester.userId)) return;
    await this.#deps.database.write('main', (tx) => setRoomPublic(tx, room.roomNid, isPublic));
  }

  /** @throws MatrixError `M_INVALID_PARAM` for an alias of another server */
  assertOurs(alias: RoomAlias): void {
    if (serverNameOf(alias) !== this.#deps.serverName) throw invalidParam('The alias belongs to another server');
  }

  /** An alias of ours by its localpart. @throws MatrixError `M_INVALID_PARAM` */
  ofLocalpart(localpart: string): RoomAlias {
    const alias = parseRoomAlias(`#${localpart}:${this.#deps.serverName}`);
    // Whitespace in an alias can't be told from the text around it, and a colon ends it.
    if (alias === undefined || /[\s:]/.test(localpart)) throw invalidParam('The alias name is not valid');
    return alias;
  }

  async #assertMayManage(roomId: RoomId, { userId, isAdmin }: DirectoryRequester): Promise<void> {
    if (isAdmin) return;
    await this.#deps.writer.read(roomId, (room) => {
      if (!mayChangeAlias(room, userId)) throw forbidden("You may not change this room's aliases or visibility");
    });
  }

  async #unlist(roomId: RoomId, alias: RoomAlias, userId: UserId): Promise<void> {
    const isListed = await this.#deps.writer.read(roomId, (room) => {
      const content = room.stateEvent('m.room.canonical_alias', '')?.content;
      return content !== undefined && mayChangeAlias(room, userId) && withoutAlias(content, alias) !== undefined;
    });
    if (!isListed) return;
    await this.#deps.writer.append(roomId, (room) => {
      const current = room.stateEvent('m.room.canonical_alias', '');
      if (current === undefined) throw forbidden('The canonical alias is gone');
      const content = withoutAlias(current.content, alias);
      if (content === undefined) return { already: current.eventId };
      return { type: 'm.room.canonical_alias', sender: userId, stateKey: '', content };
    });
  }
}

/** 409 `M_UNKNOWN`, as the specification has it for the directory. */
export function aliasTaken(alias: RoomAlias): MatrixError {
  return new MatrixError('M_UNKNOWN', `Room alias ${alias} already exists`, { status: 409 });
}

function mayChangeAlias(room: HotRoom, userId: UserId): boolean {
  const power = room.power();
  return room.isJoined(userId) && power.users(userId) >= power.event('m.room.canonical_alias', true);
}

/** The content without the alias; undefined where it isn't listed. */
function withoutAlias(content: JsonObject, alias: RoomAlias): JsonObject | undefined {
  const others = readArray(content, 'alt_aliases') ?? [];
  const isMain = readString(content, 'alias') === alias;
  if (!isMain && !others.includes(alias)) return undefined;
  const { alias: main, alt_aliases: _others, ...rest } = content;
  const kept = others.filter((other) => other !== alias);
  return {
    ...rest,
    ...(isMain || main === undefined ? {} : { alias: main }),
    ...(kept.length === 0 ? {} : { alt_aliases: kept }),
  };
}
