import { setTimeout as delay } from 'node:timers/promises';
import { Client, type ClientConfig } from 'pg';
import { StorageRefusedError, StorageUnavailableError } from '../errors.ts';
import type { Positions } from '../positions.ts';
import type { LaneConnection, LaneTx } from '../writer.ts';
import { PostgresSession } from './session.ts';
import { PostgresWriteTx } from './transactions.ts';

/** "inglenook" in one number: who holds this advisory lock of the database gives out its positions. */
const LANE_LOCK = 4_851_932_716;
const LOCK_ATTEMPTS_MAX = 25;
const LOCK_RETRY_MS = 200;

/** The writing connection of a lane. It holds the lane's lock, so no two processes give out the same positions. */
export class PostgresLane implements LaneConnection {
  readonly #config: ClientConfig;
  readonly #positions: Positions;
  /** Finds again where the streams stand after the connection was lost: whether the last commit came through is unknown. */
  readonly #reload: () => Promise<void>;
  #client: Client | undefined;
  #session: PostgresSession | undefined;
  #inTransaction = false;

  constructor(config: ClientConfig, positions: Positions, reload: () => Promise<void>) {
    this.#config = config;
    this.#positions = positions;
    this.#reload = reload;
  }

  /** @throws StorageRefusedError when another process holds the lane */
  async connect(): Promise<PostgresSession> {
    const client = new Client(this.#config);
    const lose = () => {
      if (this.#client === client) {
        this.#session = undefined;
        this.#inTransaction = false;
      }
    };
    client.on('error', lose);
    client.on('end', lose);
    try {
      await client.connect();
      const session = new PostgresSession(client);
      await takeLock(session);
      this.#client = client;
      this.#session = session;
      return session;
    } catch (error) {
      await client.end().catch(() => undefined);
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#client?.end();
  }

  async begin(): Promise<void> {
    if (this.#session === undefined) await this.recover();
    await this.#current().command('BEGIN');
    this.#inTransaction = true;
  }

  async commit(): Promise<void> {
    const session = this.#current();
    this.#inTransaction = false;
    const command = await session.command('COMMIT');
    // A transaction in which a statement failed answers COMMIT with ROLLBACK, not with an error.
    if (command !== 'COMMIT') throw new StorageUnavailableError('the transaction was rolled back by the server');
  }

  async rollback(): Promise<void> {
    this.#inTransaction = false;
    await this.#current().command('ROLLBACK');
  }

  async savepoint(): Promise<void> {
    await this.#current().command('SAVEPOINT job');
  }

  async release(): Promise<void> {
    await this.#current().command('RELEASE SAVEPOINT job');
  }

  async rollbackToSavepoint(): Promise<void> {
    await this.#current().command('ROLLBACK TO SAVEPOINT job');
  }

  inTransaction(): boolean {
    return this.#inTransaction;
  }

  createTx(): LaneTx {
    return new PostgresWriteTx(this.#current(), this.#positions);
  }

  async recover(): Promise<void> {
    if (this.#session !== undefined) return;
    await this.connect();
    await this.#reload();
  }

  #current(): PostgresSession {
    if (this.#session === undefined) throw new StorageUnavailableError('the connection to PostgreSQL is lost');
    return this.#session;
  }
}

/** A session that ended without a word keeps its locks until the server notices. */
async function takeLock(session: PostgresSession): Promise<void> {
  for (let attempt = 1; attempt <= LOCK_ATTEMPTS_MAX; attempt++) {
    const { rows } = await session.execute('select pg_try_advisory_lock($1) as ok', [LANE_LOCK]);
    if (JSON.stringify(rows[0]) === '{"ok":1}') return;
    await delay(LOCK_RETRY_MS);
  }
  throw new StorageRefusedError('another process writes to this PostgreSQL database');
}
