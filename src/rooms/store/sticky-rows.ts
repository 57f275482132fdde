/** Which events are sticky (MSC4354), in which order clients get them, and until when. Rows go when they expire. */
import { compiledOnce } from '../../storage/compiled-once.ts';
import type { Migrations, ReadTx, WriteTx } from '../../storage/types.ts';

export interface StickyEventsTable {
  readonly event_nid: number;
  readonly room_nid: number;
  /**
   * In the stream 'events': of the event, or from when on it was to be delivered, where that was later. Null: it was
   * soft-failed, and waits for the room's state to allow it.
   */
  readonly position: number | null;
  /** Milliseconds since the epoch. */
  readonly expires_ts: number;
}

declare module '../../storage/tables.ts' {
  interface Tables {
    sticky_events: StickyEventsTable;
  }
}

/** Creates the table. */
export const stickyMigrations: Migrations = {
  '0210_rooms_sticky_events': {
    async up({ schema }) {
      await schema
        .createTable('sticky_events')
        .addColumn('event_nid', 'integer', (c) => c.primaryKey())
        .addColumn('room_nid', 'integer', (c) => c.notNull())
        .addColumn('position', 'integer')
        .addColumn('expires_ts', 'integer', (c) => c.notNull())
        .execute();
      await schema.createIndex('sticky_events_room').on('sticky_events').columns(['room_nid', 'position']).execute();
      await schema.createIndex('sticky_events_expires').on('sticky_events').column('expires_ts').execute();
    },
  },
};

/** Notes that an event is sticky. One that is known already gets its new position, and expires as it did. */
export async function putSticky(tx: WriteTx, row: StickyEventsTable): Promise<void> {
  const { event_nid: nid, position } = row;
  const changed = await tx.change(moveRow, { nid, position });
  if (changed === 0) await tx.run(insertRow, row);
}

/** The event is no longer sticky. */
export async function deleteSticky(tx: WriteTx, eventNid: number): Promise<void> {
  await tx.change(deleteRow, { nid: eventNid });
}

/** Forgets those that have expired. */
export async function deleteExpiredSticky(tx: WriteTx, now: number): Promise<void> {
  await tx.db.deleteFrom('sticky_events').where('expires_ts', '<=', now).execute();
}

/** Until when those of some events are sticky that are, by nid. */
export async function listStickyUntil(
  tx: ReadTx,
  nids: readonly number[],
  now: number,
): Promise<ReadonlyMap<number, number>> {
  const rows = await tx.run(expiries, { nids, now });
  return new Map(rows.map((row) => [row.event_nid, row.expires_ts]));
}

/** What to look for: the sticky events of rooms after a position up to another one that haven't expired. */
export interface StickyRange {
  readonly roomNids: readonly number[];
  readonly after: number;
  readonly upTo: number;
  readonly now: number;
  readonly limit: number;
}

/** A sticky event's place. */
export interface StickyPlace {
  readonly event_nid: number;
  readonly room_nid: number;
  readonly position: number;
}

/** The sticky events in a range, in their order. */
export async function listSticky(tx: ReadTx, range: StickyRange): Promise<readonly StickyPlace[]> {
  const rows = await tx.run(inRange, range);
  return rows.flatMap(({ position, ...row }) => (position === null ? [] : [{ ...row, position }]));
}

/** The sticky events of a room that were soft-failed, oldest first. */
export async function listSoftFailedSticky(tx: ReadTx, roomNid: number, now: number): Promise<readonly number[]> {
  const rows = await tx.db
    .selectFrom('sticky_events')
    .select('event_nid')
    .where('room_nid', '=', roomNid)
    .where('position', 'is', null)
    .where('expires_ts', '>', now)
    .orderBy('event_nid')
    .execute();
  return rows.map((row) => row.event_nid);
}

/** The rooms with sticky events that were soft-failed. */
export async function listRoomsWithSoftFailedSticky(tx: ReadTx, now: number): Promise<readonly number[]> {
  const rows = await tx.db
    .selectFrom('sticky_events')
    .select('room_nid')
    .distinct()
    .where('position', 'is', null)
    .where('expires_ts', '>', now)
    .execute();
  return rows.map((row) => row.room_nid);
}

const moveRow = compiledOnce<Pick<StickyEventsTable, 'position'> & { nid: number }>()((db, p) =>
  db
    .updateTable('sticky_events')
    .set({ position: p('position') })
    .where('event_nid', '=', p('nid')),
);

const insertRow = compiledOnce<StickyEventsTable>()((db, p) =>
  db.insertInto('sticky_events').values({
    event_nid: p('event_nid'),
    room_nid: p('room_nid'),
    position: p('position'),
    expires_ts: p('expires_ts'),
  }),
);

const deleteRow = compiledOnce<{ nid: number }>()((db, p) =>
  db.deleteFrom('sticky_events').where('event_nid', '=', p('nid')),
);

const expiries = compiledOnce<{ nids: readonly number[]; now: number }>()((db, p) =>
  db
    .selectFrom('sticky_events')
    .select(['event_nid', 'expires_ts'])
    .where('event_nid', 'in', p.numbers('nids'))
    .where('position', 'is not', null)
    .where('expires_ts', '>', p('now')),
);

const inRange = compiledOnce<StickyRange>()((db, p) =>
  db
    .selectFrom('sticky_events')
    .select(['event_nid', 'room_nid', 'position'])
    .where('room_nid', 'in', p.numbers('roomNids'))
    .where('position', '>', p('after'))
    .where('position', '<=', p('upTo'))
    .where('expires_ts', '>', p('now'))
    .orderBy('position', 'asc')
    .limit(p('limit')),
);
