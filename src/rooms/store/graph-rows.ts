/** Rows about the graph of a room's events: outliers, and where something is missing. */
import type { EventId } from '../../protocol/ids/index.ts';
import { compiledOnce } from '../../storage/compiled-once.ts';
import { bulkInsert, type Migrations } from '../../storage/index.ts';
import { clustered } from '../../storage/schema.ts';
import type { ReadTx, WriteTx } from '../../storage/types.ts';
import { insertEvent } from './event-rows.ts';
import type { EventsTable } from './tables.ts';

/** A predecessor of an event that we don't have. */
export interface EventGapsTable {
  readonly room_nid: number;
  readonly missing_event_id: EventId;
  /** The event that names it. */
  readonly event_nid: number;
}

/** An event that came through us and has still to be sent on to the other servers of its room. */
export interface RelayedEventsTable {
  readonly event_nid: number;
  /** The server that it came from and that has it. */
  readonly origin: string;
}

declare module '../../storage/tables.ts' {
  interface Tables {
    event_gaps: EventGapsTable;
    relayed_events: RelayedEventsTable;
  }
}

/** Creates the tables. */
export const graphMigrations: Migrations = {
  '0501_rooms_gaps': {
    async up(db) {
      await db.schema
        .createTable('event_gaps')
        .addColumn('room_nid', 'integer', (c) => c.notNull())
        .addColumn('missing_event_id', 'text', (c) => c.notNull())
        .addColumn('event_nid', 'integer', (c) => c.notNull())
        .addPrimaryKeyConstraint('event_gaps_pk', ['room_nid', 'missing_event_id', 'event_nid'])
        .modifyEnd(clustered)
        .execute();
      await db.schema
        .createTable('relayed_events')
        .addColumn('event_nid', 'integer', (c) => c.primaryKey())
        .addColumn('origin', 'text', (c) => c.notNull())
        .execute();
    },
  },
};

type NewEventRow = Omit<EventsTable, 'nid'>;

/** Gives an outlier its place: all that is known of it by now. */
export async function placeOutlier(tx: WriteTx, nid: number, row: NewEventRow): Promise<void> {
  await tx.db.updateTable('events').set(row).where('nid', '=', nid).execute();
}

/** Where an event is, by its id; `position` null for one without a place. */
export function findPlace(tx: ReadTx, eventId: EventId) {
  return tx.find(placeOf, { eventId });
}

/** Gives an event its place, be it new or an outlier; returns its nid. @throws Error where it has one already */
export async function insertOrPlace(tx: WriteTx, row: NewEventRow): Promise<number> {
  const known = await findPlace(tx, row.event_id);
  if (known === undefined) return insertEvent(tx, row);
  const isSoftFailed = known.soft_failed === 1 && row.position !== null;
  const hasPlace = known.position !== null || (known.state_before !== 0 && !isSoftFailed);
  if (known.room_nid !== row.room_nid || hasPlace) {
    throw new Error(`${row.event_id} has its place already`);
  }
  await placeOutlier(tx, known.nid, row);
  return known.nid;
}

/** Notes that a predecessor of an event is missing. */
export async function insertGap(tx: WriteTx, roomNid: number, missing: EventId, eventNid: number): Promise<void> {
  const row = { room_nid: roomNid, missing_event_id: missing, event_nid: eventNid };
  await bulkInsert(tx, 'event_gaps', [row], 'ignore');
}

/** Whether an event that is seen in the room names this one as its predecessor, and lacked it. */
export async function isNamed(tx: ReadTx, roomNid: number, eventId: EventId): Promise<boolean> {
  return (await tx.find(namedBy, { roomNid, eventId })) !== undefined;
}

/** Those of the events that are missing before others. */
export async function namedAmong(
  tx: ReadTx,
  roomNid: number,
  eventIds: readonly EventId[],
): Promise<readonly EventId[]> {
  return (await tx.run(missingAmong, { roomNid, eventIds })).map((row) => row.missing_event_id);
}

