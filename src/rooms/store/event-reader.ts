import { LRUCache } from 'lru-cache';
import { upTo } from '../../lru.ts';
import { relationOf } from '../../protocol/event/index.ts';
import type { EventId } from '../../protocol/ids/index.ts';
import { compiledOnce } from '../../storage/compiled-once.ts';
import type { ReadTx } from '../../storage/types.ts';
import { AGGREGATED_TYPES, PlainEvents } from './plain-events.ts';
import { type EventRow, type StoredEvent, storedEventOf } from './stored-event.ts';
import { inStretch, type Stretch } from './stretch.ts';
import './tables.ts';

/** A stretch of a room. A position p stands for the gap behind the event at p, as in sync tokens. */
export interface RoomRange {
  /** Where to begin: backwards the event at `from` is the first, forwards the one after it. */
  readonly from: number;
  /** Where to stop: backwards the event at `to` isn't part of it, forwards it is. Without it, the room's end. */
  readonly to?: number;
  /** `b`: newest first; `f`: oldest first. */
  readonly dir: 'b' | 'f';
  readonly limit: number;
}

/** How much JSON the cache keeps, in UTF-16 units; an event's parsed form may double it. */
const CACHE_CHARS_MAX = 12 * 1024 * 1024;
/** How many redactions are remembered, so that a read on an older snapshot doesn't bring back what was redacted. */
const REDACTED_REMEMBERED_MAX = 10_000;
const POSITION_MAX = Number.MAX_SAFE_INTEGER;

/** Reads events, through a cache of stored events by nid. */
export class EventReader {
  /** Which events have nothing to aggregate. */
  readonly plain = new PlainEvents();
  readonly #cache = new LRUCache<number, StoredEvent>({
    maxSize: CACHE_CHARS_MAX,
    sizeCalculation: (stored) => stored.event.json.length + 256,
  });
  readonly #nidOf = new LRUCache<EventId, number>(upTo(20_000));
  readonly #redacted = new LRUCache<number, true>(upTo(REDACTED_REMEMBERED_MAX));
  readonly #rejudged = new LRUCache<number, number>(upTo(REDACTED_REMEMBERED_MAX));
  #redactionCount = 0;

  /** The events with these nids, in that order; ones that don't exist are left out. */
  async byNids(tx: ReadTx, nids: readonly number[]): Promise<readonly StoredEvent[]> {
    const missing = nids.filter((nid) => this.#cache.peek(nid) === undefined);
    const read = new Map<number, StoredEvent>();
    if (missing.length > 0) {
      for (const row of await tx.run(eventsByNids, { nids: missing })) read.set(row.nid, this.#keep(row));
    }
    return present(nids, (nid) => read.get(nid) ?? this.#cache.get(nid));
  }

  /** The events with these ids, in that order; unknown ones are left out. Outliers and refused ones are included. */
  async byIds(tx: ReadTx, eventIds: readonly EventId[]): Promise<readonly StoredEvent[]> {
    const found = new Map<EventId, StoredEvent>();
    const missing: EventId[] = [];
    for (const eventId of eventIds) {
      const cached = this.cached(eventId);
      if (cached === undefined) missing.push(eventId);
      else found.set(eventId, cached);
    }
    if (missing.length > 0) {
      for (const row of await tx.run(eventsByIds, { eventIds: missing })) found.set(row.event_id, this.#keep(row));
    }
    return present(eventIds, (eventId) => found.get(eventId));
  }

  /** A stretch of a room's events in the order asked for, without outliers and refused events. */
  async inRoom(tx: ReadTx, roomNid: number, range: RoomRange): Promise<readonly StoredEvent[]> {
    const { from, to, dir, limit } = range;
    const rows =
      dir === 'b'
        ? await tx.run(eventsBackwards, { roomNid, after: to ?? -POSITION_MAX, upTo: from, limit })
        : await tx.run(eventsForwards, { roomNid, after: from, upTo: to ?? POSITION_MAX, limit });
    return rows.map((row) => this.#cache.get(row.nid) ?? this.#keep(row));
  }

  /** The event, if it is in the cache. */
  cached(eventId: EventId): StoredEvent | undefined {
    const nid = this.#nidOf.get(eventId);
    return nid === undefined ? undefined : this.#cache.get(nid);
  }

  /** Takes in an event that was just committed. */
  add(stored: StoredEvent): void {
    const relation = relationOf(stored.event);
    if (relation !== undefined && AGGREGATED_TYPES.has(relation.relType)) this.plain.noteChild(relation.relatesTo);
    this.#put(stored);
  }

  #put(stored: StoredEvent): void {
    this.#cache.set(stored.nid, stored);
    this.#nidOf.set(stored.event.eventId, stored.nid);
  }

  /** Goes up with each redaction: what was made of a state's events may be outdated, though the state is the same. */
  get redactionCount(): number {
    return this.#redactionCount;
  }

  /** Forgets an event whose row was just changed by a redaction. */
  forgetRedacted(nid: number): void {
    this.#redactionCount++;
    this.#redacted.set(nid, true);
    this.#cache.delete(nid);
  }

  /** Forgets an event whose row was just given another state before it. */
  forgetRejudged(nid: number, stateBefore: number): void {
    this.#rejudged.set(nid, stateBefore);
    this.#cache.delete(nid);
  }

  #keep(row: EventRow): StoredEvent {
    const stored = storedEventOf(row);
    const isUnredacted = row.redacted_by === null && this.#redacted.has(row.nid);
    const isUnjudged = (this.#rejudged.peek(row.nid) ?? row.state_before) !== row.state_before;
    if (!isUnredacted && !isUnjudged) this.#put(stored);
    return stored;
  }
}

function present<K>(keys: readonly K[], find: (key: K) => StoredEvent | undefined): readonly StoredEvent[] {
  const events: StoredEvent[] = [];
  for (const key of keys) {
    const stored = find(key);
    if (stored !== undefined) events.push(stored);
  }
  return events;
}

const COLUMNS = [
  'events.nid',
  'events.room_nid',
  'events.event_id',
  'events.position',
  'events.state_before',
  'events.rejected',
  'events.soft_failed',
  'events.redacted_by',
  'events.unread',
  'events.thread_root',
  'events.txn',
  'events.json',
  'rooms.version',
] as const;

const eventsByNids = compiledOnce<{ nids: readonly number[] }>()((db, p) =>
  db
    .selectFrom('events')
    .innerJoin('rooms', 'rooms.room_nid', 'events.room_nid')
    .select(COLUMNS)
    .where('events.nid', 'in', p.numbers('nids')),
);

const eventsByIds = compiledOnce<{ eventIds: readonly EventId[] }>()((db, p) =>
  db
    .selectFrom('events')
    .innerJoin('rooms', 'rooms.room_nid', 'events.room_nid')
    .select(COLUMNS)
    .where('events.event_id', 'in', p.texts('eventIds')),
);

const eventsBackwards = eventsOf('desc');
const eventsForwards = eventsOf('asc');

function eventsOf(order: 'asc' | 'desc') {
  return compiledOnce<Stretch>()((db, p) =>
    db
      .selectFrom('events')
      .innerJoin('rooms', 'rooms.room_nid', 'events.room_nid')
      .select(COLUMNS)
      .where(inStretch(p))
      .orderBy('events.position', order)
      .limit(p('limit')),
  );
}
