import {
  type CompiledQuery,
  DefaultQueryExecutor,
  DummyDriver,
  Kysely,
  type Dialect as KyselyDialect,
  type QueryResult,
} from 'kysely';
import { StorageMisuseError } from './errors.ts';
import type { Tables } from './tables.ts';

/** What a statement gave back: rows, and how many rows it changed where it gives none. */
export interface StatementResult {
  readonly rows: readonly unknown[];
  readonly changed: number;
}

/** Where a builder's statements go: one transaction. */
export interface StatementRunner {
  execute(text: string, parameters: readonly unknown[]): Promise<StatementResult>;
}

/** Makes Kysely builders bound to a transaction, without Kysely's own connections, locks and transactions. */
export class BuilderFactory {
  readonly #dialect: KyselyDialect;
  readonly #driver = new DummyDriver();

  constructor(dialect: KyselyDialect) {
    this.#dialect = dialect;
  }

  create<T = Tables>(runner: StatementRunner): Kysely<T> {
    return new Kysely<T>({
      config: { dialect: this.#dialect },
      dialect: this.#dialect,
      driver: this.#driver,
      executor: new BoundExecutor(this.#dialect, runner),
    });
  }
}

class BoundExecutor extends DefaultQueryExecutor {
  readonly #runner: StatementRunner;

  constructor(dialect: KyselyDialect, runner: StatementRunner) {
    super(dialect.createQueryCompiler(), dialect.createAdapter(), { provideConnection: refuseConnection });
    this.#runner = runner;
  }

  override async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    const { rows, changed } = await this.#runner.execute(query.sql, query.parameters);
    // What a row holds is what the builder said when the query was written: the compiler's word, not ours.
    return { rows: rows as R[], numAffectedRows: BigInt(changed) };
  }

  override async *stream<R>(query: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
    yield await this.executeQuery<R>(query);
  }
}

/** Nested transactions and connections of Kysely's own would step out of ours. */
async function refuseConnection(): Promise<never> {
  throw new StorageMisuseError('use the tx you were given: it is the transaction');
}
