import { acceptsEverything, matchesRoomEvent, type RoomEventFilter } from '../protocol/filter/index.ts';
import type { StoredEvent } from '../rooms/index.ts';
import type { ReadTx } from '../storage/index.ts';
import type { SyncRooms } from './ports.ts';

/** How many events a client gets that names no limit, and how many at most. */
const LIMIT_DEFAULT = 10;
const LIMIT_MAX = 100;
/** How far back a filter that matches almost nothing is followed. */
const SCANNED_MAX = 2000;

/** The newest events of a room, as a timeline shows them. */
export interface TimelineChunk {
  /** Oldest first. */
  readonly events: readonly StoredEvent[];
  /** Whether events that match were left out between the last sync and the first of these. */
  readonly limited: boolean;
  /** The position from which `/messages` goes on backwards. */
  readonly prevBatch: number;
}

export interface TimelineRange {
  readonly roomNid: number;
  /** Events after this position; undefined: from the room's beginning. */
  readonly after: number | undefined;
  readonly upTo: number;
  readonly filter: RoomEventFilter;
  /** Takes away what the user may not see; undefined where it is known that they may see all of it. */
  readonly visible: ((events: readonly StoredEvent[]) => Promise<readonly StoredEvent[]>) | undefined;
}

/** How many events a filter asks for, within our bounds. */
export function timelineLimit(filter: RoomEventFilter): number {
  return Math.min(filter.limit ?? LIMIT_DEFAULT, LIMIT_MAX);
}

/** The newest events in a range that pass the filter and may be seen. Reads one batch where nothing is filtered out. */
export async function readTimeline(tx: ReadTx, rooms: SyncRooms, range: TimelineRange): Promise<TimelineChunk> {
  const limit = timelineLimit(range.filter);
  const all = acceptsEverything(range.filter);
  const found: StoredEvent[] = [];
  let from = range.upTo;
  let scanned = 0;
  let isExhausted = false;
  while (found.length <= limit && !isExhausted && scanned < SCANNED_MAX) {
    const batchSize = Math.max(limit + 1 - found.length, all ? 0 : LIMIT_MAX);
    const batch = await rooms.eventsInRoom(tx, range.roomNid, {
      from,
      ...(range.after === undefined ? {} : { to: range.after }),
      dir: 'b',
      limit: batchSize,
    });
    scanned += batch.length;
    isExhausted = batch.length < batchSize;
    const last = batch.at(-1);
    if (last !== undefined) from = last.position - 1;
    const matching = all ? batch : batch.filter(({ event }) => matchesRoomEvent(range.filter, event));
    found.push(...(range.visible ? await range.visible(matching) : matching));
  }
  const events = found.slice(0, limit).reverse();
  const first = events[0];
  return {
    events,
    limited: found.length > limit || !isExhausted,
    prevBatch: first === undefined ? from : first.position - 1,
  };
}
