import type { Clock } from '../clock.ts';
import type { Event } from '../protocol/event/index.ts';
import { redactEvent } from '../protocol/event/index.ts';
import { type EventId, parseEventId, parseUserId, type UserId } from '../protocol/ids/index.ts';
import type { JsonObject } from '../protocol/json/index.ts';
import { receiptsStream } from '../rooms/ephemeral/index.ts';
import { membershipOf } from '../rooms/read/history-visibility.ts';
import { makeReading, type Reading } from '../rooms/read/index.ts';
import {
  EventReader,
  eventsStream,
  insertEvent,
  insertNotification,
  insertRedaction,
  insertRoom,
  putMembership,
  type RoomDigest,
  redactEventRow,
  redactMembership,
  roomsMigrations,
  StateKeys,
  type StoredEvent,
  type Unread,
} from '../rooms/store/index.ts';
import { EMPTY_STATE, StateTree } from '../rooms/store/state-tree.ts';
import { EMPTY_DIGEST } from '../rooms/write/digest.ts';
import type { Database, ReadTx } from '../storage/index.ts';
import type { OpenTestDatabase } from './databases.ts';
import { RoomBuilder, type RoomBuilderOptions } from './room-builder.ts';

/** How an event lies in the store, where that isn't the usual. */
export interface StoreOptions {
  /** Root of the state before it, for events on another branch; without it that of the room's present state. */
  readonly stateBefore?: number;
  /** Backfilled events have negative positions. */
  readonly position?: number;
  readonly unread?: Unread;
  readonly threadRoot?: EventId;
  /** `deviceId\0txnId`. */
  readonly txn?: string;
  /** What it does to single users' unread counts. */
  readonly notifications?: readonly {
    readonly userId: UserId;
    readonly notify: boolean;
    readonly highlight: boolean;
  }[];
}

/** What reads rooms from one database, over the real store. */
export class StoredRooms {
  readonly database: Database;
  readonly reading: Reading;
  readonly tree = new StateTree();
  readonly keys = new StateKeys();
  readonly ignored = new Map<UserId, ReadonlySet<UserId>>();

  private constructor(database: Database, clock: Clock) {
    this.database = database;
    this.reading = makeReading({
      database,
      clock,
      events: new EventReader(),
      stateTree: this.tree,
      stateKeys: this.keys,
      accounts: { ignoredUsers: async (userId) => this.ignored.get(userId) ?? new Set() },
    });
  }

  /** An empty database with the tables of the rooms. */
  static async open(open: OpenTestDatabase, clock: Clock): Promise<StoredRooms> {
    const database = await open(roomsMigrations, { streams: [eventsStream, receiptsStream] });
    return new StoredRooms(database, clock);
  }

  /** A stored room with what RoomBuilder.createPublic() makes. `digest`: columns of the room's row. */
  async createRoom(options: RoomBuilderOptions = {}, digest: Partial<RoomDigest> = {}): Promise<StoredRoom> {
    const builder = RoomBuilder.createPublic(options);
    const { create } = builder;
    const roomNid = await this.database.write('main', (tx) =>
      insertRoom(tx, {
        ...EMPTY_DIGEST,
        ...digest,
        room_id: builder.roomId,
        version: builder.rules.id,
        state_root: EMPTY_STATE,
        row_version: 0,
        joined_count: 0,
        invited_count: 0,
        is_public: 0,
        created_ts: create.originServerTs,
      }),
    );
    const room = new StoredRoom(this, builder, roomNid);
    for (const event of builder.events) await room.store(event);
    return room;
  }
}

/** A room whose events a test makes with a builder and puts into the real tables, with any state and position. */
export class StoredRoom {
  readonly builder: RoomBuilder;
  readonly roomNid: number;
  readonly #rooms: StoredRooms;
  /** Root of the present state. */
  root = EMPTY_STATE;

  constructor(rooms: StoredRooms, builder: RoomBuilder, roomNid: number) {
    this.#rooms = rooms;
    this.builder = builder;
    this.roomNid = roomNid;
  }

