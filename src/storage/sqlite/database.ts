import BetterSqlite3 from 'better-sqlite3';
import { asStorageError, StorageRefusedError, StorageUnavailableError } from '../errors.ts';
import { migrate } from '../migrations.ts';
import { Positions } from '../positions.ts';
import type { Database, DatabaseDeps, Lane, Migrations, ReadTx, SqliteConfig, WriteTx } from '../types.ts';
import { Writer } from '../writer.ts';
import { AsideReads } from './aside.ts';
import { builders } from './builders.ts';
import { Checkpointer } from './checkpointer.ts';
import { SqliteConnection } from './connection.ts';
import { SqliteLane } from './lane.ts';
import { Snapshots } from './snapshots.ts';
import { SqliteReadTx } from './transactions.ts';

const CACHE_BYTES_MAX = 32 * 1024 * 1024;

/** The embedded database: one writing connection, reading ones as needed, a thread for checkpoints. */
export class SqliteDatabase implements Database {
  readonly dialect = 'sqlite';
  readonly positions = new Positions();
  readonly #lock: BetterSqlite3.Database;
  readonly #connection: SqliteConnection;
  readonly #snapshots: Snapshots;
  readonly #writer: Writer;
  readonly #checkpointer: Checkpointer;
  readonly #aside: AsideReads;
  #isClosed = false;

  /**
   * Opens or creates the file, applies missing migrations and finds where the streams stand.
   * @throws StorageRefusedError when another process has it open, or it is newer than this code
   */
  static async open(config: SqliteConfig, migrations: Migrations, deps: DatabaseDeps): Promise<SqliteDatabase> {
    const lock = lockFile(`${config.path}.lock`);
    const cacheBytesMax = config.cacheBytesMax ?? CACHE_BYTES_MAX;
    let connection: SqliteConnection | undefined;
    try {
      connection = new SqliteConnection(config.path, { readonly: false, cacheBytesMax });
      await migrateSqlite(connection, migrations, deps.clock.now());
      const snapshots = new Snapshots(config.path, cacheBytesMax / 2);
      const database = new SqliteDatabase(lock, connection, snapshots, config, deps);
      for (const { name, load } of deps.streams ?? []) {
        database.positions.load(name, await database.read(load));
      }
      return database;
    } catch (error) {
      connection?.close();
      lock.close();
      throw asStorageError(error);
    }
  }

  private constructor(
    lock: BetterSqlite3.Database,
    connection: SqliteConnection,
    snapshots: Snapshots,
    config: SqliteConfig,
    deps: DatabaseDeps,
  ) {
    this.#lock = lock;
    this.#connection = connection;
    this.#snapshots = snapshots;
    this.#aside = new AsideReads(config.path);
    this.#checkpointer = new Checkpointer(config.path, connection, deps.log);
    const lane = new SqliteLane(connection, snapshots, this.positions, () => this.#checkpointer.committed());
    this.#writer = new Writer(lane, this.positions, deps.log);
  }

  async read<T>(work: (tx: ReadTx) => Promise<T>): Promise<T> {
    if (this.#isClosed) throw new StorageUnavailableError('the database is closed');
    const tx = new SqliteReadTx(this.#snapshots);
    try {
      return await work(tx);
    } catch (error) {
      throw asStorageError(error);
    } finally {
      tx.end();
    }
  }

  write<T>(_lane: Lane, work: (tx: WriteTx) => Promise<T>): Promise<T> {
    return this.#writer.write(work);
  }

  readAside(text: string, parameters: readonly unknown[]): Promise<readonly unknown[]> {
    return this.#aside.read(text, parameters);
  }

  async backup(path: string): Promise<void> {
    // A connection of its own, in a transaction: a copy of one snapshot, that no commit makes start again.
    const source = new BetterSqlite3(this.#connection.raw.name, { readonly: true });
    try {
      source.exec('BEGIN; SELECT 1 FROM sqlite_schema LIMIT 1');
      await source.backup(path);
    } finally {
      source.close();
    }
  }

  async checkIntegrity(): Promise<readonly string[]> {
    return this.read(async () => {
      const rows = this.#connection.execute('PRAGMA integrity_check', []).rows;
      return rows.map((row) => String(Object.values(row ?? {})[0])).filter((line) => line !== 'ok');
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
    await this.#aside.close();
    await this.#checkpointer.close();
    this.#snapshots.close();
    this.#connection.close();
    this.#lock.close();
  }
}

/** Positions live in memory, so two processes on one file would give out the same ones. The lock ends with its process. */
function lockFile(path: string): BetterSqlite3.Database {
  const lock = new BetterSqlite3(path, { timeout: 500 });
  try {
    lock.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    lock.close();
    throw new StorageRefusedError(`another process uses this database (${path} is locked)`, { cause: error });
  }
  return lock;
}

async function migrateSqlite(connection: SqliteConnection, migrations: Migrations, nowMs: number): Promise<void> {
  const { raw } = connection;
  const db = builders.factory.create<unknown>({
    execute: async (text, parameters) => connection.execute(text, parameters),
  });
  const run = (text: string) => {
    raw.exec(text);
  };
  await migrate(
    { db, begin: () => run('BEGIN IMMEDIATE'), commit: () => run('COMMIT'), rollback: () => run('ROLLBACK') },
    migrations,
    nowMs,
  );
}
