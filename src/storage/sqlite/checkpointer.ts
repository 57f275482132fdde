import { stat } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import type { StorageLog } from '../types.ts';
import type { SqliteConnection } from './connection.ts';
import { endWorker } from './end-worker.ts';

/** Commits between two looks at the log's size. */
const LOOK_EVERY_COMMITS = 32;
/** From here on the thread copies the log into the database. */
const WAL_BYTES_SOFT = 8 * 1024 * 1024;
/** What the thread may leave for the writer's own short checkpoint, which lets the log start again from its beginning. */
const REST_PAGES_MAX = 500;
const WORKER_IDLE_MS = 30_000;

/**
 * Copies the write-ahead log into the database file in a worker thread, so that no commit waits for it. While the thread
 * copies, the log grows; when little is left, the writer's connection copies the rest between two batches.
 */
export class Checkpointer {
  readonly #path: string;
  readonly #connection: SqliteConnection;
  readonly #log: StorageLog | undefined;
  #worker: Worker | undefined;
  #idleTimer: NodeJS.Timeout | undefined;
  #commitCount = 0;
  #looking: Promise<void> | undefined;
  #isClosed = false;

  constructor(path: string, connection: SqliteConnection, log: StorageLog | undefined) {
    this.#path = path;
    this.#connection = connection;
    this.#log = log;
  }

  /** Called after each commit; cheap. */
  committed(): void {
    this.#commitCount++;
    if (this.#commitCount % LOOK_EVERY_COMMITS === 0 && this.#looking === undefined && !this.#isClosed) {
      this.#looking = this.#look().finally(() => {
        this.#looking = undefined;
      });
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#idleTimer);
    await this.#looking;
    await endWorker(this.#worker);
  }

  async #look(): Promise<void> {
    try {
      const { size } = await stat(`${this.#path}-wal`);
      if (size < WAL_BYTES_SOFT || this.#isClosed) return;
      const rest = await this.#copyInThread();
      if (!this.#isClosed && rest <= REST_PAGES_MAX && !this.#connection.raw.inTransaction) {
        this.#connection.raw.pragma('wal_checkpoint(PASSIVE)');
      }
    } catch (error) {
      this.#log?.warn({ err: error }, 'a checkpoint failed; the next one makes up for it');
    }
  }

  /** @returns how many pages of the log are not yet in the database */
  async #copyInThread(): Promise<number> {
    clearTimeout(this.#idleTimer);
    const worker = this.#worker ?? this.#startWorker();
    const rest = await new Promise<number>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
      worker.once('exit', () => reject(new Error('the checkpoint thread ended')));
      worker.postMessage('checkpoint');
    });
    worker.removeAllListeners('error');
    worker.removeAllListeners('exit');
    this.#idleTimer = setTimeout(() => {
      this.#worker = undefined;
      void endWorker(worker);
    }, WORKER_IDLE_MS);
    this.#idleTimer.unref();
    return rest;
  }

  #startWorker(): Worker {
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    const worker = new Worker(new URL(`./checkpoint-thread.${extension}`, import.meta.url), { workerData: this.#path });
    worker.unref();
    this.#worker = worker;
    return worker;
  }
}
