import { sql } from 'kysely';
import type { EventId, UserId } from '../../protocol/ids/index.ts';
import { compiledOnce } from '../../storage/compiled-once.ts';
import { textList } from '../../storage/schema.ts';
import type { ReadTx } from '../../storage/types.ts';
import './tables.ts';

/** That an event of a room has children of a type. Events of other rooms may claim to be children: their room says so. */
export interface ChildKindRow {
  readonly relates_to: EventId;
  readonly room_nid: number;
  readonly rel_type: string;
}

/** Which of some events have children that are aggregated, by relation type. */
export async function listChildKinds(tx: ReadTx, eventIds: readonly EventId[]): Promise<readonly ChildKindRow[]> {
  return tx.run(childKinds, { eventIds });
}

/** A possible latest edit of an event. */
export interface EditRow {
  readonly relates_to: EventId;
  readonly event_nid: number;
  readonly event_id: EventId;
  readonly origin_server_ts: number;
}

/** The latest edits of events by their own senders and of their own type, a few of each, of events that aren't redacted. */
export async function listLatestEdits(tx: ReadTx, eventIds: readonly EventId[]): Promise<readonly EditRow[]> {
  return tx.run(latestEdits, { eventIds });
}

/** For whom children are counted, and up to which position. */
export interface ChildrenView {
  readonly eventIds: readonly EventId[];
  readonly viewer: UserId;
  readonly ignored: readonly UserId[];
  readonly upTo: number;
}

/** The events that refer to some events, oldest first. */
export async function listReferences(
  tx: ReadTx,
  view: Omit<ChildrenView, 'viewer'> & { readonly limit: number },
): Promise<readonly { readonly relates_to: EventId; readonly room_nid: number; readonly event_id: EventId }[]> {
  return tx.run(references, view);
}

/** A stretch of an event's children; positions mean the gap behind an event. */
export interface ChildRange {
  readonly roomNid: number;
  readonly parent: EventId;
  readonly relType: string | undefined;
  readonly type: string | undefined;
  /** 1: only those that relate to the event itself; more: those that relate to one of these as well, and so on. */
  readonly depth: number;
  readonly dir: 'b' | 'f';
  readonly after: number;
  readonly upTo: number;
  readonly limit: number;
}

/** An event in a stretch. */
export interface ChildRow {
  readonly nid: number;
  readonly position: number;
}

/** The children of an event, with `depth` their children too. All of them match the types asked for. */
export async function listChildren(tx: ReadTx, range: ChildRange): Promise<readonly ChildRow[]> {
  return range.depth > 1 ? listDescendants(tx, range) : listOwnChildren(tx, range);
}

async function listOwnChildren(tx: ReadTx, range: ChildRange): Promise<readonly ChildRow[]> {
  const { relType, type } = range;
  return tx.db
    .selectFrom('relations')
    .select(['event_nid as nid', 'position'])
    .where('relates_to', '=', range.parent)
    .where(inRoom(range.roomNid))
    .$if(relType !== undefined, (query) => query.where('rel_type', '=', relType ?? ''))
    .$if(type !== undefined, (query) => query.where('type', '=', type ?? ''))
    .where('position', '>', range.after)
    .where('position', '<=', range.upTo)
    .orderBy('position', range.dir === 'b' ? 'desc' : 'asc')
    .limit(range.limit)
    .execute();
}

async function listDescendants(tx: ReadTx, range: ChildRange): Promise<readonly ChildRow[]> {
  const { relType, type } = range;
  return tx.db
    .withRecursive('tree(event_nid, position, depth)', (db) =>
      db
        .selectFrom('relations')
        .select((eb) => ['event_nid', 'position', eb.lit(1).as('depth')])
        .where('relates_to', '=', range.parent)
        .where(inRoom(range.roomNid))
        .$if(relType !== undefined, (query) => query.where('rel_type', '=', relType ?? ''))
        .$if(type !== undefined, (query) => query.where('type', '=', type ?? ''))
        .unionAll(
          db
            .selectFrom('tree')
            .innerJoin('events', 'events.nid', 'tree.event_nid')
            .innerJoin('relations', 'relations.relates_to', 'events.event_id')
            .select((eb) => ['relations.event_nid', 'relations.position', eb('tree.depth', '+', 1).as('depth')])
            .where('tree.depth', '<', range.depth)
            .where(inRoom(range.roomNid))
            .$if(relType !== undefined, (query) => query.where('relations.rel_type', '=', relType ?? ''))
            .$if(type !== undefined, (query) => query.where('relations.type', '=', type ?? '')),
        ),
    )
    .selectFrom('tree')
    .select(['tree.event_nid as nid', 'tree.position'])
    .where('tree.position', '>', range.after)
    .where('tree.position', '<=', range.upTo)
    .orderBy('tree.position', range.dir === 'b' ? 'desc' : 'asc')
    .limit(range.limit)
    .execute();
}

