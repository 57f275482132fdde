/**
 * An index of tokens over integer ids, under one name for both dialects: FTS5 without contents on SQLite, a tsvector with a
 * GIN index on PostgreSQL. Tokens are made by the caller; neither engine's own idea of words is asked.
 */
import { CompiledQuery, type Kysely, PostgresAdapter, sql } from 'kysely';
import type { Database, ReadTx, WriteTx } from './types.ts';

/** Tokens in this order, next to each other. */
export interface TokenPhrase {
  readonly tokens: readonly string[];
  /** The last token may be only the beginning of one. */
  readonly isPrefix: boolean;
}

export interface TokenQuery {
  /** All of them must be there. */
  readonly phrases: readonly TokenPhrase[];
  /** Of each list one label must be there; an empty list is met by nothing. */
  readonly labels: readonly (readonly string[])[];
  /** Only ids below this one. */
  readonly before?: number | undefined;
  readonly limit: number;
}

/** What an entry is found by. */
export interface TokenEntry {
  /** In the order of the text. Letters, digits and marks in lower case; longer than `TOKEN_CHARS_MAX` is cut. */
  readonly tokens: readonly string[];
  /** What it belongs to, such as a group. Never mistaken for a token of the text. */
  readonly labels: readonly string[];
}

export const TOKEN_CHARS_MAX = 64;
/** A private-use character: no text tokenizer lets it into a token. */
const LABEL_MARK = '\uE000';

/** Creates the tables of an index, in a migration. */
export async function createTokenIndex(db: Kysely<unknown>, name: string): Promise<void> {
  const table = sql.id(name);
  if (db.getExecutor().adapter instanceof PostgresAdapter) {
    await sql`create table ${table} (id bigint primary key, tokens tsvector not null)`.execute(db);
    await sql`create index ${sql.id(`${name}_tokens`)} on ${table} using gin (tokens)`.execute(db);
    return;
  }
  await sql`create virtual table ${table} using fts5(
    tokens, content='', contentless_delete=1, tokenize="unicode61 remove_diacritics 0 categories 'L* N* M* Co'"
  )`.execute(db);
}

/** A token index by the name it was created under. */
export class TokenIndex {
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  /** Adds an entry, or replaces the one with this id. */
  async put(tx: WriteTx, id: number, entry: TokenEntry): Promise<void> {
    await this.delete(tx, id);
    if (tx.dialect === 'postgres') {
      await run(tx, `insert into "${this.#name}" (id, tokens) values ($1, $2::tsvector)`, [id, vectorOf(entry)]);
    } else {
      const text = [...entry.labels.map(labelToken), ...entry.tokens.map(cut)].join(' ');
      await run(tx, `insert into "${this.#name}" (rowid, tokens) values (?, ?)`, [id, text]);
    }
  }

  /** Removes an entry, if it is there. */
  async delete(tx: WriteTx, id: number): Promise<void> {
    if (tx.dialect === 'postgres') await run(tx, `delete from "${this.#name}" where id = $1`, [id]);
    else await run(tx, `delete from "${this.#name}" where rowid = ?`, [id]);
  }

  /** Removes all entries. */
  async clear(tx: WriteTx): Promise<void> {
    if (tx.dialect === 'postgres') await run(tx, `delete from "${this.#name}"`, []);
    else await run(tx, `insert into "${this.#name}" ("${this.#name}") values ('delete-all')`, []);
  }

  /** The greatest ids that match, in descending order. Runs beside the main thread. */
  async find(database: Database, query: TokenQuery): Promise<readonly number[]> {
    const rows = await database.readAside(...this.#statement(database, query, 'ids'));
    return rows.map((row) => numberIn(row, 'id'));
  }

  /** How many entries match, up to `limit`. Runs beside the main thread. */
  async count(database: Database, query: TokenQuery): Promise<number> {
    const [row] = await database.readAside(...this.#statement(database, query, 'count'));
    return row === undefined ? 0 : numberIn(row, 'found');
  }

  #statement(
    { dialect }: Database,
    query: TokenQuery,
    what: 'ids' | 'count',
  ): [text: string, parameters: readonly unknown[]] {
    const isPostgres = dialect === 'postgres';
    const id = isPostgres ? 'id' : 'rowid';
    const match = isPostgres ? 'tokens @@ $1::tsquery' : `"${this.#name}" match ?`;
    const expression = isPostgres ? tsqueryOf(query) : ftsQueryOf(query);
    const before = query.before === undefined ? '' : ` and ${id} < ${isPostgres ? '$3' : '?'}`;
    const limited = `select ${id} as id from "${this.#name}" where ${match}${before}`;
    const parameters: unknown[] = [expression];
    if (query.before !== undefined && !isPostgres) parameters.push(query.before);
    parameters.push(query.limit);
    if (query.before !== undefined && isPostgres) parameters.push(query.before);
    const limit = isPostgres ? '$2' : '?';
    const text =
      what === 'ids'
        ? `${limited} order by ${id} desc limit ${limit}`
        : `select count(*) as found from (${limited} limit ${limit}) as matches`;
    return [text, parameters];
  }
}

function numberIn(row: unknown, column: string): number {
  return typeof row === 'object' && row !== null ? Number(Reflect.get(row, column)) : 0;
}

async function run(tx: ReadTx, text: string, parameters: readonly unknown[]): Promise<void> {
  await tx.db.executeQuery(CompiledQuery.raw(text, [...parameters]));
}

function cut(token: string): string {
  return token.length <= TOKEN_CHARS_MAX ? token : token.slice(0, TOKEN_CHARS_MAX);
}

function labelToken(label: string): string {
  return LABEL_MARK + cut(label);
}

/** FTS5's query language: strings in double quotes are phrases. */
function ftsQueryOf({ phrases, labels }: TokenQuery): string {
  const texts = phrases.map(({ tokens, isPrefix }) => `"${tokens.map(cut).join(' ')}"${isPrefix ? ' *' : ''}`);
  const groups = labels.map((group) =>
    group.length === 0 ? `"${LABEL_MARK}"` : `(${group.map((label) => `"${labelToken(label)}"`).join(' OR ')})`,
  );
  return [...groups, ...texts].join(' AND ');
}

/** A tsquery in its text form; the quotes keep every character literal. */
function tsqueryOf({ phrases, labels }: TokenQuery): string {
  const texts = phrases.map(({ tokens, isPrefix }) => {
    const quoted = tokens.map((token) => lexeme(cut(token)));
    return `(${quoted.join(' <-> ')}${isPrefix ? ':*' : ''})`;
  });
  const groups = labels.map((group) =>
    group.length === 0 ? lexeme(LABEL_MARK) : `(${group.map((label) => lexeme(labelToken(label))).join(' | ')})`,
  );
  return [...groups, ...texts].join(' & ');
}

function lexeme(token: string): string {
  return `'${token.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}

/** PostgreSQL keeps no more than this many places, nor greater ones. */
const POSITION_MAX = 16_383;
const PLACES_MAX = 255;

function vectorOf({ tokens, labels }: TokenEntry): string {
  const places = new Map<string, number[]>();
  tokens.forEach((token, index) => {
    const own = places.get(cut(token));
    if (own === undefined) places.set(cut(token), [Math.min(index + 1, POSITION_MAX)]);
    else if (own.length < PLACES_MAX) own.push(Math.min(index + 1, POSITION_MAX));
  });
  const parts = [...places].map(([token, at]) => `${lexeme(token)}:${at.join(',')}`);
  return [...labels.map((label) => lexeme(labelToken(label))), ...parts].join(' ');
}
