import { LRUCache } from 'lru-cache';
import type { Clock } from '../../clock.ts';
import type { RemoteHierarchy } from '../../federation/index.ts';
import { upTo } from '../../lru.ts';
import { parseServerName, type RoomId, type ServerName, type UserId } from '../../protocol/ids/index.ts';
import type { Database, ReadTx } from '../../storage/index.ts';
import { findMembership, findRoom } from '../store/index.ts';
import type { RoomPreview, SpaceRoom } from './room-previews.ts';
import type { RemotePreviews } from './space-hierarchy.ts';

/** Asks one server for a room and its children; throws where it tells nothing. */
export interface HierarchySource {
  hierarchy(server: ServerName, roomId: RoomId): Promise<RemoteHierarchy>;
}

export interface RemotePreviewsDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly serverName: ServerName;
  readonly source: HierarchySource;
}

const SERVERS_ASKED_MAX = 3;
const ROOMS_KEPT_MAX = 2_000;
const KEPT_MS = 5 * 60_000;
/** Where nobody told anything: soon somebody may. */
const MISS_KEPT_MS = 30_000;

interface Known {
  readonly room: Promise<SpaceRoom | undefined>;
  readonly untilTs: number;
}

/**
 * Rooms that we aren't in, as servers that are in them show them. Answers are kept for some minutes, with the children that
 * came along, so that walking a space asks once for a level and not once for a room.
 * Spec: server-server-api/#get_matrixfederationv1hierarchyroomid
 */
export class RemoteRoomPreviews implements RemotePreviews {
  readonly #deps: RemotePreviewsDeps;
  readonly #known = new LRUCache<RoomId, Known>(upTo(ROOMS_KEPT_MAX));

  readonly serverName: ServerName;

  constructor(deps: RemotePreviewsDeps) {
    this.#deps = deps;
    this.serverName = deps.serverName;
  }

  async findSpaceRoom(roomId: RoomId, via: readonly ServerName[], userId: UserId): Promise<SpaceRoom | undefined> {
    return this.#visibleTo(await this.#find(roomId, via), userId);
  }

  async findPreview(
    roomId: RoomId,
    via: readonly ServerName[],
    userId: UserId | undefined,
  ): Promise<RoomPreview | undefined> {
    const room = await this.#visibleTo(await this.#find(roomId, via), userId);
    if (room === undefined) return undefined;
    const { children_state: _, ...preview } = room;
    return preview;
  }

  #find(roomId: RoomId, via: readonly ServerName[]): Promise<SpaceRoom | undefined> {
    const now = this.#deps.clock.now();
    const known = this.#known.get(roomId);
    if (known !== undefined && known.untilTs > now) return known.room;
    const room = this.#ask(roomId, via).then((found) => {
      const keptMs = found === undefined ? MISS_KEPT_MS : KEPT_MS;
      this.#known.set(roomId, { room, untilTs: now + keptMs });
      return found;
    });
    // Those who ask meanwhile share the answer.
    this.#known.set(roomId, { room, untilTs: now + KEPT_MS });
    return room;
  }

  /** Never rejects: a server that can't tell is one of several. */
  async #ask(roomId: RoomId, via: readonly ServerName[]): Promise<SpaceRoom | undefined> {
    const { serverName, source, clock } = this.#deps;
    const home = parseServerName(roomId.slice(roomId.indexOf(':') + 1));
    const servers = new Set([...via, ...(roomId.includes(':') && home !== undefined ? [home] : [])]);
    servers.delete(serverName);
    for (const server of [...servers].slice(0, SERVERS_ASKED_MAX)) {
      const answer = await source.hierarchy(server, roomId).catch(() => undefined);
      if (answer === undefined) continue;
      const untilTs = clock.now() + KEPT_MS;
      for (const child of answer.children) this.#known.set(child.room_id, { room: Promise.resolve(child), untilTs });
      for (const closed of answer.inaccessible) this.#known.set(closed, { room: NOTHING, untilTs });
      return answer.room;
    }
    return undefined;
  }

  /** The other server shows what anybody of ours may see; whether this user may, is for us to say. */
  async #visibleTo(room: SpaceRoom | undefined, userId: UserId | undefined): Promise<SpaceRoom | undefined> {
    if (room === undefined) return undefined;
    const { world_readable: isOpen, join_rule: rule } = room;
    if (isOpen || rule === 'public' || rule === 'knock' || rule === 'knock_restricted') return room;
    if (userId === undefined) return undefined;
    const mayEnter = await this.#deps.database.read(async (tx) => {
      const isAllowed = rule === 'restricted' && (await isInAny(tx, userId, room.allowed_room_ids ?? []));
      return isAllowed || (await hasMembership(tx, userId, room.room_id, ['join', 'invite']));
    });
    return mayEnter ? room : undefined;
  }
}

const NOTHING: Promise<undefined> = Promise.resolve(undefined);

async function isInAny(tx: ReadTx, userId: UserId, roomIds: readonly RoomId[]): Promise<boolean> {
  for (const roomId of roomIds) if (await hasMembership(tx, userId, roomId, ['join'])) return true;
  return false;
}

async function hasMembership(tx: ReadTx, userId: UserId, roomId: RoomId, wanted: readonly string[]): Promise<boolean> {
  const room = await findRoom(tx, roomId);
  const found = room && (await findMembership(tx, userId, room.room_nid));
  return found !== undefined && wanted.includes(found.membership);
}
