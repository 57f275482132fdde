/** The tables of search: which events are in the index, and by whose text. */
import type { EventId, UserId } from '../protocol/ids/index.ts';
import {
  compiledOnce,
  createTokenIndex,
  idList,
  type Migrations,
  type ReadTx,
  upsert,
  type WriteTx,
} from '../storage/index.ts';

declare module '../storage/tables.ts' {
  interface Tables {
    /** Events in the index; the index itself is `search_tokens`, under the same positions. */
    search_documents: {
      /** Of the event in the stream 'events'. */
      readonly position: number;
      readonly event_nid: number;
      /** The event whose text is indexed: the event itself or its last edit. */
      readonly source_nid: number;
      readonly room_nid: number;
      /** How many tokens. */
      readonly length: number;
    };
  }
}

export const SEARCH_INDEX = 'search_tokens';

export const searchMigrations: Migrations = {
  '0700_search_init': {
    async up(db) {
      await db.schema
        .createTable('search_documents')
        .addColumn('position', 'integer', (c) => c.primaryKey())
        .addColumn('event_nid', 'integer', (c) => c.notNull())
        .addColumn('source_nid', 'integer', (c) => c.notNull())
        .addColumn('room_nid', 'integer', (c) => c.notNull())
        .addColumn('length', 'integer', (c) => c.notNull())
        .execute();
      await db.schema.createIndex('search_documents_event').on('search_documents').column('event_nid').execute();
      await db.schema.createIndex('search_documents_source').on('search_documents').column('source_nid').execute();
      await createTokenIndex(db, SEARCH_INDEX);
    },
  },
};

/** An event in the index. */
export interface SearchDocument {
  readonly position: number;
  readonly event_nid: number;
  readonly source_nid: number;
  readonly room_nid: number;
  readonly length: number;
}

/** The events of some types after `from` up to `to`, in order. */
export function listEventsOfTypes(
  tx: ReadTx,
  range: EventRange,
): Promise<readonly { nid: number; position: number | null }[]> {
  return tx.run(eventsOfTypes, range);
}

interface EventRange {
  readonly from: number;
  readonly to: number;
  readonly types: readonly string[];
  readonly limit: number;
}

/** Documents by their positions, in no order. */
export function documentsAt(tx: ReadTx, positions: readonly number[]): Promise<readonly SearchDocument[]> {
  return tx.db.selectFrom('search_documents').selectAll().where('position', 'in', idList(positions)).execute();
}

/** The documents that are an event, or show its text. */
export function documentsOf(tx: ReadTx, nid: number): Promise<readonly SearchDocument[]> {
  return tx.db
    .selectFrom('search_documents')
    .selectAll()
    .where((eb) => eb.or([eb('event_nid', '=', nid), eb('source_nid', '=', nid)]))
    .execute();
}

/** Which of some rooms were replaced, and by which room. */
export async function replacementsOf(tx: ReadTx, roomNids: readonly number[]) {
  return tx.db
    .selectFrom('rooms')
    .select(['room_id', 'tombstone_replacement'])
    .where('room_nid', 'in', idList(roomNids))
    .where('tombstone_replacement', 'is not', null)
    .execute();
}

export async function putDocument(tx: WriteTx, document: SearchDocument): Promise<void> {
  await upsert(tx, 'search_documents', document, ['position']);
}

export async function deleteDocument(tx: WriteTx, position: number): Promise<void> {
  await tx.db.deleteFrom('search_documents').where('position', '=', position).execute();
}

export async function deleteAllDocuments(tx: WriteTx): Promise<void> {
  await tx.db.deleteFrom('search_documents').execute();
}

/** The nid of the last edit of an event by its sender. */
export async function findLastEdit(
  tx: ReadTx,
  eventId: EventId,
  sender: UserId,
  type: string,
): Promise<number | undefined> {
  return (await tx.find(lastEdit, { eventId, sender, type }))?.event_nid;
}

const eventsOfTypes = compiledOnce<EventRange>()((db, p) =>
  db
    .selectFrom('events')
    .select(['nid', 'position'])
    .where('position', '>', p('from'))
    .where('position', '<=', p('to'))
    .where('type', 'in', p.texts('types'))
    .orderBy('position')
    .limit(p('limit')),
);

const lastEdit = compiledOnce<{ eventId: EventId; sender: UserId; type: string }>()((db, p) =>
  db
    .selectFrom('relations')
    .select('event_nid')
    .where('relates_to', '=', p('eventId'))
    .where('rel_type', '=', 'm.replace')
    .where('sender', '=', p('sender'))
    .where('type', '=', p('type'))
    .orderBy('position', 'desc')
    .limit(1),
);