  /** A message of this text. */
  async send(sender: string, body: string, options: StoreOptions = {}): Promise<StoredEvent> {
    return this.store(this.builder.send(sender, body), options);
  }

  async setState(sender: string, type: string, content: JsonObject, stateKey = ''): Promise<StoredEvent> {
    return this.store(this.builder.setState(sender, type, content, stateKey));
  }

  async setVisibility(visibility: string): Promise<StoredEvent> {
    return this.setState('alice', 'm.room.history_visibility', { history_visibility: visibility });
  }

  async redact(target: StoredEvent): Promise<StoredEvent> {
    const sender = this.builder.create.sender;
    const { eventId } = target.event;
    const redaction = await this.store(this.builder.add({ type: 'm.room.redaction', sender, redacts: eventId }));
    await this.#rooms.database.write('main', async (tx) => {
      await insertRedaction(tx, eventId, redaction.nid);
      await redactEventRow(tx, target.nid, redactEvent(target.event).json, redaction.event.eventId);
      await redactMembership(tx, target.nid, target.event.stateKey ?? '', this.roomNid);
      tx.onCommit(() => this.#rooms.reading.events.forgetRedacted(target.nid));
    });
    return redaction;
  }

  /** The stored events of these ids. */
  async eventsById(ids: readonly string[]): Promise<readonly StoredEvent[]> {
    const eventIds = ids.map(parseEventId).filter((id) => id !== undefined);
    return this.#rooms.database.read((tx) => this.#rooms.reading.events.byIds(tx, eventIds));
  }

  /** Writes an event as if it had just been accepted. */
  async store(event: Event, options: StoreOptions = {}): Promise<StoredEvent> {
    const { database, keys, tree, reading } = this.#rooms;
    const nid = await database.write('main', async (tx) => {
      const live = tx.nextPosition('events');
      const position = options.position ?? live;
      const inserted = await insertEvent(tx, {
        room_nid: this.roomNid,
        event_id: event.eventId,
        position,
        depth: event.depth,
        type: event.type,
        state_key: event.stateKey ?? null,
        sender: event.sender,
        state_before: options.stateBefore ?? this.root,
        rejected: 0,
        soft_failed: 0,
        redacted_by: null,
        unread: options.unread ?? 0,
        thread_root: options.threadRoot ?? null,
        txn: options.txn ?? null,
        json: event.json,
      });
      for (const { userId, notify, highlight } of options.notifications ?? []) {
        await insertNotification(tx, {
          user_id: userId,
          room_nid: this.roomNid,
          position,
          event_nid: inserted,
          thread_root: options.threadRoot ?? null,
          notify: notify ? 1 : 0,
          highlight: highlight ? 1 : 0,
          actions: null,
        });
      }
      if (event.stateKey !== undefined && options.stateBefore === undefined) {
        const keyNid = await keys.intern(tx, event.type, event.stateKey);
        this.root = await tree.update(tx, this.root, [[keyNid, inserted]]);
        await this.#updateRoom(tx, event);
        const userId = event.type === 'm.room.member' ? parseUserId(event.stateKey) : undefined;
        if (userId !== undefined) {
          await putMembership(tx, {
            user_id: userId,
            room_nid: this.roomNid,
            membership: membershipOf(event.content),
            event_nid: inserted,
            position,
            sender: event.sender,
            forgotten: 0,
            display_name: textOf(event.content, 'displayname'),
            avatar_url: textOf(event.content, 'avatar_url'),
          });
        }
      }
      return inserted;
    });
    const [stored] = await database.read((tx) => reading.events.byNids(tx, [nid]));
    if (stored === undefined) throw new Error('an event that was inserted is there');
    return stored;
  }

  async #updateRoom(tx: ReadTx, event: Event): Promise<void> {
    const isVisibility = event.type === 'm.room.history_visibility';
    await tx.db
      .updateTable('rooms')
      .set({
        state_root: this.root,
        ...(isVisibility && { history_visibility: textOf(event.content, 'history_visibility') }),
      })
      .where('room_nid', '=', this.roomNid)
      .execute();
  }
}

function textOf(content: JsonObject, key: string): string | null {
  const value = content[key];
  return typeof value === 'string' ? value : null;
}
