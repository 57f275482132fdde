import { compiledOnce, type ReadTx } from '../../storage/index.ts';
import { inStretch, type Stretch } from '../store/index.ts';

/** As much of an event as filters by type and sender look at. */
export interface EventHead {
  readonly nid: number;
  readonly position: number;
  readonly type: string;
  readonly sender: string;
}

/** Heads of a room's events, newest first, without outliers and refused events. */
export async function headsBackwards(tx: ReadTx, range: Stretch): Promise<readonly EventHead[]> {
  return (await tx.run(backwards, range)).map(toHead);
}

/** Heads of a room's events, oldest first, without outliers and refused events. */
export async function headsForwards(tx: ReadTx, range: Stretch): Promise<readonly EventHead[]> {
  return (await tx.run(forwards, range)).map(toHead);
}

function toHead(row: { nid: number; position: number | null; type: string; sender: string }): EventHead {
  return { nid: row.nid, position: row.position ?? 0, type: row.type, sender: row.sender };
}

const backwards = heads('desc');
const forwards = heads('asc');

function heads(order: 'asc' | 'desc') {
  return compiledOnce<Stretch>()((db, p) =>
    db
      .selectFrom('events')
      .select(['nid', 'position', 'type', 'sender'])
      .where(inStretch(p))
      .orderBy('position', order)
      .limit(p('limit')),
  );
}
