import { type Expression, expressionBuilder, type RawBuilder, type SqlBool } from 'kysely';
import type { Tables } from '../../storage/tables.ts';
import './tables.ts';

/** A stretch of a room's timeline, as the queries that read one take it. Positions mean the gap behind an event. */
export interface Stretch {
  readonly roomNid: number;
  /** The events after this position … */
  readonly after: number;
  /** … and up to this one. */
  readonly upTo: number;
  /** At most so many, from the end at which the query begins. */
  readonly limit: number;
}

const eb = expressionBuilder<Tables, 'events'>();

/** The condition for the events of a stretch, without outliers and refused ones. `param`: of the query compiled once. */
export function inStretch(param: (key: Exclude<keyof Stretch, 'limit'>) => RawBuilder<number>): Expression<SqlBool> {
  return eb.and([
    eb('events.room_nid', '=', param('roomNid')),
    eb('events.position', '>', param('after')),
    eb('events.position', '<=', param('upTo')),
    eb('events.rejected', '=', 0),
    eb('events.soft_failed', '=', 0),
  ]);
}
