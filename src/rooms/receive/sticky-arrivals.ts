/** What sticky events (MSC4354) get beyond others: a second look when they were soft-failed, delivery though we have them. */
import { checkAuth } from '../../protocol/auth/index.ts';
import { type Event, stickyUntil } from '../../protocol/event/index.ts';
import type { RoomId } from '../../protocol/ids/index.ts';
import { STICKY, type StreamNews } from '../news.ts';
import {
  listRoomsWithSoftFailedSticky,
  listSoftFailedSticky,
  listStickyUntil,
  putSticky,
  type StoredEvent,
} from '../store/index.ts';
import type { HotRoom } from '../write/hot-room.ts';
import { NO_PLACEMENT } from './arrival.ts';
import { policyOf } from './arrival-reviews.ts';
import type { ReceiveDeps } from './deps.ts';
import { holdRoom } from './held-room.ts';
import { putLoaded } from './put-loaded.ts';
import type { RoomQueues } from './room-queues.ts';
import { authStateFor, currentState } from './states.ts';

/** Sticky events from other servers that took another way than straight into the timeline. */
export class StickyArrivals {
  readonly #deps: ReceiveDeps;
  readonly #queues: RoomQueues;
  /** The rooms with soft-failed ones, by nid; read once. */
  #waiting: Promise<Set<number>> | undefined;
  readonly #queued = new Set<RoomId>();

  constructor(deps: ReceiveDeps, queues: RoomQueues) {
    this.#deps = deps;
    this.#queues = queues;
  }

  /** A sticky event of the room was soft-failed. */
  async noteSoftFailed(roomNid: number): Promise<void> {
    (await this.#rooms()).add(roomNid);
  }

  /** The room's state has changed: those that were soft-failed may be allowed by now. Never rejects. */
  async reconsider(roomId: RoomId, roomNid: number): Promise<void> {
    if (this.#queued.has(roomId)) return;
    this.#queued.add(roomId);
    try {
      if (!(await this.#rooms()).has(roomNid)) return;
      await this.#queues.run(roomId, () => {
        // What changes from here on is looked at once more.
        this.#queued.delete(roomId);
        return this.#retakeAll(roomId, roomNid);
      });
    } catch (error) {
      this.#deps.log.warn({ err: error, roomId }, 'soft-failed sticky events could not be reconsidered');
    } finally {
      this.#queued.delete(roomId);
    }
  }

  /** An event that we fetched as history came by itself: its server wants it to reach everybody. */
  async deliver(stored: StoredEvent): Promise<void> {
    const { database, clock, hub } = this.#deps;
    const { nid, roomNid, event, position: fetchedAt, isRefused } = stored;
    const { stickyDurationMs: durationMs, roomId } = event;
    if (fetchedAt >= 0 || isRefused || durationMs === undefined) return;
    const now = clock.now();
    const expiresTs = stickyUntil(durationMs, event.originServerTs, now);
    if (expiresTs <= now) return;
    await database.write('main', async (tx) => {
      if ((await listStickyUntil(tx, [nid], now)).has(nid)) return;
      const position = tx.nextPosition('events');
      await putSticky(tx, { event_nid: nid, room_nid: roomNid, position, expires_ts: expiresTs });
      const news: StreamNews = { stream: STICKY, position };
      tx.onCommit(() => hub.wake([`room:${roomId}`], news));
    });
  }

  #rooms(): Promise<Set<number>> {
    const { database, clock } = this.#deps;
    this.#waiting ??= database
      .read((tx) => listRoomsWithSoftFailedSticky(tx, clock.now()))
      .then((nids) => new Set(nids))
      .catch((error: unknown) => {
        this.#waiting = undefined;
        throw error;
      });
    return this.#waiting;
  }

  async #retakeAll(roomId: RoomId, roomNid: number): Promise<void> {
    const { database, reader, clock, hotRooms } = this.#deps;
    const soft = await database.read(async (tx) => {
      return reader.byNids(tx, await listSoftFailedSticky(tx, roomNid, clock.now()));
    });
    let rest = 0;
    for (const stored of soft) {
      const isTaken = await holdRoom(hotRooms, roomId, (room) => this.#retake(room, stored));
      if (!isTaken) rest++;
    }
    if (rest === 0) (await this.#rooms()).delete(roomNid);
  }

  /** Puts the event into the timeline as if it came now, where the current state allows it. */
  async #retake(room: HotRoom, stored: StoredEvent): Promise<boolean> {
    const { database, hotRooms, writer } = this.#deps;
    const { event, stateBefore } = stored;
    // State comes in by state resolution, with the events that build on it.
    if (event.isState || !room.isResident(this.#deps.serverName)) return false;
    const state = await database.read((tx) => authStateFor(tx, this.#deps, currentState(room), event));
    if (!checkAuth(event, state).allowed || (await this.#isUnwelcome(event))) return false;
    const before = { root: stateBefore, changes: new Map() };
    const placement = { ...NO_PLACEMENT, stateBefore: before };
    await putLoaded(hotRooms, room, () => writer.put(room, event, { placement }));
    return true;
  }

  /** Whether it lacks the signature of the room's policy server. */
  async #isUnwelcome(event: Event): Promise<boolean> {
    const { hotRooms, policyServers } = this.#deps;
    const policy = await policyOf(hotRooms, event.roomId);
    return policy !== undefined && !(await policyServers.isSigned(policy, event));
  }
}
