import type { EventId, RoomId } from '../../protocol/ids/index.ts';
import { encodeTimelineToken } from '../../streams/index.ts';
import { listChildren } from '../store/index.ts';
import { getVisibleEvent } from './context.ts';
import { type Batch, gapAfter, readPageOf } from './pages.ts';
import { parsePosition } from './position-tokens.ts';
import { jsonArray, type Reading } from './reading.ts';
import type { Viewer } from './viewer.ts';

/** What `/relations` asks for. */
export interface RelationsRequest {
  readonly roomId: RoomId;
  readonly eventId: EventId;
  readonly viewer: Viewer;
  /** Undefined: children of any relation type, and of any event type. */
  readonly relType: string | undefined;
  readonly eventType: string | undefined;
  readonly dir: 'b' | 'f';
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly limit: number;
  /** Whether children's children belong to it too. */
  readonly recurse: boolean;
}

/** How many relations deep we look. The spec asks for 3 at least. */
const DEPTH_MAX = 4;
const POSITION_MAX = Number.MAX_SAFE_INTEGER;

/**
 * A page of an event's children as JSON text.
 * Spec: client-server-api/#get_matrixclientv1roomsroomidrelationseventid
 * @throws M_NOT_FOUND where there is no such event for this viewer, M_FORBIDDEN, M_INVALID_PARAM for a bad token
 */
export async function relationsJson(reading: Reading, request: RelationsRequest): Promise<string> {
  const { viewer, dir, limit, relType, eventType: type, recurse } = request;
  const { database, events, presenter } = reading;
  const to = request.to === undefined ? undefined : parsePosition(request.to);
  const asked = request.from === undefined ? undefined : parsePosition(request.from);
  const ignored = await reading.accounts.ignoredUsers(viewer.userId);
  return database.read(async (tx) => {
    const { stored, sight } = await getVisibleEvent(tx, reading, request.roomId, request.eventId, viewer);
    const { roomNid } = stored;
    const tree = { roomNid, parent: stored.event.eventId, relType, type, depth: recurse ? DEPTH_MAX : 1, dir };
    const readBatch = async (from: number, batchSize: number): Promise<Batch> => {
      const after = dir === 'b' ? (to ?? -POSITION_MAX) : from;
      const upTo = dir === 'b' ? from : (to ?? POSITION_MAX);
      const rows = await listChildren(tx, { ...tree, after, upTo, limit: batchSize });
      const children = await events.byNids(
        tx,
        rows.map((row) => row.nid),
      );
      const last = rows.length < batchSize ? undefined : rows.at(-1);
      const shown = children.filter((child) => !child.isRefused);
      return { events: shown, scanned: rows.length, last: last && gapAfter(last, dir) };
    };
    const start = asked ?? (dir === 'b' ? POSITION_MAX : -POSITION_MAX);
    const page = await readPageOf(tx, readBatch, { dir, from: start, limit }, { filter: undefined, sight, ignored });
    const chunk = await presenter.present(tx, page.events, viewer, { sight, aggregateBut: ignored });
    let json = `"chunk":${jsonArray(chunk)}`;
    if (page.end !== undefined) json += `,"next_batch":"${encodeTimelineToken(page.end)}"`;
    if (asked !== undefined) json += `,"prev_batch":"${encodeTimelineToken(asked)}"`;
    if (recurse) json += `,"recursion_depth":${DEPTH_MAX}`;
    return `{${json}}`;
  });
}
