import { LRUCache } from 'lru-cache';
import type { UserId } from '../protocol/ids/index.ts';
import { MEMBERS } from '../rooms/index.ts';
import type { Database } from '../storage/index.ts';
import type { Hub, Streams } from '../streams/index.ts';
import type { SyncExtension } from './extension.ts';
import type { OnlineUser } from './online-user.ts';
import type { SyncRooms } from './ports.ts';
import { RoomPositions } from './room-positions.ts';
import { Tracker } from './tracker.ts';

/** Users whose rooms are kept in memory; those who sync come again and again. */
const USERS_MAX = 10_000;
/** The streams that are kept by user. */
const USER_STREAMS: readonly string[] = ['account_data'];

/**
 * The users who sync: their rooms and who waits, kept up by hints, so that an event costs something only for those who
 * wait for it and an idle sync costs no query.
 */
export class OnlineUsers {
  readonly positions = new RoomPositions();
  readonly #database: Database;
  readonly #rooms: SyncRooms;
  readonly #hub: Hub;
  readonly #streams: Streams;
  readonly #followed: readonly string[];
  readonly #users = new LRUCache<UserId, Tracker>({
    max: USERS_MAX,
    dispose: (tracker) => tracker.stop(),
  });
  readonly #loading = new Map<UserId, Promise<Tracker>>();

  constructor(options: {
    readonly database: Database;
    readonly rooms: SyncRooms;
    readonly hub: Hub;
    readonly streams: Streams;
    readonly extensions: readonly SyncExtension[];
  }) {
    this.#database = options.database;
    this.#rooms = options.rooms;
    this.#hub = options.hub;
    this.#streams = options.streams;
    this.#followed = [...USER_STREAMS, ...options.extensions.flatMap((extension) => extension.streams)];
  }

  /** The user, with all rooms loaded. No query where the user is known. */
  async get(userId: UserId): Promise<OnlineUser> {
    const known = this.#users.get(userId);
    if (known !== undefined) return known.user;
    let loading = this.#loading.get(userId);
    if (loading === undefined) {
      loading = this.#load(userId).finally(() => this.#loading.delete(userId));
      this.#loading.set(userId, loading);
    }
    return (await loading).user;
  }

  #current(stream: string): number {
    return this.#streams.current(stream === MEMBERS ? 'events' : stream);
  }

  async #load(userId: UserId): Promise<Tracker> {
    // Whatever is listened to is listened to before it is read, so that no change falls between the two.
    const tracker = new Tracker(userId, this.#hub, this.positions);
    try {
      for (const stream of this.#followed) tracker.user.note(stream, this.#current(stream));
      const rows = await this.#database.read((tx) => this.#rooms.listRoomsOfUser(tx, userId));
      for (const row of rows) {
        const { room_id: roomId, room_nid: roomNid, membership, event_nid: eventNid, position, forgotten } = row;
        tracker.noteMembership({ roomId, roomNid, membership, eventNid, position }, forgotten === 1);
      }
      const nids = rows.map((row) => row.room_nid);
      const last = await this.#database.read((tx) => this.#rooms.lastPositions(tx, nids));
      for (const { room_id: roomId, room_nid: roomNid } of rows) {
        const { events = 0, receipts = 0 } = last.get(roomNid) ?? {};
        tracker.noteRoom('events', roomId, events);
        tracker.noteRoom('receipts', roomId, receipts);
        tracker.noteRoom('typing', roomId, this.positions.last('typing', roomId));
      }
    } catch (error) {
      tracker.stop();
      throw error;
    }
    this.#users.set(userId, tracker);
    return tracker;
  }
}