/** An event that was missing is there. */
export async function fillGap(tx: WriteTx, roomNid: number, eventId: EventId): Promise<void> {
  await tx.change(deleteGap, { roomNid, eventId });
}

/** Where the room's history breaks off, at or below a position: what is missing, and before which position. */
export function listGapsUpTo(tx: ReadTx, roomNid: number, upTo: number, limit: number) {
  return tx.db
    .selectFrom('event_gaps')
    .innerJoin('events', 'events.nid', 'event_gaps.event_nid')
    .select(['event_gaps.missing_event_id', 'events.position'])
    .where('event_gaps.room_nid', '=', roomNid)
    .where('events.position', '<=', upTo)
    .orderBy('events.position', 'desc')
    .limit(limit)
    .execute();
}

/** Inserts outliers; those that are there stay as they are. */
export async function insertOutliers(tx: WriteTx, rows: readonly NewEventRow[]): Promise<void> {
  await bulkInsert(tx, 'events', rows, 'ignore');
}

/** The nids of events by their ids. */
export async function nidsOf(tx: ReadTx, eventIds: readonly EventId[]): Promise<ReadonlyMap<EventId, number>> {
  const rows = await tx.run(nidsByIds, { eventIds });
  return new Map(rows.map((row) => [row.event_id, row.nid]));
}

/** The least position in a room, at most 0: backfilled events go below it. */
export async function firstPositionIn(tx: ReadTx, roomNid: number): Promise<number> {
  const row = await tx.db
    .selectFrom('events')
    .select('position')
    .where('room_nid', '=', roomNid)
    .where('position', 'is not', null)
    .orderBy('position', 'asc')
    .limit(1)
    .executeTakeFirst();
  return Math.min(0, row?.position ?? 0);
}

/** Notes that an event which came through us has to be sent on. */
export async function insertRelay(tx: WriteTx, eventId: EventId, origin: string): Promise<void> {
  const nids = await nidsOf(tx, [eventId]);
  const nid = nids.get(eventId);
  if (nid !== undefined) await bulkInsert(tx, 'relayed_events', [{ event_nid: nid, origin }], 'ignore');
}

/** The redactions that wait for an event, by their nids. */
export async function redactionsOf(tx: ReadTx, eventIds: readonly EventId[]) {
  return tx.run(redactionsByTarget, { eventIds });
}

const deleteGap = compiledOnce<{ roomNid: number; eventId: EventId }>()((db, p) =>
  db.deleteFrom('event_gaps').where('room_nid', '=', p('roomNid')).where('missing_event_id', '=', p('eventId')),
);

const missingAmong = compiledOnce<{ roomNid: number; eventIds: readonly EventId[] }>()((db, p) =>
  db
    .selectFrom('event_gaps')
    .select('missing_event_id')
    .where('room_nid', '=', p('roomNid'))
    .where('missing_event_id', 'in', p.texts('eventIds')),
);

const namedBy = compiledOnce<{ roomNid: number; eventId: EventId }>()((db, p) =>
  db
    .selectFrom('event_gaps')
    .innerJoin('events', 'events.nid', 'event_gaps.event_nid')
    .select('event_gaps.event_nid')
    .where('event_gaps.room_nid', '=', p('roomNid'))
    .where('event_gaps.missing_event_id', '=', p('eventId'))
    .where('events.rejected', '=', 0)
    .where('events.soft_failed', '=', 0)
    .limit(1),
);

const placeOf = compiledOnce<{ eventId: EventId }>()((db, p) =>
  db
    .selectFrom('events')
    .select(['nid', 'room_nid', 'position', 'state_before', 'soft_failed'])
    .where('event_id', '=', p('eventId')),
);

const nidsByIds = compiledOnce<{ eventIds: readonly EventId[] }>()((db, p) =>
  db.selectFrom('events').select(['nid', 'event_id']).where('event_id', 'in', p.texts('eventIds')),
);

const redactionsByTarget = compiledOnce<{ eventIds: readonly EventId[] }>()((db, p) =>
  db.selectFrom('redactions').select(['redacts', 'event_nid']).where('redacts', 'in', p.texts('eventIds')),
);
