import type { EventId, UserId } from '../../protocol/ids/index.ts';
import { compiledOnce } from '../../storage/compiled-once.ts';
import type { ReadTx } from '../../storage/types.ts';
import type { ChildrenView } from './relation-rows.ts';
import './tables.ts';

/** A thread in figures. */
export interface ThreadRow {
  readonly relates_to: EventId;
  readonly room_nid: number;
  readonly count: number;
  /** 1: the viewer has sent an event into it. */
  readonly participated: number;
  /** Position of its latest event. */
  readonly last: number;
}

/** The threads that begin with some events. */
export async function listThreads(tx: ReadTx, view: ChildrenView): Promise<readonly ThreadRow[]> {
  return (await tx.run(threads, view)).map((row) => ({
    relates_to: row.relates_to,
    room_nid: row.room_nid,
    count: Number(row.count),
    participated: Number(row.participated ?? 0),
    last: Number(row.last ?? 0),
  }));
}

/** The latest events of one thread up to a position, newest first. */
export async function listThreadBackwards(
  tx: ReadTx,
  range: {
    readonly root: EventId;
    readonly roomNid: number;
    readonly ignored: readonly UserId[];
    readonly upTo: number;
    readonly limit: number;
  },
): Promise<readonly { readonly event_nid: number; readonly position: number }[]> {
  return tx.run(threadBackwards, range);
}

/** The events of a room's threads up to a position, newest first: in which thread each is. */
export async function listThreaded(
  tx: ReadTx,
  range: {
    readonly roomNid: number;
    readonly ignored: readonly UserId[];
    readonly upTo: number;
    readonly limit: number;
  },
): Promise<readonly { readonly relates_to: EventId; readonly position: number }[]> {
  return tx.run(threaded, range);
}

const threads = compiledOnce<ChildrenView>()((db, p) =>
  db
    .selectFrom('relations')
    .select((eb) => [
      'relates_to',
      'room_nid',
      eb.fn.countAll().as('count'),
      eb.fn.max(eb.case().when('sender', '=', p('viewer')).then(1).else(0).end()).as('participated'),
      eb.fn.max('position').as('last'),
    ])
    .where('relates_to', 'in', p.texts('eventIds'))
    .where('rel_type', '=', 'm.thread')
    .where('position', '<=', p('upTo'))
    .where('sender', 'not in', p.texts('ignored'))
    .groupBy(['relates_to', 'room_nid']),
);

const threadBackwards = compiledOnce<{
  root: EventId;
  roomNid: number;
  ignored: readonly UserId[];
  upTo: number;
  limit: number;
}>()((db, p) =>
  db
    .selectFrom('relations')
    .select(['event_nid', 'position'])
    .where('relates_to', '=', p('root'))
    .where('rel_type', '=', 'm.thread')
    .where('room_nid', '=', p('roomNid'))
    .where('position', '<=', p('upTo'))
    .where('sender', 'not in', p.texts('ignored'))
    .orderBy('position', 'desc')
    .limit(p('limit')),
);

const threaded = compiledOnce<{ roomNid: number; ignored: readonly UserId[]; upTo: number; limit: number }>()((db, p) =>
  db
    .selectFrom('relations')
    .select(['relates_to', 'position'])
    .where('room_nid', '=', p('roomNid'))
    .where('rel_type', '=', 'm.thread')
    .where('position', '<=', p('upTo'))
    .where('sender', 'not in', p.texts('ignored'))
    .orderBy('position', 'desc')
    .limit(p('limit')),
);
