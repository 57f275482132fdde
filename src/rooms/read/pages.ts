import {
  acceptsEverything,
  matchesEvent,
  matchesRoomEvent,
  type RoomEventFilter,
} from '../../protocol/filter/index.ts';
import type { UserId } from '../../protocol/ids/index.ts';
import type { ReadTx } from '../../storage/index.ts';
import type { EventReader, StoredEvent } from '../store/index.ts';
import { withRelated } from './related-filter.ts';
import { headsBackwards, headsForwards } from './timeline-store.ts';
import type { RoomSight } from './visibility.ts';

/** Where a page begins and how far it may go. Positions stand for the gap behind an event. */
export interface PageRange {
  readonly roomNid: number;
  /** `b`: from `from` to older events; `f`: to newer ones. */
  readonly dir: 'b' | 'f';
  readonly from: number;
  /** Where to stop; without it, the end of the room in that direction. */
  readonly to: number | undefined;
  readonly limit: number;
}

/** Which events of the range belong to the page. */
export interface PageRules {
  readonly filter: RoomEventFilter | undefined;
  readonly sight: Pick<RoomSight, 'visible'>;
  /** Users whose messages the viewer doesn't want; their state events are shown all the same. */
  readonly ignored: ReadonlySet<UserId>;
}

/** A stretch of a timeline as one user sees it. */
export interface Page {
  /** In the order of reading: newest first for `b`. */
  readonly events: readonly StoredEvent[];
  /** Where to go on, or undefined where there is nothing more in that direction. */
  readonly end: number | undefined;
}

/** How many events one request looks at where most of them are filtered away or can't be seen. */
const SCANNED_MAX = 10_000;
const BATCH_MIN = 20;
const BATCH_MAX = 1000;
const POSITION_MAX = Number.MAX_SAFE_INTEGER;

/**
 * Reads a page of the timeline. Pages that follow each other by `end` have each event once, whatever their limits.
 */
export function readPage(tx: ReadTx, events: EventReader, range: PageRange, rules: PageRules): Promise<Page> {
  const { filter } = rules;
  return readPageOf(tx, (from, limit) => readBatch(tx, events, { ...range, from, limit }, filter), range, rules);
}

/** Reads a page of any events that are in the order of the room: batches, until it is full or enough was looked at. */
export async function readPageOf(
  tx: ReadTx,
  readBatch: (from: number, limit: number) => Promise<Batch>,
  range: Pick<PageRange, 'dir' | 'from' | 'limit'>,
  rules: PageRules,
): Promise<Page> {
  const { limit } = range;
  const found: StoredEvent[] = [];
  let from = range.from;
  let scanned = 0;
  let batchSize = Math.max(limit + 1, rules.filter === undefined ? 0 : BATCH_MIN);
  while (scanned < SCANNED_MAX) {
    const batch = await readBatch(from, batchSize);
    const wanted = batch.events.filter((stored) => isWanted(stored, rules));
    const visible = await rules.sight.visible(tx, await withRelated(tx, wanted, rules.filter));
    for (const stored of visible) {
      // There is one more than fits: the page ends in the gap before it, seen in the direction of reading.
      if (found.length === limit) return { events: found, end: gapBefore(stored, range.dir) };
      found.push(stored);
    }
    if (batch.last === undefined) return { events: found, end: undefined };
    from = batch.last;
    scanned += batch.scanned;
    batchSize = Math.min(BATCH_MAX, batchSize * 2);
  }
  return { events: found, end: from };
}

/** A stretch of events, in the order of reading. */
export interface Batch {
  readonly events: readonly StoredEvent[];
  readonly scanned: number;
  /** The gap behind the last event looked at in the direction of reading; undefined where the range is through. */
  readonly last: number | undefined;
}

async function readBatch(
  tx: ReadTx,
  events: EventReader,
  range: PageRange,
  filter: RoomEventFilter | undefined,
): Promise<Batch> {
  const { roomNid, dir, from, to, limit } = range;
  if (filter === undefined || acceptsEverything(filter)) {
    const read = await events.inRoom(tx, roomNid, to === undefined ? { from, dir, limit } : { from, to, dir, limit });
    const last = read.length < limit ? undefined : read.at(-1);
    return { events: read, scanned: read.length, last: last && gapAfter(last, dir) };
  }
  const heads =
    dir === 'b'
      ? await headsBackwards(tx, { roomNid, after: to ?? -POSITION_MAX, upTo: from, limit })
      : await headsForwards(tx, { roomNid, after: from, upTo: to ?? POSITION_MAX, limit });
  const nids: number[] = [];
  for (const head of heads) if (matchesEvent(filter, head.type, head.sender)) nids.push(head.nid);
  const last = heads.length < limit ? undefined : heads.at(-1);
  return { events: await events.byNids(tx, nids), scanned: heads.length, last: last && gapAfter(last, dir) };
}

function isWanted({ event }: StoredEvent, { filter, ignored }: PageRules): boolean {
  if (ignored.size > 0 && !event.isState && ignored.has(event.sender)) return false;
  return filter === undefined || matchesRoomEvent(filter, event);
}

/** The position of the gap that is crossed to reach the event. */
function gapBefore({ position }: { readonly position: number }, dir: 'b' | 'f'): number {
  return dir === 'b' ? position : position - 1;
}

/** The position of the gap reached by crossing the event. */
export function gapAfter({ position }: { readonly position: number }, dir: 'b' | 'f'): number {
  return dir === 'b' ? position - 1 : position;
}
