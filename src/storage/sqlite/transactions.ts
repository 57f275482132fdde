import type { Kysely } from 'kysely';
import type { StatementResult } from '../builder.ts';
import type { CompiledOnce } from '../compiled-once.ts';
import { StorageMisuseError } from '../errors.ts';
import type { Tables } from '../tables.ts';
import type { ReadTx } from '../types.ts';
import type { LaneTx } from '../writer.ts';
import { WriterTx } from '../writer-tx.ts';
import { builders } from './builders.ts';
import type { SqliteConnection } from './connection.ts';
import type { SnapshotSeat, Snapshots } from './snapshots.ts';

/** A read: takes its seat at its first statement. */
export class SqliteReadTx implements ReadTx {
  readonly dialect = 'sqlite';
  readonly #snapshots: Snapshots;
  #seat: SnapshotSeat | undefined;
  #db: Kysely<Tables> | undefined;
  #isOver = false;

  constructor(snapshots: Snapshots) {
    this.#snapshots = snapshots;
  }

  get db(): Kysely<Tables> {
    this.#db ??= builders.factory.create(this);
    return this.#db;
  }

  async run<P extends object, R>(query: CompiledOnce<P, R>, params: P): Promise<readonly R[]> {
    return this.#connection().all(query, params) as R[]; // the row's type is the builder's word, as in builder.ts
  }

  async find<P extends object, R>(query: CompiledOnce<P, R>, params: P): Promise<R | undefined> {
    return this.#connection().first(query, params) as R | undefined;
  }

  async execute(text: string, parameters: readonly unknown[]): Promise<StatementResult> {
    return this.#connection().execute(text, parameters);
  }

  end(): void {
    this.#isOver = true;
    if (this.#seat !== undefined) this.#snapshots.leave(this.#seat);
    this.#seat = undefined;
  }

  #connection(): SqliteConnection {
    if (this.#isOver) throw new StorageMisuseError('this read is over');
    this.#seat ??= this.#snapshots.enter();
    return this.#seat.connection;
  }
}

/** A job on the writing connection. */
export class SqliteWriteTx extends WriterTx implements LaneTx {
  readonly dialect = 'sqlite';
  readonly #connection: SqliteConnection;
  #db: Kysely<Tables> | undefined;

  constructor(connection: SqliteConnection, ...rest: ConstructorParameters<typeof WriterTx>) {
    super(...rest);
    this.#connection = connection;
  }

  get db(): Kysely<Tables> {
    this.#db ??= builders.factory.create(this);
    return this.#db;
  }

  async run<P extends object, R>(query: CompiledOnce<P, R>, params: P): Promise<readonly R[]> {
    this.assertAlive();
    try {
      return this.#connection.all(query, params) as R[];
    } catch (error) {
      throw this.failed(error);
    }
  }

  async find<P extends object, R>(query: CompiledOnce<P, R>, params: P): Promise<R | undefined> {
    this.assertAlive();
    try {
      return this.#connection.first(query, params) as R | undefined;
    } catch (error) {
      throw this.failed(error);
    }
  }

  async change<P extends object, R>(query: CompiledOnce<P, R>, params: P): Promise<number> {
    this.assertAlive();
    try {
      return this.#connection.change(query, params);
    } catch (error) {
      throw this.failed(error);
    }
  }

  async execute(text: string, parameters: readonly unknown[]): Promise<StatementResult> {
    this.assertAlive();
    try {
      return this.#connection.execute(text, parameters);
    } catch (error) {
      throw this.failed(error);
    }
  }
}
