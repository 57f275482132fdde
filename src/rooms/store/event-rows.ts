import type { Event, Relation } from '../../protocol/event/index.ts';
import { type EventId, parseUserId, type UserId } from '../../protocol/ids/index.ts';
import { compiledOnce } from '../../storage/compiled-once.ts';
import type { ReadTx, WriteTx } from '../../storage/types.ts';
import { deleteSticky } from './sticky-rows.ts';
import type { ClientTransactionsTable, EventsTable, NotificationsTable, RelationsTable } from './tables.ts';

/** The type of events that only bring branches of a room's graph together. They have no position: no client sees them. */
export const DUMMY_EVENT = 'org.matrix.dummy_event';

/** Inserts an event and returns its nid. A unique violation where its id is there. */
export async function insertEvent(tx: WriteTx, row: Omit<EventsTable, 'nid'>): Promise<number> {
  const inserted = await tx.find(insertEventRow, row);
  if (inserted === undefined) throw new Error('an insert returns its row');
  return inserted.nid;
}

/**
 * Replaces an event by its redacted form: it no longer counts as unread, and relates to nothing.
 * `json`: the redacted PDU. The first redaction stays the one that counts.
 */
export async function redactEventRow(tx: WriteTx, nid: number, json: string, redactedBy: EventId): Promise<void> {
  await tx.db
    .updateTable('events')
    .set({ json, unread: 0, redacted_by: redactedBy })
    .where('nid', '=', nid)
    .where('redacted_by', 'is', null)
    .execute();
  await tx.db.deleteFrom('relations').where('event_nid', '=', nid).execute();
  await tx.db.deleteFrom('notifications').where('event_nid', '=', nid).execute();
  await deleteSticky(tx, nid);
}

/** Takes name and avatar from the membership that a redacted member event made. */
export async function redactMembership(tx: WriteTx, nid: number, stateKey: string, roomNid: number): Promise<void> {
  const userId = parseUserId(stateKey);
  if (userId === undefined) return;
  await tx.db
    .updateTable('memberships')
    .set({ display_name: null, avatar_url: null })
    .where('user_id', '=', userId)
    .where('room_nid', '=', roomNid)
    .where('event_nid', '=', nid)
    .execute();
}

/** Notes that an event redacts another one. */
export async function insertRedaction(tx: WriteTx, redacts: EventId, eventNid: number): Promise<void> {
  await tx.db.insertInto('redactions').values({ redacts, event_nid: eventNid }).execute();
}

/** Notes what an event relates to. */
export async function insertRelation(tx: WriteTx, row: RelationsTable): Promise<void> {
  await tx.run(insertRelationRow, row);
}

/** Notes the relation that an event with its place in a room has. */
export async function insertRelationOf(
  tx: WriteTx,
  {
    event,
    ...place
  }: { readonly event: Event; readonly nid: number; readonly roomNid: number; readonly position: number },
  { relatesTo, relType, key }: Relation,
): Promise<void> {
  await insertRelation(tx, {
    event_nid: place.nid,
    room_nid: place.roomNid,
    relates_to: relatesTo,
    rel_type: relType,
    key,
    sender: event.sender,
    type: event.type,
    position: place.position,
    origin_server_ts: event.originServerTs,
  });
}

/** Whether `sender` has annotated the event with this type and key. */
export async function hasAnnotation(
  tx: ReadTx,
  annotation: { readonly relatesTo: EventId; readonly type: string; readonly key: string; readonly sender: UserId },
): Promise<boolean> {
  return (await tx.find(annotationOf, annotation)) !== undefined;
}

/** The thread that an event is in, or undefined: its first event's id. */
export async function findThreadRoot(tx: ReadTx, eventId: EventId): Promise<EventId | undefined> {
  return (await tx.find(threadRootOf, { eventId }))?.thread_root ?? undefined;
}

/** Notes what an event does to the counts of one user. */
export async function insertNotification(tx: WriteTx, row: NotificationsTable): Promise<void> {
  await tx.run(insertNotificationRow, row);
}

/** Replaces a forward extremity by the event that follows it. */
export async function moveExtremity(tx: WriteTx, roomNid: number, from: number, to: number): Promise<void> {
  if ((await tx.change(moveExtremityRow, { roomNid, from, to })) !== 1) throw new Error('the extremity is not there');
}

export async function insertExtremity(tx: WriteTx, roomNid: number, eventNid: number): Promise<void> {
  await tx.db.insertInto('forward_extremities').values({ room_nid: roomNid, event_nid: eventNid }).execute();
}

export async function deleteExtremity(tx: WriteTx, roomNid: number, eventNid: number): Promise<void> {
  await tx.db
    .deleteFrom('forward_extremities')
    .where('room_nid', '=', roomNid)
    .where('event_nid', '=', eventNid)
    .execute();
}

/** A forward extremity with what the next event needs of it. */
export interface ExtremityRow {
  readonly nid: number;
  readonly event_id: EventId;
  readonly depth: number;
}

