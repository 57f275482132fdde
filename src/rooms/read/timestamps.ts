import { notFound } from '../../protocol/errors.ts';
import type { EventId, RoomId } from '../../protocol/ids/index.ts';
import type { ReadTx } from '../../storage/index.ts';
import type { StoredEvent } from '../store/index.ts';
import { getReadableRoom } from './access.ts';
import { readPage } from './pages.ts';
import type { Reading } from './reading.ts';
import type { Viewer } from './viewer.ts';
import { RoomSight } from './visibility.ts';

/** What `/timestamp_to_event` asks for. */
export interface TimestampRequest {
  readonly roomId: RoomId;
  readonly viewer: Viewer;
  /** Milliseconds since the epoch. */
  readonly ts: number;
  /** `f`: the first event at or after `ts`; `b`: the last one at or before it. */
  readonly dir: 'b' | 'f';
}

/** How many events on each side of the place found are compared, since clocks of servers differ. */
const NEIGHBOURS = 50;

/**
 * The event nearest to a time that the viewer may see. Events lie roughly in the order of their time, so the place is found
 * by halving and the best event is chosen around it: no index by time is kept for this rare request.
 * Spec: client-server-api/#get_matrixclientv1roomsroomidtimestamp_to_event
 * @throws M_FORBIDDEN, M_NOT_FOUND where there is none in that direction
 */
export async function eventByTimestamp(
  reading: Reading,
  { roomId, viewer, ts, dir }: TimestampRequest,
): Promise<{ readonly eventId: EventId; readonly originServerTs: number }> {
  const { database, states, events } = reading;
  return database.read(async (tx) => {
    const { room, standing } = await getReadableRoom(tx, states, roomId, viewer.userId);
    const sight = new RoomSight(states, viewer.userId, standing);
    const from = await gapBeforeTime(tx, reading, room.room_nid, ts);
    const rules = { filter: undefined, sight, ignored: new Set<never>() };
    const page = { roomNid: room.room_nid, from, to: undefined, limit: NEIGHBOURS };
    const before = await readPage(tx, events, { ...page, dir: 'b' }, rules);
    const after = await readPage(tx, events, { ...page, dir: 'f' }, rules);
    const best = nearest([...before.events.toReversed(), ...after.events], ts, dir);
    if (best === undefined) throw notFound('There is no event in that direction');
    return { eventId: best.event.eventId, originServerTs: best.event.originServerTs };
  });
}

/** The nearest of some events (oldest first) in a direction; of equally near ones the first in that direction. */
function nearest(events: readonly StoredEvent[], ts: number, dir: 'b' | 'f'): StoredEvent | undefined {
  let best: StoredEvent | undefined;
  for (const stored of dir === 'f' ? events : events.toReversed()) {
    const distance = distanceTo(stored, ts, dir);
    if (distance >= 0 && (best === undefined || distance < distanceTo(best, ts, dir))) best = stored;
  }
  return best;
}

function distanceTo({ event }: StoredEvent, ts: number, dir: 'b' | 'f'): number {
  return dir === 'f' ? event.originServerTs - ts : ts - event.originServerTs;
}

/** The position before which (about) all events are older than `ts`. */
async function gapBeforeTime(tx: ReadTx, { events }: Reading, roomNid: number, ts: number): Promise<number> {
  const atOrBefore = async (from: number) => (await events.inRoom(tx, roomNid, { from, dir: 'b', limit: 1 }))[0];
  const [first] = await events.inRoom(tx, roomNid, { from: -Number.MAX_SAFE_INTEGER, dir: 'f', limit: 1 });
  const last = await atOrBefore(Number.MAX_SAFE_INTEGER);
  if (first === undefined || last === undefined) return 0;
  // Invariant: the events up to `low` are older, those after `high` are not.
  let low = first.position - 1;
  let high = last.position;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    const stored = await atOrBefore(middle);
    if (stored === undefined || stored.event.originServerTs < ts) low = middle;
    else high = stored.position - 1;
  }
  return low;
}