/** Nearly all that relates to an event is in its room: an index by the room would lead through all of the room's relations. */
function inRoom(roomNid: number) {
  return sql<boolean>`relations.room_nid + 0 = ${roomNid}`;
}

/** Those of some events that have a child by one of these senders and of one of these relation types, where any are named. */
export async function listRelatedBy(
  tx: ReadTx,
  eventIds: readonly EventId[],
  { senders, relTypes }: { readonly senders?: readonly UserId[]; readonly relTypes?: readonly string[] },
): Promise<ReadonlySet<EventId>> {
  const rows = await tx.db
    .selectFrom('relations')
    .select('relates_to')
    .distinct()
    .where('relates_to', 'in', textList(eventIds))
    .$if(senders !== undefined, (query) => query.where('sender', 'in', textList(senders ?? [])))
    .$if(relTypes !== undefined, (query) => query.where('rel_type', 'in', textList(relTypes ?? [])))
    .execute();
  return new Set(rows.map((row) => row.relates_to));
}

/** The events that relate to an event by one of these types (undefined: any), the newest first. */
export async function listRelating(
  tx: ReadTx,
  {
    parent,
    roomNid,
    relTypes,
    limit,
  }: { parent: EventId; roomNid: number; relTypes: readonly string[] | undefined; limit: number },
): Promise<readonly EventId[]> {
  const rows = await tx.db
    .selectFrom('relations')
    .innerJoin('events', 'events.nid', 'relations.event_nid')
    .select('events.event_id')
    .where('relations.relates_to', '=', parent)
    .where('relations.room_nid', '=', roomNid)
    .$if(relTypes !== undefined, (query) => query.where('relations.rel_type', 'in', textList(relTypes ?? [])))
    .orderBy('relations.position', 'desc')
    .limit(limit)
    .execute();
  return rows.map((row) => row.event_id);
}

const childKinds = compiledOnce<{ eventIds: readonly EventId[] }>()((db, p) =>
  db
    .selectFrom('relations')
    .select(['relates_to', 'room_nid', 'rel_type'])
    .distinct()
    .where('relates_to', 'in', p.texts('eventIds'))
    .where('rel_type', 'in', ['m.replace', 'm.thread', 'm.reference']),
);

/** Of so many of the newest edits the latest is chosen: some may be invalid, or not for the viewer's eyes. */
const EDITS_MAX = 10;

const latestEdits = compiledOnce<{ eventIds: readonly EventId[] }>()((db, p) =>
  db
    .selectFrom(
      db
        .selectFrom('relations')
        .innerJoin('events as original', 'original.event_id', 'relations.relates_to')
        .select((eb) => [
          'relations.relates_to',
          'relations.event_nid',
          'relations.origin_server_ts',
          eb.fn
            .agg<number>('row_number')
            .over((over) =>
              over
                .partitionBy('relations.relates_to')
                .orderBy('relations.origin_server_ts', 'desc')
                .orderBy('relations.position', 'desc'),
            )
            .as('place'),
        ])
        .whereRef('original.sender', '=', 'relations.sender')
        .whereRef('original.type', '=', 'relations.type')
        .whereRef('original.room_nid', '=', 'relations.room_nid')
        .where('original.state_key', 'is', null)
        .where('original.redacted_by', 'is', null)
        .where('relations.relates_to', 'in', p.texts('eventIds'))
        .where('relations.rel_type', '=', 'm.replace')
        .as('edits'),
    )
    .innerJoin('events', 'events.nid', 'edits.event_nid')
    .select(['edits.relates_to', 'edits.event_nid', 'edits.origin_server_ts', 'events.event_id'])
    .where('edits.place', '<=', EDITS_MAX),
);

const references = compiledOnce<Omit<ChildrenView, 'viewer'> & { limit: number }>()((db, p) =>
  db
    .selectFrom('relations')
    .innerJoin('events', 'events.nid', 'relations.event_nid')
    .select(['relations.relates_to', 'relations.room_nid', 'events.event_id'])
    .where('relations.relates_to', 'in', p.texts('eventIds'))
    .where('relations.rel_type', '=', 'm.reference')
    .where('relations.position', '<=', p('upTo'))
    .where('relations.sender', 'not in', p.texts('ignored'))
    .orderBy('relations.position')
    .limit(p('limit')),
);