/** The room's events without successors. */
export async function listExtremities(tx: ReadTx, roomNid: number): Promise<readonly ExtremityRow[]> {
  return tx.db
    .selectFrom('forward_extremities')
    .innerJoin('events', 'events.nid', 'forward_extremities.event_nid')
    .select(['events.nid', 'events.event_id', 'events.depth'])
    .where('forward_extremities.room_nid', '=', roomNid)
    .execute();
}

/** The ids of events by their nids. */
export async function eventIdsOf(tx: ReadTx, nids: readonly number[]): Promise<ReadonlyMap<number, EventId>> {
  const rows = await tx.run(eventIdsByNids, { nids });
  return new Map(rows.map((row) => [row.nid, row.event_id]));
}

/** The position of the room's latest event, or 0. */
export async function lastPositionIn(tx: ReadTx, roomNid: number): Promise<number> {
  const row = await tx.db
    .selectFrom('events')
    .select('position')
    .where('room_nid', '=', roomNid)
    .where('position', 'is not', null)
    .orderBy('position', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row?.position ?? 0;
}

type TransactionKey = Pick<ClientTransactionsTable, 'user_id' | 'device_id' | 'scope' | 'txn_id'>;

/** The event that a client's transaction made, or undefined. */
export async function findTransaction(tx: ReadTx, key: TransactionKey): Promise<EventId | undefined> {
  return (await tx.find(transactionOf, key))?.event_id;
}

export async function insertTransaction(tx: WriteTx, row: ClientTransactionsTable): Promise<void> {
  await tx.run(insertTransactionRow, row);
}

/** Deletes the transactions from before a time (milliseconds); returns how many. */
export async function deleteTransactionsBefore(tx: WriteTx, beforeTs: number): Promise<number> {
  const result = await tx.db.deleteFrom('client_transactions').where('created_ts', '<', beforeTs).executeTakeFirst();
  return Number(result.numDeletedRows);
}

const insertEventRow = compiledOnce<Omit<EventsTable, 'nid'>>()((db, p) =>
  db
    .insertInto('events')
    .values({
      room_nid: p('room_nid'),
      event_id: p('event_id'),
      position: p('position'),
      depth: p('depth'),
      type: p('type'),
      state_key: p('state_key'),
      sender: p('sender'),
      state_before: p('state_before'),
      rejected: p('rejected'),
      soft_failed: p('soft_failed'),
      redacted_by: p('redacted_by'),
      unread: p('unread'),
      thread_root: p('thread_root'),
      txn: p('txn'),
      json: p('json'),
    })
    .returning('nid'),
);

const insertRelationRow = compiledOnce<RelationsTable>()((db, p) =>
  db.insertInto('relations').values({
    event_nid: p('event_nid'),
    room_nid: p('room_nid'),
    relates_to: p('relates_to'),
    rel_type: p('rel_type'),
    key: p('key'),
    sender: p('sender'),
    type: p('type'),
    position: p('position'),
    origin_server_ts: p('origin_server_ts'),
  }),
);

const insertNotificationRow = compiledOnce<NotificationsTable>()((db, p) =>
  db.insertInto('notifications').values({
    user_id: p('user_id'),
    room_nid: p('room_nid'),
    position: p('position'),
    event_nid: p('event_nid'),
    thread_root: p('thread_root'),
    notify: p('notify'),
    highlight: p('highlight'),
    actions: p('actions'),
  }),
);

const moveExtremityRow = compiledOnce<{ roomNid: number; from: number; to: number }>()((db, p) =>
  db
    .updateTable('forward_extremities')
    .set({ event_nid: p('to') })
    .where('room_nid', '=', p('roomNid'))
    .where('event_nid', '=', p('from')),
);

const eventIdsByNids = compiledOnce<{ nids: readonly number[] }>()((db, p) =>
  db.selectFrom('events').select(['nid', 'event_id']).where('nid', 'in', p.numbers('nids')),
);

const threadRootOf = compiledOnce<{ eventId: EventId }>()((db, p) =>
  db.selectFrom('events').select('thread_root').where('event_id', '=', p('eventId')),
);

const annotationOf = compiledOnce<{ relatesTo: EventId; type: string; key: string; sender: UserId }>()((db, p) =>
  db
    .selectFrom('relations')
    .select('event_nid')
    .where('relates_to', '=', p('relatesTo'))
    .where('rel_type', '=', 'm.annotation')
    .where('type', '=', p('type'))
    .where('key', '=', p('key'))
    .where('sender', '=', p('sender'))
    .limit(1),
);

const transactionOf = compiledOnce<TransactionKey>()((db, p) =>
  db
    .selectFrom('client_transactions')
    .select('event_id')
    .where('user_id', '=', p('user_id'))
    .where('device_id', '=', p('device_id'))
    .where('scope', '=', p('scope'))
    .where('txn_id', '=', p('txn_id')),
);

const insertTransactionRow = compiledOnce<ClientTransactionsTable>()((db, p) =>
  db.insertInto('client_transactions').values({
    user_id: p('user_id'),
    device_id: p('device_id'),
    scope: p('scope'),
    txn_id: p('txn_id'),
    event_id: p('event_id'),
    created_ts: p('created_ts'),
  }),
);
