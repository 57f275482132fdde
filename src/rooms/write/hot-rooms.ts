import { LRUCache } from 'lru-cache';
import type { RoomId } from '../../protocol/ids/index.ts';
import type { Database } from '../../storage/types.ts';
import type { HotRoom, StateEntry } from './hot-room.ts';
import { decodeEntries, type LoadDeps, loadRoom } from './load-room.ts';

/** How many state events the hot rooms may have together. */
const STATE_EVENTS_MAX = 250_000;

/** The rooms in memory. Each room is there once at most; one with events under way is never evicted. */
export class HotRooms {
  readonly #database: Database;
  readonly #deps: LoadDeps;
  readonly #rooms = new LRUCache<RoomId, HotRoom>({ maxSize: STATE_EVENTS_MAX, sizeCalculation: (room) => room.size });
  /** Rooms with batches that aren't settled, and how many. */
  readonly #busy = new Map<RoomId, { room: HotRoom; batchCount: number }>();
  readonly #loading = new Map<RoomId, Promise<HotRoom | undefined>>();

  constructor(database: Database, deps: LoadDeps) {
    this.#database = database;
    this.#deps = deps;
  }

  /** The room, if it is in memory. */
  peek(roomId: RoomId): HotRoom | undefined {
    return this.#rooms.get(roomId) ?? this.#busy.get(roomId)?.room;
  }

  /** The room, loaded if need be; undefined where we don't know it. */
  async find(roomId: RoomId): Promise<HotRoom | undefined> {
    const hot = this.peek(roomId);
    if (hot !== undefined) return hot;
    let loading = this.#loading.get(roomId);
    if (loading === undefined) {
      loading = this.#load(roomId).finally(() => this.#loading.delete(roomId));
      this.#loading.set(roomId, loading);
    }
    return loading;
  }

  /** Decodes state events that a decision needs. */
  async decode(entries: readonly StateEntry[]): Promise<void> {
    await this.#database.read((tx) => decodeEntries(tx, this.#deps.reader, entries));
    const missing = entries.find((entry) => entry.event === undefined);
    if (missing !== undefined) throw new Error(`state event ${missing.eventId} is missing`);
  }

  /** A batch of the room is under way: the room stays in memory. */
  hold(room: HotRoom): void {
    const busy = this.#busy.get(room.roomId);
    if (busy?.room === room) busy.batchCount++;
    else this.#busy.set(room.roomId, { room, batchCount: 1 });
  }

  /** A batch is settled. The room goes into the cache, or out of it where the batch failed. */
  release(room: HotRoom): void {
    const busy = this.#busy.get(room.roomId);
    if (busy?.room === room && --busy.batchCount === 0) this.#busy.delete(room.roomId);
    if (!room.hasFailed) this.#rooms.set(room.roomId, room);
  }

  /** Takes a room out of memory; what was built on it fails. */
  drop(room: HotRoom): void {
    room.hasFailed = true;
    if (this.#rooms.peek(room.roomId) === room) this.#rooms.delete(room.roomId);
    if (this.#busy.get(room.roomId)?.room === room) this.#busy.delete(room.roomId);
  }

  async #load(roomId: RoomId): Promise<HotRoom | undefined> {
    const room = await this.#database.read((tx) => loadRoom(tx, this.#deps, roomId));
    // A room that was created meanwhile is ahead of what was read.
    const hot = this.peek(roomId);
    if (hot !== undefined) return hot;
    if (room !== undefined) this.#rooms.set(roomId, room);
    return room;
  }
}
