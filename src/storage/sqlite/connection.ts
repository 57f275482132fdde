import { chmodSync } from 'node:fs';
import BetterSqlite3 from 'better-sqlite3';
import { LRUCache } from 'lru-cache';
import { upTo } from '../../lru.ts';
import type { StatementResult } from '../builder.ts';
import type { CompiledOnce, CompiledText } from '../compiled-once.ts';
import { builders } from './builders.ts';

type Statement = BetterSqlite3.Statement<unknown[], unknown>;

interface PreparedOnce {
  readonly statement: Statement;
  readonly slots: CompiledText['slots'];
}

const STATEMENTS_MAX = 500;

/** A connection with its prepared statements. Everything here is synchronous. */
export class SqliteConnection {
  readonly raw: BetterSqlite3.Database;
  readonly #byText = new LRUCache<string, Statement>(upTo(STATEMENTS_MAX));
  readonly #byIndex: (PreparedOnce | undefined)[] = [];

  constructor(path: string, options: { readonly: boolean; cacheBytesMax: number }) {
    this.raw = new BetterSqlite3(path, { readonly: options.readonly });
    if (!options.readonly) {
      // Password hashes and messages are in it: nobody else's to read. Its journals take over the mode.
      chmodSync(path, 0o600);
      this.raw.pragma('journal_mode = WAL');
      // An acknowledged write has reached the disk.
      this.raw.pragma('synchronous = FULL');
      // The checkpointer does it, in a thread of its own.
      this.raw.pragma('wal_autocheckpoint = 0');
      this.raw.pragma('journal_size_limit = 67108864');
    }
    this.raw.pragma('busy_timeout = 5000');
    this.raw.pragma('temp_store = MEMORY');
    this.raw.pragma('foreign_keys = ON');
    this.raw.pragma(`cache_size = ${-Math.ceil(options.cacheBytesMax / 1024)}`);
  }

  /** Runs any statement; its text is prepared once. */
  execute(text: string, parameters: readonly unknown[]): StatementResult {
    let statement = this.#byText.get(text);
    if (statement === undefined) {
      statement = this.raw.prepare<unknown[], unknown>(text);
      this.#byText.set(text, statement);
    }
    if (statement.reader) return { rows: statement.all(...parameters), changed: 0 };
    return { rows: [], changed: statement.run(...parameters).changes };
  }

  all<P extends object>(query: CompiledOnce<P, unknown>, params: P): unknown[] {
    const { statement, slots } = this.#byIndex[query.index] ?? this.#prepare(query);
    if (statement.reader) return statement.all(...bind(slots, params));
    statement.run(...bind(slots, params));
    return [];
  }

  first<P extends object>(query: CompiledOnce<P, unknown>, params: P): unknown {
    const { statement, slots } = this.#byIndex[query.index] ?? this.#prepare(query);
    return statement.get(...bind(slots, params));
  }

  change<P extends object>(query: CompiledOnce<P, unknown>, params: P): number {
    const { statement, slots } = this.#byIndex[query.index] ?? this.#prepare(query);
    return statement.run(...bind(slots, params)).changes;
  }

  close(): void {
    this.raw.close();
  }

  #prepare<P extends object>(query: CompiledOnce<P, unknown>): PreparedOnce {
    const { sql, slots } = query.text(builders.unbound, 'sqlite');
    const prepared = { statement: this.raw.prepare<unknown[], unknown>(sql), slots };
    // Filled densely, or V8 turns a sparse array into a dictionary.
    for (let index = this.#byIndex.length; index < query.index; index++) this.#byIndex.push(undefined);
    this.#byIndex[query.index] = prepared;
    return prepared;
  }
}

function bind(slots: CompiledText['slots'], params: object): unknown[] {
  const values: unknown[] = [];
  for (const slot of slots) {
    if ('constant' in slot) {
      values.push(slot.constant);
    } else {
      const value: unknown = Reflect.get(params, slot.key);
      values.push(slot.list === undefined ? value : JSON.stringify(value));
    }
  }
  return values;
}
