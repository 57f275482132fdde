import type { UserId } from '../protocol/ids/index.ts';
import { MEMBERS, STICKY } from '../rooms/index.ts';
import type { Database } from '../storage/index.ts';
import type { Hub, Streams } from '../streams/index.ts';
import type { SyncExtension } from './extension.ts';
import type { OnlineUser } from './online-user.ts';
import type { SyncRooms } from './ports.ts';
import { RoomPositions } from './room-positions.ts';
import { Tracker } from './tracker.ts';

/** Users who are kept in memory between their requests; those who sync come again and again. */
const IDLE_USERS_MAX = 10_000;
/** And how many rooms these may have, all together. */
const IDLE_ROOMS_MAX = 300_000;
/** The streams that are kept by user. */
const USER_STREAMS: readonly string[] = ['account_data', STICKY];

type UserRooms = Pick<SyncRooms, 'listRoomsOfUser' | 'lastPositions' | 'typingIn' | 'completedAt'>;

interface ActiveUser {
  readonly tracker: Tracker;
  uses: number;
}

interface IdleUser {
  readonly tracker: Tracker;
  /** How many rooms the user had then. */
  readonly roomCount: number;
}

/** A user who is kept up to date until this is disposed of. */
export interface UserInUse extends Disposable {
  readonly user: OnlineUser;
}

/**
 * The users who sync: their rooms and who waits, kept up by hints, so that an event costs something only for those who
 * wait for it and an idle sync costs no query. Whoever has a request is never let go; of the others, the latest are kept.
 */
export class OnlineUsers {
  readonly positions = new RoomPositions();
  readonly #database: Database;
  readonly #rooms: UserRooms;
  readonly #hub: Hub;
  readonly #streams: Streams;
  readonly #followed: readonly string[];
  readonly #active = new Map<UserId, ActiveUser>();
  /** The one who came last is the last. */
  readonly #idle = new Map<UserId, IdleUser>();
  readonly #idleUsersMax: number;
  #idleRooms = 0;
  readonly #loading = new Map<UserId, Promise<void>>();

  constructor(options: {
    readonly database: Database;
    readonly rooms: UserRooms;
    readonly hub: Hub;
    readonly streams: Streams;
    readonly extensions: readonly SyncExtension[];
    /** How many users without a request are kept. */
    readonly idleUsersMax?: number;
  }) {
    this.#database = options.database;
    this.#rooms = options.rooms;
    this.#hub = options.hub;
    this.#streams = options.streams;
    this.#followed = [...USER_STREAMS, ...options.extensions.flatMap((extension) => extension.streams)];
    this.#idleUsersMax = options.idleUsersMax ?? IDLE_USERS_MAX;
  }

  /** The user, with all rooms loaded, kept up to date until the use is disposed of. No query where the user is known. */
  async use(userId: UserId): Promise<UserInUse> {
    for (;;) {
      const active = this.#active.get(userId) ?? this.#activate(userId);
      if (active !== undefined) return this.#useOf(userId, active);
      let loading = this.#loading.get(userId);
      if (loading === undefined) {
        loading = this.#load(userId).finally(() => this.#loading.delete(userId));
        this.#loading.set(userId, loading);
      }
      await loading;
    }
  }

  #useOf(userId: UserId, active: ActiveUser): UserInUse {
    active.uses++;
    let isOver = false;
    return {
      user: active.tracker.user,
      [Symbol.dispose]: () => {
        if (isOver) return;
        isOver = true;
        active.uses--;
        if (active.uses > 0) return;
        this.#active.delete(userId);
        this.#rest(userId, active.tracker);
      },
    };
  }

  /** Takes a user out of the idle ones. */
  #activate(userId: UserId): ActiveUser | undefined {
    const idle = this.#idle.get(userId);
    if (idle === undefined) return undefined;
    const active = { tracker: idle.tracker, uses: 0 };
    this.#active.set(userId, active);
    this.#removeIdle(userId, idle);
    return active;
  }

  /** Puts a user among the idle ones, and lets go of those who are there longest, where they are too many. */
  #rest(userId: UserId, tracker: Tracker): void {
    const roomCount = tracker.user.rooms.size;
    this.#idle.set(userId, { tracker, roomCount });
    this.#idleRooms += roomCount;
    for (const [oldest, idle] of this.#idle) {
      if (this.#idle.size <= this.#idleUsersMax && this.#idleRooms <= IDLE_ROOMS_MAX) return;
      this.#removeIdle(oldest, idle);
      idle.tracker.stop();
    }
  }

  #removeIdle(userId: UserId, { roomCount }: IdleUser): void {
    this.#idle.delete(userId);
    this.#idleRooms -= roomCount;
  }

  #current(stream: string): number {
    return this.#streams.current(stream === MEMBERS || stream === STICKY ? 'events' : stream);
  }

  async #load(userId: UserId): Promise<void> {
    // Whatever is listened to is listened to before it is read, so that no change falls between the two.
    const tracker = new Tracker(userId, this.#hub, this.positions);
    const { user } = tracker;
    try {
      for (const stream of this.#followed) user.note(stream, this.#current(stream));
      const rows = await this.#database.read((tx) => this.#rooms.listRoomsOfUser(tx, userId));
      for (const row of rows) {
        const { room_id: roomId, room_nid: roomNid, membership, event_nid: eventNid, position, forgotten } = row;
        tracker.noteMembership({ roomId, roomNid, membership, eventNid, position }, forgotten === 1);
      }
      const nids = rows.filter((row) => row.membership === 'join').map((row) => row.room_nid);
      const last = await this.#database.read((tx) => this.#rooms.lastPositions(tx, nids));
      for (const { room_id: roomId, room_nid: roomNid, membership } of rows) {
        if (membership !== 'join') continue;
        const { events = 0, receipts = 0 } = last.get(roomNid) ?? {};
        tracker.noteRoom('events', roomId, Math.max(events, this.#rooms.completedAt(roomNid)));
        tracker.noteRoom('receipts', roomId, receipts);
        tracker.noteRoom('typing', roomId, this.#rooms.typingIn(roomId)?.position ?? 0);
      }
    } catch (error) {
      tracker.stop();
      throw error;
    }
    user.recent.begin({
      events: user.newest('events'),
      receipts: user.newest('receipts'),
      typing: user.newest('typing'),
    });
    this.#active.set(userId, { tracker, uses: 0 });
  }
}
