import { compiledOnce, type ReadTx } from '../../storage/index.ts';
import '../store/index.ts';

/** As much of an event as filters by type and sender look at. */
export interface EventHead {
  readonly nid: number;
  readonly position: number;
  readonly type: string;
  readonly sender: string;
}

/** A stretch of a room to be looked through; positions mean the gap behind an event. */
export interface HeadRange {
  readonly roomNid: number;
  /** The events after this position … */
  readonly after: number;
  /** … and up to this one. */
  readonly upTo: number;
  readonly limit: number;
}

/** Heads of a room's events, newest first, without outliers and refused events. */
export async function headsBackwards(tx: ReadTx, range: HeadRange): Promise<readonly EventHead[]> {
  return (await tx.run(backwards, range)).map(toHead);
}

/** Heads of a room's events, oldest first, without outliers and refused events. */
export async function headsForwards(tx: ReadTx, range: HeadRange): Promise<readonly EventHead[]> {
  return (await tx.run(forwards, range)).map(toHead);
}

function toHead(row: { nid: number; position: number | null; type: string; sender: string }): EventHead {
  return { nid: row.nid, position: row.position ?? 0, type: row.type, sender: row.sender };
}

const backwards = compiledOnce<HeadRange>()((db, p) =>
  db
    .selectFrom('events')
    .select(['nid', 'position', 'type', 'sender'])
    .where('room_nid', '=', p('roomNid'))
    .where('position', '>', p('after'))
    .where('position', '<=', p('upTo'))
    .where('rejected', '=', 0)
    .where('soft_failed', '=', 0)
    .orderBy('position', 'desc')
    .limit(p('limit')),
);

const forwards = compiledOnce<HeadRange>()((db, p) =>
  db
    .selectFrom('events')
    .select(['nid', 'position', 'type', 'sender'])
    .where('room_nid', '=', p('roomNid'))
    .where('position', '>', p('after'))
    .where('position', '<=', p('upTo'))
    .where('rejected', '=', 0)
    .where('soft_failed', '=', 0)
    .orderBy('position', 'asc')
    .limit(p('limit')),
);
