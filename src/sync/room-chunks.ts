import { LRUCache } from 'lru-cache';
import type { StoredEvent } from '../rooms/index.ts';
import type { ReadTx } from '../storage/index.ts';
import type { SyncRooms } from './ports.ts';

/** A stretch of a room, to be read backwards. */
export interface ChunkRange {
  readonly roomNid: number;
  /** Events after this position; undefined: from the room's beginning. */
  readonly after: number | undefined;
  /** And up to this one, which must be committed. */
  readonly upTo: number;
  readonly limit: number;
}

/** The end of a room: all its events after `after` up to `upTo`. */
interface Tail {
  after: number;
  upTo: number;
  /** Oldest first. */
  readonly events: { readonly nid: number; readonly position: number }[];
}

const ROOMS_MAX = 3_000;
const EVENTS_MAX = 60;
/** Live events have positions after this one, those from before the server was in the room do not. */
const LIVE = 0;
const BEGINNING = -Number.MAX_SAFE_INTEGER;

/**
 * The last events of rooms, read once for all who wait for them. What is at a committed position stays there, so what was
 * read in one transaction holds for all that begin later.
 */
export class RoomChunks {
  readonly #rooms: Pick<SyncRooms, 'eventsInRoom' | 'eventsByNids'>;
  readonly #tails = new LRUCache<number, Tail>({ max: ROOMS_MAX });
  readonly #reading = new Map<number, Promise<void>>();

  constructor(rooms: Pick<SyncRooms, 'eventsInRoom' | 'eventsByNids'>) {
    this.#rooms = rooms;
  }

  /** The newest events of a range, newest first. */
  async read(tx: ReadTx, range: ChunkRange): Promise<readonly StoredEvent[]> {
    const nids = this.#kept(range) ?? (await this.#afterReading(tx, range));
    // What was there may be refused by now: a room that lacked members has become whole.
    if (nids !== undefined) return (await this.#rooms.eventsByNids(tx, nids)).filter((one) => !one.isRefused);
    const { roomNid, after = BEGINNING, upTo, limit } = range;
    return this.#rooms.eventsInRoom(tx, roomNid, { from: upTo, to: after, dir: 'b', limit });
  }

  /** Brings the tail up to the range; those who want the same wait for the one who reads. */
  async #afterReading(tx: ReadTx, range: ChunkRange): Promise<readonly number[] | undefined> {
    const { roomNid } = range;
    const tail = this.#tails.get(roomNid);
    // Older events than it has, with later ones behind it or with nothing to add: that is read by itself.
    const hasAll = range.after === undefined && tail !== undefined && tail.after <= LIVE && tail.upTo === range.upTo;
    if (range.limit > EVENTS_MAX || hasAll || (tail !== undefined && tail.upTo > range.upTo)) return undefined;
    await this.#reading.get(roomNid);
    const kept = this.#kept(range);
    if (kept !== undefined || this.#reading.has(roomNid)) return kept;
    const reading = this.#extend(tx, range);
    // Who waits goes on by himself where this one fails.
    const settled = reading.catch(() => undefined).finally(() => this.#reading.delete(roomNid));
    this.#reading.set(roomNid, settled);
    await reading;
    return this.#kept(range);
  }

  async #extend(tx: ReadTx, { roomNid, after = BEGINNING, upTo, limit }: ChunkRange): Promise<void> {
    const tail = this.#tails.get(roomNid);
    if (tail !== undefined && tail.upTo < upTo && tail.after <= Math.max(after, LIVE)) {
      const to = { from: upTo, to: tail.upTo, dir: 'b', limit: EVENTS_MAX } as const;
      const news = await this.#rooms.eventsInRoom(tx, roomNid, to);
      if (news.length < EVENTS_MAX) {
        append(tail, news, upTo);
        return;
      }
    }
    // Whoever comes next may want a few more.
    const count = Math.min(EVENTS_MAX, limit + 10);
    const events = await this.#rooms.eventsInRoom(tx, roomNid, { from: upTo, to: after, dir: 'b', limit: count });
    const oldest = events.at(-1);
    const isWhole = events.length < count || oldest === undefined;
    // Nothing comes between committed events, but older ones may yet come before the room's first.
    const start = Math.max(isWhole ? after : oldest.position - 1, LIVE);
    const begin: Tail = { after: start, upTo: start, events: [] };
    append(begin, events, upTo);
    this.#tails.set(roomNid, begin);
  }

  /** The nids of the range, newest first; undefined where the tail hasn't all of them. */
  #kept({ roomNid, after = BEGINNING, upTo, limit }: ChunkRange): readonly number[] | undefined {
    const tail = this.#tails.get(roomNid);
    if (tail === undefined || tail.upTo < upTo) return undefined;
    const nids: number[] = [];
    for (let index = tail.events.length - 1; index >= 0 && nids.length < limit; index--) {
      const event = tail.events[index];
      if (event === undefined || event.position > upTo) continue;
      if (event.position <= after) return nids;
      nids.push(event.nid);
    }
    return nids.length === limit || tail.after <= after ? nids : undefined;
  }
}

/** Adds what was read (newest first) of the stretch from the tail's end up to a position. */
function append(tail: Tail, news: readonly StoredEvent[], upTo: number): void {
  for (const { nid, position } of news.toReversed()) if (position > tail.after) tail.events.push({ nid, position });
  tail.upTo = upTo;
  const excess = tail.events.length - EVENTS_MAX;
  if (excess > 0) tail.after = tail.events.splice(0, excess).at(-1)?.position ?? tail.after;
}
