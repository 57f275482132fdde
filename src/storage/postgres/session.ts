import type { ClientBase, QueryConfig, QueryResult } from 'pg';
import type { StatementResult } from '../builder.ts';
import type { CompiledOnce } from '../compiled-once.ts';
import { builders } from './builders.ts';
import { toPostgres } from './values.ts';

/** One connection's statements, sent one after the other. */
export class PostgresSession {
  readonly #client: ClientBase;
  #last: Promise<unknown> = Promise.resolve();

  constructor(client: ClientBase) {
    this.#client = client;
  }

  /** Sends a statement when those before it are answered, however they ended. */
  query(config: QueryConfig): Promise<QueryResult<object>> {
    const answer = this.#last.then(() => this.#client.query<object>(config));
    this.#last = answer.catch(() => undefined);
    return answer;
  }

  async command(text: string): Promise<string> {
    return (await this.query({ text })).command;
  }

  async execute(text: string, parameters: readonly unknown[]): Promise<StatementResult> {
    const { rows, rowCount } = await this.query({ text, values: parameters.map(toPostgres) });
    return { rows, changed: rowCount ?? 0 };
  }

  /** A query compiled once is a named prepared statement of the connection. */
  async executeOnce<P extends object>(query: CompiledOnce<P, unknown>, params: P): Promise<StatementResult> {
    const { sql, slots } = query.text(builders.unbound, 'postgres');
    const values = slots.map((slot) => toPostgres('constant' in slot ? slot.constant : Reflect.get(params, slot.key)));
    const { rows, rowCount } = await this.query({ name: `c${query.index}`, text: sql, values });
    return { rows, changed: rowCount ?? 0 };
  }
}
