import { invalidParam } from '../../protocol/errors.ts';
import { hasRelType, redactEvent } from '../../protocol/event/index.ts';
import type { EventId, RoomId } from '../../protocol/ids/index.ts';
import type { ReadTx } from '../../storage/index.ts';
import { listThreaded, listThreads, StoredEvent } from '../store/index.ts';
import { getReadableRoom } from './access.ts';
import { type AggregationView, latestInThread } from './aggregations.ts';
import { jsonArray, type Reading } from './reading.ts';
import type { Viewer } from './viewer.ts';
import { RoomSight } from './visibility.ts';

/** What `/threads` asks for. */
export interface ThreadsRequest {
  readonly roomId: RoomId;
  readonly viewer: Viewer;
  /** `participated`: only threads that the viewer began or sent something into. */
  readonly include: 'all' | 'participated';
  readonly from: string | undefined;
  readonly limit: number;
}

/** Where a page begins: threads whose latest event is at `upTo` or before, as the room was at `top`. */
interface Place {
  readonly upTo: number;
  readonly top: number;
}

interface Page {
  readonly roots: readonly StoredEvent[];
  readonly next: Place | undefined;
}

const BATCH = 200;
/** How many events in threads one request looks at. */
const SCANNED_MAX = 20_000;

/**
 * A page of the first events of a room's threads, those with the latest events first, as JSON text.
 * Spec: client-server-api/#get_matrixclientv1roomsroomidthreads
 * @throws M_FORBIDDEN where the viewer may not read the room, M_INVALID_PARAM for a bad token
 */
export async function threadsJson(reading: Reading, request: ThreadsRequest): Promise<string> {
  const { roomId, viewer } = request;
  const { database, states, presenter } = reading;
  const asked = request.from === undefined ? undefined : parsePlace(request.from);
  const ignored = await reading.accounts.ignoredUsers(viewer.userId);
  return database.read(async (tx) => {
    const { room, standing } = await getReadableRoom(tx, states, roomId, viewer.userId);
    const sight = new RoomSight(states, viewer.userId, standing);
    // Threads that get an event while somebody pages stay in their old place: no page shows them twice or skips them.
    const top = Math.min(sight.horizon, asked?.top ?? database.positions.current('events'));
    const start = { top, upTo: Math.min(top, asked?.upTo ?? top) };
    const view = { viewer: viewer.userId, ignored, sight };
    const page = await readThreads(tx, reading, room.room_nid, start, request, view);
    const shown = page.roots.map((root) => (ignored.has(root.event.sender) ? redacted(root) : root));
    const chunk = await presenter.present(tx, shown, viewer, { sight, aggregateBut: ignored });
    const next = page.next === undefined ? '' : `,"next_batch":"t${page.next.upTo}_${page.next.top}"`;
    return `{"chunk":${jsonArray(chunk)}${next}}`;
  });
}

/** Walks the events in threads, newest first: where a thread is met for the first time stands its latest event. */
async function readThreads(
  tx: ReadTx,
  reading: Reading,
  roomNid: number,
  { upTo: start, top }: Place,
  { limit, include }: ThreadsRequest,
  view: AggregationView,
): Promise<Page> {
  const ignored = [...view.ignored];
  const roots: StoredEvent[] = [];
  const met = new Set<EventId>();
  let upTo = start;
  for (let scanned = 0; scanned < SCANNED_MAX; scanned += BATCH) {
    const rows = await listThreaded(tx, { roomNid, ignored, upTo, limit: BATCH });
    const latest = new Map<EventId, number>();
    for (const { relates_to: root, position } of rows) {
      if (!met.has(root)) latest.set(root, position);
      met.add(root);
    }
    for (const root of await threadsEndingAt(tx, reading, roomNid, latest, top, include, view)) {
      if (roots.length === limit) return { roots, next: { upTo: latest.get(root.event.eventId) ?? upTo, top } };
      roots.push(root);
    }
    const oldest = rows.at(-1);
    if (rows.length < BATCH || oldest === undefined) return { roots, next: undefined };
    upTo = oldest.position - 1;
  }
  return { roots, next: { upTo, top } };
}

/** The first events, in the given order, of those threads whose latest event is where it was met. */
async function threadsEndingAt(
  tx: ReadTx,
  { events, states }: Reading,
  roomNid: number,
  latest: ReadonlyMap<EventId, number>,
  top: number,
  include: ThreadsRequest['include'],
  view: AggregationView,
): Promise<readonly StoredEvent[]> {
  if (latest.size === 0) return [];
  const eventIds = [...latest.keys()];
  const figures = await listThreads(tx, { eventIds, viewer: view.viewer, ignored: [...view.ignored], upTo: top });
  const byRoot = new Map(figures.filter((row) => row.room_nid === roomNid).map((row) => [row.relates_to, row]));
  const found: StoredEvent[] = [];
  for (const root of await view.sight.visible(tx, await states.events.byIds(tx, eventIds))) {
    const { eventId, sender } = root.event;
    const row = byRoot.get(eventId);
    if (row === undefined || row.last !== latest.get(eventId)) continue;
    if (root.roomNid !== roomNid || root.isRefused || root.event.isState || hasRelType(root.event)) continue;
    if (include === 'participated' && row.participated === 0 && sender !== view.viewer) continue;
    if ((await latestInThread(tx, events, root, row.last, view)) !== undefined) found.push(root);
  }
  return found;
}

/** As the thread of an ignored user begins: without what they said. */
function redacted(root: StoredEvent): StoredEvent {
  return new StoredEvent({ ...root, event: redactEvent(root.event) });
}

function parsePlace(token: string): Place {
  const match = /^t(-?[0-9]{1,16})(?:_([0-9]{1,16}))?$/.exec(token);
  if (match === null) throw invalidParam('Not a token of a list of threads');
  return { upTo: Number(match[1]), top: Number(match[2] ?? Number.MAX_SAFE_INTEGER) };
}
