import { CompiledQuery, type Insertable } from 'kysely';
import type { Tables } from './tables.ts';
import type { WriteTx } from './types.ts';

/** Both engines' limits are higher (32,766 and 65,535); shorter statements are cheaper to parse and to cache. */
const PARAMETERS_MAX = 2_000;

type TableName = keyof Tables & string;

/**
 * Inserts many rows, in as few statements as the engine's parameter limit allows. All rows must have the columns of the first.
 * @param onConflict 'ignore' leaves rows that are already there as they are
 */
export async function bulkInsert<T extends TableName>(
  tx: WriteTx,
  table: T,
  rows: readonly Insertable<Tables[T]>[],
  onConflict: 'fail' | 'ignore' = 'fail',
): Promise<void> {
  const first = rows[0];
  if (first === undefined) return;
  const columns = Object.keys(first);
  // SQLite runs a prepared single row fastest; a server wants few round trips.
  const rowsPerStatement = tx.dialect === 'sqlite' ? 1 : Math.max(1, Math.floor(PARAMETERS_MAX / columns.length));
  const suffix = onConflict === 'ignore' ? ' on conflict do nothing' : '';
  for (let start = 0; start < rows.length; start += rowsPerStatement) {
    const chunk = rows.slice(start, start + rowsPerStatement);
    const parameters = chunk.flatMap((row) => valuesOf(row, columns));
    const text = `insert into ${quote(table)} (${columns.map(quote).join(', ')}) values ${tuples(tx, chunk.length, columns.length)}${suffix}`;
    await tx.db.executeQuery(CompiledQuery.raw(text, parameters));
  }
}

/** Inserts a row, or sets its other columns where a row with the same `key` columns is there. */
export async function upsert<T extends TableName>(
  tx: WriteTx,
  table: T,
  row: Insertable<Tables[T]>,
  key: readonly (keyof Tables[T] & string)[],
): Promise<void> {
  const columns = Object.keys(row);
  const keys: ReadonlySet<string> = new Set(key);
  const changes = columns
    .filter((column) => !keys.has(column))
    .map((column) => `${quote(column)} = excluded.${quote(column)}`);
  const action = changes.length === 0 ? 'nothing' : `update set ${changes.join(', ')}`;
  const text =
    `insert into ${quote(table)} (${columns.map(quote).join(', ')}) values ${tuples(tx, 1, columns.length)} ` +
    `on conflict (${key.map(quote).join(', ')}) do ${action}`;
  await tx.db.executeQuery(CompiledQuery.raw(text, valuesOf(row, columns)));
}

function valuesOf(row: object, columns: readonly string[]): unknown[] {
  return columns.map((column) => Reflect.get(row, column) ?? null);
}

function quote(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`;
}

function tuples(tx: WriteTx, rowCount: number, columnCount: number): string {
  let number = 0;
  const placeholder = () => (tx.dialect === 'sqlite' ? '?' : `$${++number}`);
  return Array.from(
    { length: rowCount },
    () => `(${Array.from({ length: columnCount }, placeholder).join(', ')})`,
  ).join(', ');
}
