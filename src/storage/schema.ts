import { type ColumnDefinitionBuilder, type RawBuilder, sql } from 'kysely';
import { ListValue } from './compiled-once.ts';

/**
 * A primary key that numbers itself: `addColumn('nid', 'integer', idColumn)`. On SQLite the rowid (after the greatest row
 * was deleted its number can come again), on PostgreSQL an identity column.
 */
export function idColumn(column: ColumnDefinitionBuilder): ColumnDefinitionBuilder {
  return column.primaryKey().autoIncrement();
}

/** The fragment that both compilers know; PostgreSQL's leaves it out. */
export const WITHOUT_ROWID = 'without rowid';

/**
 * For tables with small rows and a primary key of several columns, `createTable(…).modifyEnd(clustered)`: rows lie in the order of
 * their key (SQLite's WITHOUT ROWID); no effect on PostgreSQL.
 */
export const clustered: RawBuilder<unknown> = sql.raw(WITHOUT_ROWID);

/** A list of numbers of any length as one parameter: `.where('nid', 'in', idList(nids))`. */
export function idList(values: readonly number[]): RawBuilder<number> {
  return sql<number>`${new ListValue(values, 'number')}`;
}

/** A list of strings of any length as one parameter: `.where('event_id', 'in', textList(ids))`. */
export function textList<T extends string>(values: readonly T[]): RawBuilder<T> {
  return sql<T>`${new ListValue(values, 'string')}`;
}
