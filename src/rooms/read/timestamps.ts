import { notFound } from '../../protocol/errors.ts';
import type { EventId, RoomId } from '../../protocol/ids/index.ts';
import type { ReadTx } from '../../storage/index.ts';
import { findRoom, type StoredEvent } from '../store/index.ts';
import { getReadableRoom } from './access.ts';
import { type PageRules, readPage } from './pages.ts';
import type { Reading } from './reading.ts';
import { NO_OLDER_HISTORY, type OlderHistory } from './timeline.ts';
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

/** An event by its id, and its time in milliseconds since the epoch. */
export interface EventAtTime {
  readonly eventId: EventId;
  readonly originServerTs: number;
}

/** How many events on each side of the place found are compared, since clocks of servers differ. */
const NEIGHBOURS = 50;

/**
 * The event nearest to a time that the viewer may see. Events lie roughly in the order of their time, so the place is found
 * by halving and the best event is chosen around it: no index by time is kept for this rare request. Where it may lie in a hole
 * of what we have, other servers are asked.
 * Spec: client-server-api/#get_matrixclientv1roomsroomidtimestamp_to_event
 * @throws M_FORBIDDEN, M_NOT_FOUND where there is none in that direction
 */
export async function eventByTimestamp(
  reading: Reading,
  { roomId, viewer, ts, dir }: TimestampRequest,
  history: OlderHistory = NO_OLDER_HISTORY,
): Promise<EventAtTime> {
  const { database, states } = reading;
  const find = () =>
    database.read(async (tx) => {
      const { room, standing } = await getReadableRoom(tx, states, roomId, viewer.userId);
      return nearestEvent(tx, reading, room.room_nid, {
        ts,
        dir,
        sight: new RoomSight(states, viewer.userId, standing),
      });
    });
  const known = await find();
  const best = (await history.reach(roomId, ts, dir, known?.originServerTs)) ? await find() : known;
  if (best === undefined) throw notFound('There is no event in that direction');
  return best;
}

/** The event of a room nearest to a time, for a server in it. @throws M_NOT_FOUND where there is none in that direction */
export async function eventByTimestampForServer(
  reading: Pick<Reading, 'database' | 'events'>,
  { roomId, ts, dir }: Omit<TimestampRequest, 'viewer'>,
): Promise<EventAtTime> {
  return reading.database.read(async (tx) => {
    const room = await findRoom(tx, roomId);
    const best = room && (await nearestEvent(tx, reading, room.room_nid, { ts, dir, sight: SEES_ALL }));
    if (best === undefined) throw notFound('There is no event in that direction');
    return best;
  });
}

/** Ids and times are no secret among the servers of a room. */
const SEES_ALL: PageRules['sight'] = { visible: async (_tx, events) => events };

async function nearestEvent(
  tx: ReadTx,
  reading: Pick<Reading, 'events'>,
  roomNid: number,
  { ts, dir, sight }: Pick<TimestampRequest, 'ts' | 'dir'> & Pick<PageRules, 'sight'>,
): Promise<EventAtTime | undefined> {
  const from = await gapBeforeTime(tx, reading, roomNid, ts);
  const rules = { filter: undefined, sight, ignored: new Set<never>() };
  const page = { roomNid, from, to: undefined, limit: NEIGHBOURS };
  const before = await readPage(tx, reading.events, { ...page, dir: 'b' }, rules);
  const after = await readPage(tx, reading.events, { ...page, dir: 'f' }, rules);
  const best = nearest([...before.events.toReversed(), ...after.events], ts, dir);
  return best && { eventId: best.event.eventId, originServerTs: best.event.originServerTs };
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
async function gapBeforeTime(
  tx: ReadTx,
  { events }: Pick<Reading, 'events'>,
  roomNid: number,
  ts: number,
): Promise<number> {
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
