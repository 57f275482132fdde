import { Pool, type PoolConfig } from 'pg';
import { asStorageError, StorageMisuseError, StorageRefusedError, StorageUnavailableError } from '../errors.ts';
import { migrate } from '../migrations.ts';
import { Positions } from '../positions.ts';
import type { Database, DatabaseDeps, Lane, Migrations, PostgresConfig, ReadTx, WriteTx } from '../types.ts';
import { Writer } from '../writer.ts';
import { builders } from './builders.ts';
import { PostgresLane } from './lane.ts';
import type { PostgresSession } from './session.ts';
import { PostgresReadTx } from './transactions.ts';
import { typeParsers } from './values.ts';

const POOL_SIZE_MAX = 10;
const CONNECT_TIMEOUT_MS = 10_000;

/** PostgreSQL: a pool for reads, one connection for each lane of writes. */
export class PostgresDatabase implements Database {
  readonly dialect = 'postgres';
  readonly positions = new Positions();
  readonly #pool: Pool;
  readonly #lane: PostgresLane;
  readonly #writer: Writer;
  readonly #deps: DatabaseDeps;
  #isClosed = false;

  /**
   * Connects, applies missing migrations and finds where the streams stand.
   * @throws StorageRefusedError when another process writes to it, it is newer than this code, or not in UTF-8
   */
  static async open(config: PostgresConfig, migrations: Migrations, deps: DatabaseDeps): Promise<PostgresDatabase> {
    const connection = {
      types: typeParsers,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      application_name: 'inglenook',
      ...(config.connectionString === undefined ? {} : { connectionString: config.connectionString }),
    };
    const database = new PostgresDatabase({ ...connection, max: config.poolSizeMax ?? POOL_SIZE_MAX }, deps);
    try {
      const session = await database.#lane.connect();
      await checkServer(session, deps);
      const run = async (text: string) => void (await session.command(text));
      await migrate(
        {
          db: builders.factory.create<unknown>(session),
          begin: () => run('BEGIN'),
          commit: () => run('COMMIT'),
          rollback: () => run('ROLLBACK'),
        },
        migrations,
        deps.clock.now(),
      );
      await database.#loadPositions();
      return database;
    } catch (error) {
      await database[Symbol.asyncDispose]();
      throw asStorageError(error);
    }
  }

  private constructor(config: PoolConfig, deps: DatabaseDeps) {
    this.#deps = deps;
    this.#pool = new Pool(config);
    // An idle connection that breaks is replaced by the pool at the next read.
    this.#pool.on('error', (error) => deps.log?.warn({ err: error }, 'an idle PostgreSQL connection broke'));
    this.#lane = new PostgresLane(config, this.positions, () => this.#loadPositions());
    this.#writer = new Writer(this.#lane, this.positions, deps.log);
  }

  async read<T>(work: (tx: ReadTx) => Promise<T>): Promise<T> {
    if (this.#isClosed) throw new StorageUnavailableError('the database is closed');
    const tx = new PostgresReadTx(this.#pool);
    try {
      return await work(tx);
    } catch (error) {
      throw asStorageError(error);
    } finally {
      await tx.end();
    }
  }

  write<T>(_lane: Lane, work: (tx: WriteTx) => Promise<T>): Promise<T> {
    return this.#writer.write(work);
  }

  readAside(text: string, parameters: readonly unknown[]): Promise<readonly unknown[]> {
    return this.read(async (tx) => (await (tx as PostgresReadTx).execute(text, parameters)).rows);
  }

  async backup(): Promise<void> {
    throw new StorageMisuseError('a PostgreSQL database is backed up with pg_dump');
  }

  async checkIntegrity(): Promise<readonly string[]> {
    return this.read(async (tx) => {
      const query = `select coalesce(checksum_failures, 0) as failures from pg_stat_database where datname = current_database()`;
      const { rows } = await (tx as PostgresReadTx).execute(query, []);
      return rows.filter((row) => JSON.stringify(row) !== '{"failures":0}').map((row) => JSON.stringify(row));
    });
  }

  /** How many commits there were, for tests and metrics. */
  get batchCount(): number {
    return this.#writer.batchCount;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    await this.#writer.close();
    this.#isClosed = true;
    await this.#lane.close();
    await this.#pool.end();
  }

  async #loadPositions(): Promise<void> {
    for (const { name, load } of this.#deps.streams ?? []) this.positions.load(name, await this.read(load));
  }
}

async function checkServer(session: PostgresSession, deps: DatabaseDeps): Promise<void> {
  const { rows } = await session.query({
    text: `select current_setting('server_encoding') as encoding, datcollate as collation
           from pg_database where datname = current_database()`,
  });
  const { encoding, collation } = { encoding: '', collation: '', ...rows[0] };
  if (encoding !== 'UTF8') throw new StorageRefusedError(`the database must be encoded in UTF8, not ${encoding}`);
  if (collation !== 'C') {
    deps.log?.warn({ collation }, "PostgreSQL compares text fastest and safest with the collation 'C'");
  }
}
