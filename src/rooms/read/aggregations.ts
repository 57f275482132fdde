import { hasRelType, isValidEdit } from '../../protocol/event/index.ts';
import type { EventId, UserId } from '../../protocol/ids/index.ts';
import type { ReadTx } from '../../storage/types.ts';
import {
  type EventReader,
  listChildKinds,
  listLatestEdits,
  listReferences,
  listThreadBackwards,
  listThreads,
  type StoredEvent,
} from '../store/index.ts';
import type { RoomSight } from './visibility.ts';

/** For whom aggregations are made. */
export interface AggregationView {
  readonly viewer: UserId;
  /** Users whose events the viewer doesn't want. */
  readonly ignored: ReadonlySet<UserId>;
  /** The viewer's sight of the events' room. */
  readonly sight: RoomSight;
}

/** A thread as it is bundled with its first event. */
export interface ThreadSummary {
  readonly latest: StoredEvent;
  readonly count: number;
  readonly participated: boolean;
}

/** What is bundled with an event. */
export interface Aggregation {
  readonly edit?: StoredEvent;
  readonly thread?: ThreadSummary;
  readonly references?: readonly EventId[];
}

type Aggregations = Map<number, { -readonly [part in keyof Aggregation]: Aggregation[part] }>;

/** References bundled with one event; clients get the others through `/relations`. */
const REFERENCES_MAX = 1_000;
const REFERENCES_READ_MAX = 10_000;
/** How far the latest event of a thread is looked for where the viewer may not see the last ones. */
const THREAD_BATCH = 20;
const THREAD_BATCHES_MAX = 10;
const NOTHING: ReadonlyMap<number, Aggregation> = new Map();

/**
 * What is to be bundled with events of one room, by their nids. Most events have no children: those cost no query once
 * that is known, and all others of a batch share a few.
 * Spec: client-server-api/#aggregations-of-child-events
 */
export async function aggregate(
  tx: ReadTx,
  reader: EventReader,
  events: readonly StoredEvent[],
  view: AggregationView,
): Promise<ReadonlyMap<number, Aggregation>> {
  const parents = new Map<EventId, StoredEvent>();
  for (const stored of events) {
    const { event } = stored;
    if (!event.isState && !reader.plain.has(event.eventId)) parents.set(event.eventId, stored);
  }
  if (parents.size === 0) return NOTHING;
  const byType = new Map<string, Set<EventId>>();
  const plain = new Set(parents.keys());
  for (const { relates_to: parent, room_nid: roomNid, rel_type: relType } of await listChildKinds(tx, [...plain])) {
    plain.delete(parent);
    if (parents.get(parent)?.roomNid !== roomNid) continue;
    byType.set(relType, (byType.get(relType) ?? new Set()).add(parent));
  }
  for (const eventId of plain) reader.plain.note(eventId);
  const found: Aggregations = new Map();
  const of = (relType: string) => parentsOf(parents, byType.get(relType));
  await addEdits(tx, reader, of('m.replace'), view, found);
  await addThreads(tx, reader, of('m.thread'), view, found);
  await addReferences(tx, of('m.reference'), view, found);
  return found;
}

type Parents = ReadonlyMap<EventId, StoredEvent>;

function parentsOf(parents: Parents, eventIds: ReadonlySet<EventId> | undefined): Parents {
  return new Map([...parents].filter(([eventId]) => eventIds?.has(eventId)));
}

