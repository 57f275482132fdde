import { acceptsEverything, matchesRoomEvent, type RoomEventFilter } from '../protocol/filter/index.ts';
import type { StoredEvent } from '../rooms/index.ts';
import type { ReadTx } from '../storage/index.ts';
import type { RoomChunks } from './room-chunks.ts';

/** How many events a client gets that names no limit, and how many at most. */
const LIMIT_DEFAULT = 10;
const LIMIT_MAX = 100;
/** How far back a filter that matches almost nothing is followed. */
const SCANNED_MAX = 2000;
/** How far back events are followed none of which the user may see. */
const UNSEEN_MAX = 100;

/** The newest events of a room, as a timeline shows them. */
export interface TimelineChunk {
  /** Oldest first. */
  readonly events: readonly StoredEvent[];
  /** Whether events that match were left out between the last sync and the first of these. */
  readonly limited: boolean;
  /** Whether state events were left out, by the filter or because the user may not see them. */
  readonly hidesState: boolean;
  /** Whether nothing at all comes between the last of these events and the end of the range. */
  readonly isWholeEnd: boolean;
  /** The position from which `/messages` goes on backwards. */
  readonly prevBatch: number;
}

export interface TimelineRange {
  readonly roomNid: number;
  /** Events after this position; undefined: from the room's beginning. */
  readonly after: number | undefined;
  readonly upTo: number;
  readonly filter: RoomEventFilter;
  /** Those that others relate to as the filter asks; undefined where it doesn't. */
  readonly related?: ((events: readonly StoredEvent[]) => Promise<readonly StoredEvent[]>) | undefined;
  /** Takes away what the user may not see; undefined where it is known that they may see all of it. */
  readonly visible: ((events: readonly StoredEvent[]) => Promise<readonly StoredEvent[]>) | undefined;
}

/** How many events a filter asks for, within our bounds. */
export function timelineLimit(filter: RoomEventFilter): number {
  return Math.min(filter.limit ?? LIMIT_DEFAULT, LIMIT_MAX);
}

/** A timeline that a filter leaves nothing of, without reading it. */
export function emptyTimeline(upTo: number, hidesState: boolean): TimelineChunk {
  return { events: [], limited: false, hidesState, isWholeEnd: false, prevBatch: upTo };
}

/** The newest events in a range that pass the filter and may be seen. Reads one batch where nothing is filtered out. */
export async function readTimeline(tx: ReadTx, chunks: RoomChunks, range: TimelineRange): Promise<TimelineChunk> {
  const limit = timelineLimit(range.filter);
  const all = acceptsEverything(range.filter);
  const found: StoredEvent[] = [];
  let from = range.upTo;
  let newest: StoredEvent | undefined;
  let scanned = 0;
  let unseen = 0;
  let isExhausted = false;
  const hidden: StoredEvent[] = [];
  while (found.length <= limit && !isExhausted && scanned < SCANNED_MAX && unseen < UNSEEN_MAX) {
    const batchSize = Math.max(limit + 1 - found.length, all ? 0 : LIMIT_MAX);
    const { roomNid, after } = range;
    const batch = await chunks.read(tx, { roomNid, after, upTo: from, limit: batchSize });
    scanned += batch.length;
    isExhausted = batch.length < batchSize;
    newest ??= batch[0];
    const last = batch.at(-1);
    if (last !== undefined) from = last.position - 1;
    const passing = all ? batch : batch.filter(({ event }) => matchesRoomEvent(range.filter, event));
    const matching = range.related ? await range.related(passing) : passing;
    const kept = range.visible ? await range.visible(matching) : matching;
    if (matching.length > 0 && kept.length === 0) unseen += matching.length;
    if (kept.length < batch.length) hidden.push(...stateBeside(batch, kept));
    found.push(...kept);
  }
  const latest = found.slice(0, limit).reverse();
  const events = hidden.length === 0 ? latest : withoutOutdated(latest, hidden);
  const first = events[0];
  const isCut = events.length < latest.length;
  const end = isCut || limit === 0 ? range.upTo : from;
  return {
    events,
    limited: found.length > limit || !isExhausted || isCut,
    hidesState: hidden.length > 0,
    isWholeEnd: newest !== undefined && newest === events.at(-1),
    prevBatch: first === undefined ? end : first.position - 1,
  };
}

function stateBeside(batch: readonly StoredEvent[], kept: readonly StoredEvent[]): readonly StoredEvent[] {
  const rest = new Set(batch).difference(new Set(kept));
  return [...rest].filter(({ event }) => event.isState);
}

/**
 * The timeline from behind its last state event that was replaced by one which is left out: clients would take the older
 * one for the state.
 */
function withoutOutdated(timeline: readonly StoredEvent[], hidden: readonly StoredEvent[]): readonly StoredEvent[] {
  const last = new Map<string, number>();
  for (const { event, position } of hidden) {
    const key = `${event.type}\0${event.stateKey}`;
    last.set(key, Math.max(last.get(key) ?? position, position));
  }
  const outdated = timeline.findLastIndex(({ event, position }) => {
    return event.isState && (last.get(`${event.type}\0${event.stateKey}`) ?? position) > position;
  });
  return timeline.slice(outdated + 1);
}
