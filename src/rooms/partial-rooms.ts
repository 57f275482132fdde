/**
 * The rooms that we joined with a part of their state (MSC3706, MSC3902), as of now. In memory, since nearly everything asks;
 * the rows are in `partial_rooms`.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { MatrixError } from '../protocol/errors.ts';
import { parseServerName, type RoomId, type ServerName } from '../protocol/ids/index.ts';
import { isJsonArray, parseJson } from '../protocol/json/index.ts';
import type { Database } from '../storage/index.ts';
import { listPartialRooms } from './store/index.ts';

/** A room that lacks members, and perhaps more. */
export interface PartialRoom {
  readonly roomId: RoomId;
  readonly roomNid: number;
  /** The join by which we got into the room. */
  readonly joinNid: number;
  /** The server through which we joined. */
  readonly via: ServerName;
  /** The servers in the room before the join, as that one says. */
  readonly servers: ReadonlySet<ServerName>;
}

interface Waiting extends PartialRoom {
  readonly isWhole: Promise<void>;
  readonly settle: () => void;
}

/** How long a client waits for the members of a room. */
const WAIT_MS = 25_000;

/** Which rooms are partial, and which were. One for the whole process. */
export class PartialRooms {
  readonly #byNid = new Map<number, Waiting>();
  readonly #byId = new Map<RoomId, Waiting>();
  readonly #completed = new Map<number, number>();

  /** Reads what is stored; before anything is served. */
  async load(database: Database): Promise<void> {
    for (const row of await database.read(listPartialRooms)) {
      if (row.completed_position !== null) {
        this.#completed.set(row.room_nid, row.completed_position);
        continue;
      }
      const { room_id: roomId, room_nid: roomNid, join_nid: joinNid, via } = row;
      this.add({ roomId, roomNid, joinNid, via, servers: parseServers(row.servers) });
    }
  }

  /** The room, while it is partial. */
  find(roomNid: number): PartialRoom | undefined {
    return this.#byNid.get(roomNid);
  }

  /** As `find`, by the room's id. */
  findById(roomId: RoomId): PartialRoom | undefined {
    return this.#byId.get(roomId);
  }

  /** All that are partial now. */
  list(): readonly PartialRoom[] {
    return [...this.#byNid.values()];
  }

  /** The position in the stream 'events' at which a room became whole that wasn't; undefined for all others. */
  completedAt(roomNid: number): number | undefined {
    return this.#completed.get(roomNid);
  }

  add(room: PartialRoom): void {
    this.remove(room.roomNid);
    const { promise: isWhole, resolve: settle } = Promise.withResolvers<void>();
    const waiting = { ...room, isWhole, settle };
    this.#byNid.set(room.roomNid, waiting);
    this.#byId.set(room.roomId, waiting);
  }

  complete(roomNid: number, position: number): void {
    this.remove(roomNid);
    this.#completed.set(roomNid, position);
  }

  /** The room has nothing to do with this any more. */
  remove(roomNid: number): void {
    this.#completed.delete(roomNid);
    const room = this.#byNid.get(roomNid);
    if (room === undefined) return;
    this.#byNid.delete(roomNid);
    this.#byId.delete(room.roomId);
    room.settle();
  }

  /** Whether the room is whole now, or within a time that a client may be made to wait. */
  async isWhole(roomId: RoomId, timeoutMs = WAIT_MS): Promise<boolean> {
    const room = this.#byId.get(roomId);
    if (room === undefined) return true;
    const timer = new AbortController();
    try {
      await Promise.race([room.isWhole, delay(timeoutMs, undefined, { signal: timer.signal }).catch(() => undefined)]);
    } finally {
      timer.abort();
    }
    return this.#byId.get(roomId) !== room;
  }

  /** Waits until the room is whole. @throws MatrixError 503: a partial answer would be taken for a whole one */
  async assertWhole(roomId: RoomId): Promise<void> {
    if (await this.isWhole(roomId)) return;
    throw new MatrixError('M_UNKNOWN', 'The members of this room are still being fetched', { status: 503 });
  }
}

function parseServers(text: string): ReadonlySet<ServerName> {
  const names = parseJson(text);
  const servers = new Set<ServerName>();
  for (const name of isJsonArray(names) ? names : []) {
    const server = typeof name === 'string' ? parseServerName(name) : undefined;
    if (server !== undefined) servers.add(server);
  }
  return servers;
}
