import type { Kysely } from 'kysely';
import type { Pool, PoolClient } from 'pg';
import type { StatementResult } from '../builder.ts';
import type { CompiledOnce } from '../compiled-once.ts';
import { StorageMisuseError } from '../errors.ts';
import type { Tables } from '../tables.ts';
import type { ReadTx } from '../types.ts';
import type { LaneTx } from '../writer.ts';
import { WriterTx } from '../writer-tx.ts';
import { builders } from './builders.ts';
import { PostgresSession } from './session.ts';

/** A read: takes a connection and its snapshot at its first statement. */
export class PostgresReadTx implements ReadTx {
  readonly dialect = 'postgres';
  readonly #pool: Pool;
  #session: Promise<PostgresSession> | undefined;
  #client: PoolClient | undefined;
  #db: Kysely<Tables> | undefined;
  #isOver = false;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  get db(): Kysely<Tables> {
    this.#db ??= builders.factory.create(this);
    return this.#db;
  }

  async run<P extends object, R>(query: CompiledOnce<P, R>, params: P): Promise<readonly R[]> {
    const session = await this.#open();
    const { rows } = await session.executeOnce(query, params);
    return rows as readonly R[]; // the row's type is the builder's word, as in builder.ts
  }

  async find<P extends object, R>(query: CompiledOnce<P, R>, params: P): Promise<R | undefined> {
    return (await this.run(query, params))[0];
  }

  async execute(text: string, parameters: readonly unknown[]): Promise<StatementResult> {
    const session = await this.#open();
    return session.execute(text, parameters);
  }

  /** Ends the snapshot and gives the connection back; a broken one is thrown away. */
  async end(): Promise<void> {
    this.#isOver = true;
    if (this.#session === undefined) return;
    try {
      await (await this.#session).command('COMMIT');
      this.#client?.release();
    } catch {
      // Nothing was written; whatever broke has been told to the statement that met it.
      this.#client?.release(true);
    }
  }

  #open(): Promise<PostgresSession> {
    if (this.#isOver) throw new StorageMisuseError('this read is over');
    this.#session ??= this.#begin();
    return this.#session;
  }

  async #begin(): Promise<PostgresSession> {
    this.#client = await this.#pool.connect();
    const session = new PostgresSession(this.#client);
    await session.command('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    return session;
  }
}

/** A job on the lane's connection. */
export class PostgresWriteTx extends WriterTx implements LaneTx {
  readonly dialect = 'postgres';
  readonly #session: PostgresSession;
  #db: Kysely<Tables> | undefined;

  constructor(session: PostgresSession, ...rest: ConstructorParameters<typeof WriterTx>) {
    super(...rest);
    this.#session = session;
  }

  get db(): Kysely<Tables> {
    this.#db ??= builders.factory.create(this);
    return this.#db;
  }

  async run<P extends object, R>(query: CompiledOnce<P, R>, params: P): Promise<readonly R[]> {
    this.assertAlive();
    const { rows } = await this.pending(this.#session.executeOnce(query, params));
    return rows as readonly R[];
  }

  async find<P extends object, R>(query: CompiledOnce<P, R>, params: P): Promise<R | undefined> {
    return (await this.run(query, params))[0];
  }

  async change<P extends object, R>(query: CompiledOnce<P, R>, params: P): Promise<number> {
    this.assertAlive();
    return (await this.pending(this.#session.executeOnce(query, params))).changed;
  }

  async execute(text: string, parameters: readonly unknown[]): Promise<StatementResult> {
    this.assertAlive();
    return this.pending(this.#session.execute(text, parameters));
  }
}
