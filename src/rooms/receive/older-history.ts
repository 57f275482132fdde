import type { Clock } from '../../clock.ts';
import type { RemoteLookups } from '../../federation/index.ts';
import type { EventId, RoomId } from '../../protocol/ids/index.ts';
import type { OlderHistory } from '../read/timeline.ts';
import { listGapsUpTo } from '../store/graph-rows.ts';
import type { HotRoom } from '../write/hot-room.ts';
import type { Backfill } from './backfill.ts';
import type { ReceiveDeps } from './deps.ts';
import { serversToAsk } from './servers-to-ask.ts';

const PAGE_EVENTS = 100;
/** How long somebody waits for the past to be fetched before they get the nearest event that is here. */
const REACH_TIMEOUT_MS = 15_000;

/** What other servers know of the past of rooms, fetched when somebody wants to read it. */
export class RemoteHistory implements OlderHistory {
  readonly #deps: ReceiveDeps;
  readonly #backfill: Backfill;
  readonly #lookups: Pick<RemoteLookups, 'timestampToEvent'>;
  readonly #clock: Clock;

  constructor(deps: ReceiveDeps, backfill: Backfill) {
    this.#deps = deps;
    this.#backfill = backfill;
    this.#lookups = deps.federation.lookups;
    this.#clock = deps.clock;
  }

  /** In a partial room it waits: each older event would need the state before it, which nobody has yet. */
  async before(roomId: RoomId, from: number, limit: number): Promise<boolean> {
    if (!(await this.#deps.partial.isWhole(roomId))) return true;
    return this.#backfill.before(roomId, from, limit);
  }

  /**
   * Fetches the past back to the event that another server names for a time, where it is nearer than `nearestTs`, so that
   * the timeline has no hole between it and now. Resolves with whether anything was fetched.
   * Spec: server-server-api/#get_matrixfederationv1timestamp_to_eventroomid
   */
  async reach(roomId: RoomId, ts: number, dir: 'b' | 'f', nearestTs: number | undefined): Promise<boolean> {
    const room = await this.#deps.hotRooms.find(roomId);
    if (room === undefined || !(await this.#liesBehindGap(room, ts))) return false;
    const found = await this.#ask(room, ts, dir);
    if (found === undefined || (nearestTs !== undefined && Math.abs(nearestTs - ts) <= Math.abs(found.ts - ts))) {
      return false;
    }
    const until = this.#clock.now() + REACH_TIMEOUT_MS;
    let isFetched = false;
    while (this.#clock.now() < until && !(await this.#isHere(found.eventId))) {
      const gap = await this.#newestGap(room);
      if (gap === undefined) break;
      await this.#backfill.before(roomId, gap, PAGE_EVENTS);
      if ((await this.#newestGap(room)) === gap) break;
      isFetched = true;
    }
    return isFetched;
  }

  /** Whether the newest hole is before the event nearest to a time, so that a better one may be in it. */
  async #liesBehindGap(room: HotRoom, ts: number): Promise<boolean> {
    const gap = await this.#newestGap(room);
    if (gap === undefined) return false;
    const range = { from: gap, dir: 'b', limit: 1 } as const;
    const [event] = await this.#deps.database.read((tx) => this.#deps.reader.inRoom(tx, room.roomNid, range));
    return event !== undefined && event.event.originServerTs >= ts;
  }

  async #newestGap(room: HotRoom): Promise<number | undefined> {
    const [gap] = await this.#deps.database.read((tx) => listGapsUpTo(tx, room.roomNid, Number.MAX_SAFE_INTEGER, 1));
    return gap?.position ?? undefined;
  }

  async #isHere(eventId: EventId): Promise<boolean> {
    const [stored] = await this.#deps.database.read((tx) => this.#deps.reader.byIds(tx, [eventId]));
    return stored?.isPlaced ?? false;
  }

  async #ask(room: HotRoom, ts: number, dir: 'b' | 'f') {
    for (const server of serversToAsk(room, this.#deps.serverName, this.#deps.partial)) {
      try {
        return await this.#lookups.timestampToEvent(server, room.roomId, ts, dir);
      } catch (error) {
        this.#deps.log.info(
          { err: error, server, roomId: room.roomId },
          'a server could not name an event of that time',
        );
      }
    }
    return undefined;
  }
}