/** The latest valid edit that the viewer may see. Spec: client-server-api/#server-side-aggregation-of-mreplace-relationships */
async function addEdits(
  tx: ReadTx,
  reader: EventReader,
  parents: Parents,
  { ignored, sight }: AggregationView,
  found: Aggregations,
): Promise<void> {
  const originals = [...parents.values()].filter(
    ({ event, redactedBy }) => redactedBy === undefined && !ignored.has(event.sender),
  );
  if (originals.length === 0) return;
  const rows = await listLatestEdits(
    tx,
    originals.map(({ event }) => event.eventId),
  );
  const candidates = Map.groupBy(
    [...rows].sort((a, b) => b.origin_server_ts - a.origin_server_ts || (a.event_id < b.event_id ? 1 : -1)),
    (row) => row.relates_to,
  );
  // The newest is nearly always the one; only where it is not, the next ones are read.
  let open = originals;
  for (let place = 0; open.length > 0; place++) {
    const nids: number[] = [];
    for (const { event } of open) nids.push(candidates.get(event.eventId)?.[place]?.event_nid ?? 0);
    const edits = await reader.byNids(
      tx,
      nids.filter((nid) => nid > 0),
    );
    await sight.load(tx, edits);
    const byNid = new Map(edits.map((edit) => [edit.nid, edit]));
    open = open.filter((original, index) => {
      const nid = nids[index] ?? 0;
      const edit = byNid.get(nid);
      const isGood =
        edit !== undefined && !edit.isRefused && isValidEdit(original.event, edit.event) && sight.canSee(edit);
      if (isGood) entryOf(found, original).edit = edit;
      return !isGood && nid > 0;
    });
  }
}

/** Spec: client-server-api/#server-side-aggregation-of-mthread-relationships */
async function addThreads(
  tx: ReadTx,
  reader: EventReader,
  parents: Parents,
  view: AggregationView,
  found: Aggregations,
): Promise<void> {
  const { viewer, sight } = view;
  const ignored = [...view.ignored];
  const eventIds = [...parents.values()].filter(({ event }) => !hasRelType(event)).map(({ event }) => event.eventId);
  if (eventIds.length === 0) return;
  for (const row of await listThreads(tx, { eventIds, viewer, ignored, upTo: sight.horizon })) {
    const root = parents.get(row.relates_to);
    if (root === undefined || root.roomNid !== row.room_nid) continue;
    const latest = await latestInThread(tx, reader, root, row.last, view);
    if (latest === undefined) continue;
    const participated = row.participated === 1 || root.event.sender === viewer;
    entryOf(found, root).thread = { latest, count: row.count, participated };
  }
}

/** The newest event of a thread that the viewer may see, up to a position. */
export async function latestInThread(
  tx: ReadTx,
  reader: EventReader,
  root: StoredEvent,
  last: number,
  { ignored, sight }: AggregationView,
): Promise<StoredEvent | undefined> {
  let upTo = last;
  let limit = 1;
  for (let batch = 0; batch < THREAD_BATCHES_MAX; batch++) {
    const range = { root: root.event.eventId, roomNid: root.roomNid, ignored: [...ignored], upTo, limit };
    const rows = await listThreadBackwards(tx, range);
    const events = await reader.byNids(
      tx,
      rows.map((row) => row.event_nid),
    );
    await sight.load(tx, events);
    const latest = events.find((stored) => !stored.isRefused && sight.canSee(stored));
    const oldest = rows.at(-1);
    if (latest !== undefined || oldest === undefined) return latest;
    upTo = oldest.position - 1;
    limit = THREAD_BATCH;
  }
  return undefined;
}

/** Spec: client-server-api/#server-side-aggregation-of-mreference */
async function addReferences(
  tx: ReadTx,
  parents: Parents,
  { ignored, sight }: AggregationView,
  found: Aggregations,
): Promise<void> {
  if (parents.size === 0) return;
  const eventIds = [...parents.keys()];
  const view = { eventIds, ignored: [...ignored], upTo: sight.horizon, limit: REFERENCES_READ_MAX };
  for (const [parent, rows] of Map.groupBy(await listReferences(tx, view), (row) => row.relates_to)) {
    const stored = parents.get(parent);
    if (stored === undefined) continue;
    const own = rows.filter((row) => row.room_nid === stored.roomNid).slice(0, REFERENCES_MAX);
    if (own.length > 0) entryOf(found, stored).references = own.map((row) => row.event_id);
  }
}

function entryOf(found: Aggregations, { nid }: StoredEvent) {
  const entry = found.get(nid) ?? {};
  found.set(nid, entry);
  return entry;
}
