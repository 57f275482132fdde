import type { Kysely } from 'kysely';
import type { CompiledOnce } from './compiled-once.ts';
import type { Positions } from './positions.ts';
import type { Tables } from './tables.ts';

export type Dialect = 'sqlite' | 'postgres';

/** A queue of writes with one owner; positions given out in a lane become visible in order. */
export type Lane = 'main';

/** One snapshot of the database. */
export interface ReadTx {
  readonly dialect: Dialect;
  /** The query builder, bound to this transaction. */
  readonly db: Kysely<Tables>;
  /** Runs a query compiled once and returns all its rows. For measured hot paths. */
  run<P extends object, R>(query: CompiledOnce<P, R>, params: P): Promise<readonly R[]>;
  /** Runs a query compiled once and returns its first row, or undefined. */
  find<P extends object, R>(query: CompiledOnce<P, R>, params: P): Promise<R | undefined>;
}

/** One job of the writer: all of it is kept, or nothing. */
export interface WriteTx extends ReadTx {
  /** Runs a statement compiled once and returns how many rows it changed. */
  change<P extends object, R>(query: CompiledOnce<P, R>, params: P): Promise<number>;
  /** Calls `fn` after the commit, in order, before the caller of write() goes on. Never called if this job fails. */
  onCommit(fn: () => void): void;
  /** The next position of a stream; given back if this job fails. Visible to others only after the commit. */
  nextPosition(stream: string): number;
}

export interface Database extends AsyncDisposable {
  readonly dialect: Dialect;
  /** Committed positions of the declared streams. */
  readonly positions: Positions;
  /** Runs `work` on one snapshot. Keep it short: a snapshot that stays open keeps old pages alive. */
  read<T>(work: (tx: ReadTx) => Promise<T>): Promise<T>;
  /**
   * Runs `work` in the lane's next batch and resolves when its changes are durable. `work` must await nothing but `tx`;
   * one that does is refused. Throwing undoes this job alone.
   * @throws StorageUnavailableError when the disk is full, the device fails, the server is away or the queue is too long
   */
  write<T>(lane: Lane, work: (tx: WriteTx) => Promise<T>): Promise<T>;
  /**
   * Runs one statement that may take long (search, exports) on the newest committed state: on SQLite in a worker thread, so
   * that nobody else waits for it. The text is of this dialect: for helpers in storage/.
   */
  readAside(text: string, parameters: readonly unknown[]): Promise<readonly unknown[]>;
  /** Writes a consistent copy to `path` while running (SQLite only; on PostgreSQL use pg_dump). */
  backup(path: string): Promise<void>;
  /** Problems found by the engine's own integrity check; an empty list is a clean bill. */
  checkIntegrity(): Promise<readonly string[]>;
}

/** A durable stream: its name, the lane that appends to it, and how to find its last position at start. */
export interface StreamDeclaration {
  readonly name: string;
  readonly lane: Lane;
  /** The greatest position in the tables; 0 when there is none. */
  readonly load: (tx: ReadTx) => Promise<number>;
}

export interface Migration {
  /** Statements here run in one transaction, on both dialects. Write `integer`, `text`, `blob`; see storage/schema.ts. */
  up(db: Kysely<unknown>): Promise<void>;
}

/** By name, `NNNN_domain_what`; applied in the order of the names, once each. */
export type Migrations = Readonly<Record<string, Migration>>;

export interface SqliteConfig {
  readonly dialect: 'sqlite';
  /** The database file. Its folder must exist. */
  readonly path: string;
  /** Page cache of the writing connection; a reading one has half of it. Default 32 MiB. */
  readonly cacheBytesMax?: number;
}

export interface PostgresConfig {
  readonly dialect: 'postgres';
  /** `postgres://…`; without it, libpq's environment (PGHOST, PGUSER, PGDATABASE…) counts. */
  readonly connectionString?: string;
  /** Connections for reads; each lane has one more for itself. Default 10. */
  readonly poolSizeMax?: number;
}

export type DatabaseConfig = SqliteConfig | PostgresConfig;

/** What goes wrong where nobody waits for it. */
export interface StorageLog {
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface DatabaseDeps {
  readonly clock: { now(): number };
  readonly streams?: readonly StreamDeclaration[];
  readonly log?: StorageLog;
}
