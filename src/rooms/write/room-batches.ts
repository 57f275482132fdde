import type { Clock } from '../../clock.ts';
import { type RoomId, type ServerName, serverNameOf, type UserId } from '../../protocol/ids/index.ts';
import { StorageUnavailableError } from '../../storage/errors.ts';
import type { Database, WriteTx } from '../../storage/types.ts';
import type { Hub } from '../../streams/index.ts';
import { MEMBERS, type MembershipNews, STICKY, type StreamNews } from '../news.ts';
import { isForgottenAt, type StoredEvent } from '../store/index.ts';
import type { HotRoom } from './hot-room.ts';
import type { HotRooms } from './hot-rooms.ts';
import type { AlsoWrite, Batch, PendingEvent } from './pending.ts';
import { type PersistDeps, type Persisted, persistBatch } from './persist.ts';

export interface RoomBatchesDeps {
  readonly database: Database;
  readonly hotRooms: HotRooms;
  readonly hub: Hub;
  readonly clock: Clock;
  readonly serverName: ServerName;
  readonly persist: Omit<PersistDeps, 'now'>;
  readonly typing?: TypingEnd | undefined;
  /** The state of a room has changed, and is durable. */
  readonly onStateChanged?: (roomId: RoomId, roomNid: number) => void;
}

/** Ends typing notifications: of who has sent a message, and of who has left. */
export interface TypingEnd {
  stop(roomId: RoomId, userId: UserId): void;
}

/** Events of a room in one job; more open the next one. */
const BATCH_EVENTS_MAX = 100;

/** Brings the events that passed to the storage's writer, those of a room that wait together in one job. */
export class RoomBatches {
  readonly #deps: RoomBatchesDeps;

  constructor(deps: RoomBatchesDeps) {
    this.#deps = deps;
  }

  /** Queues an event that was just put into its room, in the same turn. Resolves when it is durable. */
  enqueue(room: HotRoom, pending: PendingEvent, also?: AlsoWrite): Promise<void> {
    let batch = room.openBatch;
    if (batch === undefined || batch.events.length >= BATCH_EVENTS_MAX) {
      batch = this.#start(room, (tx, open) => this.#write(tx, room, open));
      room.openBatch = batch;
    }
    batch.events.push(pending);
    if (also !== undefined) batch.also.push(also);
    return batch.written;
  }

  /** Writes a new room with its first events, in one job. `insert` makes the room's row and returns its nid. */
  create(
    room: HotRoom,
    events: readonly PendingEvent[],
    insert: (tx: WriteTx) => Promise<number>,
    also: readonly AlsoWrite[],
  ): Promise<void> {
    const batch = this.#start(room, async (tx, open) => {
      room.roomNid = await insert(tx);
      await this.#write(tx, room, open);
    });
    batch.events.push(...events);
    batch.also.push(...also);
    return batch.written;
  }

  #start(room: HotRoom, write: (tx: WriteTx, batch: Batch) => Promise<void>): Batch {
    const { database, hotRooms } = this.#deps;
    hotRooms.hold(room);
    const batch: Batch = { events: [], also: [], written: Promise.resolve() };
    const run = async () => {
      try {
        await database.write('main', (tx) => write(tx, batch));
      } catch (error) {
        hotRooms.drop(room);
        throw error;
      } finally {
        hotRooms.release(room);
      }
    };
    batch.written = run();
    room.latestWrite = batch.written;
    return batch;
  }

  async #write(tx: WriteTx, room: HotRoom, batch: Batch): Promise<void> {
    // From here on, further events of the room belong to the next job.
    if (room.openBatch === batch) room.openBatch = undefined;
    if (room.hasFailed) throw new StorageUnavailableError('an earlier event of the room could not be stored');
    const persisted = await persistBatch(tx, { ...this.#deps.persist, now: this.#deps.clock.now() }, room, batch);
    tx.onCommit(() => this.#commit(room, batch, persisted));
  }

  /** The batch is durable: its events become visible to readers, and those who wait are told. */
  #commit(room: HotRoom, batch: Batch, { stored, stateRoot }: Persisted): void {
    const { reader } = this.#deps.persist;
    for (const event of stored) reader.add(event);
    for (const { entry, member, redaction, placement } of batch.events) {
      for (const turned of placement?.turned?.entries ?? []) {
        room.state.commit(`${turned.entry.type}\0${turned.entry.stateKey}`, turned.entry);
        if (turned.member !== undefined) room.members.commit(turned.member.userId, turned.member.entry);
      }
      if (entry !== undefined) room.state.commit(`${entry.type}\0${entry.stateKey}`, entry);
      if (member !== undefined) room.members.commit(member.userId, member.entry);
      if (redaction !== undefined) reader.forgetRedacted(redaction.target.nid);
      const redacted = redaction?.entry;
      if (redacted !== undefined) room.state.commit(`${redacted.type}\0${redacted.stateKey}`, redacted);
    }
    const last = batch.events.at(-1);
    const lastPosition = lastOf(stored) ?? room.committed.lastPosition;
    if (last !== undefined) {
      const { figuresAfter: figures, extremitiesAfter: extremities } = last;
      room.committed = { figures, extremities, stateRoot, lastPosition };
    }
    this.#tell(room, batch, stored);
    this.#endTyping(room, batch);
    const hasState = batch.events.some(({ entry, placement }) => (entry ?? placement?.stateAfter) !== undefined);
    if (hasState) this.#deps.onStateChanged?.(room.roomId, room.roomNid);
  }

  #endTyping({ roomId }: HotRoom, { events }: Batch): void {
    const { typing } = this.#deps;
    for (const { event, member } of events) {
      if (member === undefined && !event.isState) typing?.stop(roomId, event.sender);
      if (member !== undefined && member.membership !== 'join') typing?.stop(roomId, member.userId);
    }
  }

  /** Members first, so that whoever just joined listens to the room when it is told. */
  #tell({ roomId, roomNid }: HotRoom, batch: Batch, stored: readonly StoredEvent[]): void {
    const { hub, serverName, persist } = this.#deps;
    let isMoved = false;
    for (const [index, { member, placement }] of batch.events.entries()) {
      const event = stored[index];
      if (event === undefined) continue;
      const moved = (placement?.turned?.entries ?? []).map(({ entry, member }) => ({ nid: entry.nid, member }));
      for (const { nid: eventNid, member: one } of [...moved, { nid: event.nid, member }]) {
        if (one === undefined) continue;
        isMoved = true;
        if (serverNameOf(one.userId) !== serverName) continue;
        const news: MembershipNews = {
          roomId,
          roomNid,
          membership: one.membership,
          eventNid,
          position: event.position,
          forgotten: isForgottenAt(one.membership, persist.forgetsOnLeave),
        };
        hub.wake([`user:${one.userId}`], news);
      }
    }
    const position = lastOf(stored);
    if (position === undefined) return;
    if (isMoved) {
      const moved: StreamNews = { stream: MEMBERS, position };
      hub.wake([`room:${roomId}`], moved);
    }
    const sticky = stored.findLast((one) => one.position !== 0 && one.event.stickyDurationMs !== undefined);
    if (sticky !== undefined) {
      const isSticky: StreamNews = { stream: STICKY, position: sticky.position };
      hub.wake([`room:${roomId}`], isSticky);
    }
    const news: StreamNews = { stream: 'events', position };
    hub.wake([`room:${roomId}`, 'stream:events'], news);
  }
}

/** The position of the last event that has one: refused ones have none. */
function lastOf(stored: readonly StoredEvent[]): number | undefined {
  return stored.findLast(({ position }) => position !== 0)?.position;
}
