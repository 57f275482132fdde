import type { Positions } from '../positions.ts';
import type { LaneConnection, LaneTx } from '../writer.ts';
import type { SqliteConnection } from './connection.ts';
import type { Snapshots } from './snapshots.ts';
import { SqliteWriteTx } from './transactions.ts';

/** The writing connection of SQLite, as the writer sees it. */
export class SqliteLane implements LaneConnection {
  readonly #connection: SqliteConnection;
  readonly #snapshots: Snapshots;
  readonly #positions: Positions;
  readonly #afterCommit: () => void;

  constructor(connection: SqliteConnection, snapshots: Snapshots, positions: Positions, afterCommit: () => void) {
    this.#connection = connection;
    this.#snapshots = snapshots;
    this.#positions = positions;
    this.#afterCommit = afterCommit;
  }

  begin(): void {
    this.#connection.execute('BEGIN IMMEDIATE', []);
  }

  commit(): void {
    this.#snapshots.pin();
    this.#connection.execute('COMMIT', []);
    this.#afterCommit();
  }

  rollback(): void {
    this.#connection.execute('ROLLBACK', []);
  }

  savepoint(): void {
    this.#connection.execute('SAVEPOINT job', []);
  }

  release(): void {
    this.#connection.execute('RELEASE job', []);
  }

  rollbackToSavepoint(): void {
    this.#connection.execute('ROLLBACK TO job', []);
  }

  inTransaction(): boolean {
    return this.#connection.raw.inTransaction;
  }

  createTx(): LaneTx {
    return new SqliteWriteTx(this.#connection, this.#positions);
  }

  recover(): void {
    // The connection itself is unharmed: after a ROLLBACK it goes on.
  }
}
