import { setImmediate as nextTurn } from 'node:timers/promises';
import { asStorageError, StorageMisuseError, StorageUnavailableError } from './errors.ts';
import type { Positions } from './positions.ts';
import type { StorageLog, WriteTx } from './types.ts';
import type { WriterTx } from './writer-tx.ts';

/** Jobs in one commit. */
export const BATCH_JOBS_MAX = 128;
/** Jobs that wait; more are refused. */
export const QUEUE_JOBS_MAX = 20_000;

export type LaneTx = WriterTx & WriteTx;

/** The connection that a lane writes with. Methods may answer at once or with a promise. */
export interface LaneConnection {
  begin(): void | Promise<void>;
  commit(): void | Promise<void>;
  rollback(): void | Promise<void>;
  savepoint(): void | Promise<void>;
  release(): void | Promise<void>;
  rollbackToSavepoint(): void | Promise<void>;
  /** False once the engine has given up the whole transaction by itself, as SQLite does on a full disk. */
  inTransaction(): boolean;
  createTx(): LaneTx;
  /** After a failed commit or a lost connection: be ready for the next begin(). */
  recover(): void | Promise<void>;
}

interface Job {
  /** Runs the work; resolves with what to do once the changes are durable. Rejects if the work does. */
  readonly run: (tx: WriteTx) => Promise<() => void>;
  readonly reject: (error: unknown) => void;
}

interface Finished {
  readonly job: Job;
  readonly tx: LaneTx;
  readonly resolve: () => void;
}

/**
 * The one writer of a lane. Takes what is waiting, up to 128 jobs, runs each in a savepoint, commits them together, and
 * only then tells the callers.
 */
export class Writer {
  readonly #connection: LaneConnection;
  readonly #positions: Positions;
  readonly #log: StorageLog | undefined;
  #queue: Job[] = [];
  #isDraining = false;
  #isClosed = false;
  #drained: (() => void) | undefined;
  /** Rises with each batch, for tests and metrics. */
  batchCount = 0;

  constructor(connection: LaneConnection, positions: Positions, log: StorageLog | undefined) {
    this.#connection = connection;
    this.#positions = positions;
    this.#log = log;
  }

  /** Queues a job; see Database.write(). */
  write<T>(work: (tx: WriteTx) => Promise<T>): Promise<T> {
    if (this.#isClosed) return Promise.reject(new StorageUnavailableError('the database is closed'));
    if (this.#queue.length >= QUEUE_JOBS_MAX) {
      return Promise.reject(new StorageUnavailableError(`${QUEUE_JOBS_MAX} writes are waiting`));
    }
    return new Promise<T>((resolve, reject) => {
      this.#queue.push({
        run: async (tx) => {
          const value = await work(tx);
          return () => resolve(value);
        },
        reject,
      });
      if (!this.#isDraining) {
        this.#isDraining = true;
        // The check phase comes directly after the sockets were read: no delay, and all that they brought is in the batch.
        setImmediate(() => void this.#drain());
      }
    });
  }

  /** Refuses new jobs and resolves when those that wait are done. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (!this.#isDraining) return;
    await new Promise<void>((resolve) => {
      this.#drained = resolve;
    });
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0, BATCH_JOBS_MAX);
      await this.#runBatch(batch);
      // Sockets are read and timers run between two batches.
      if (this.#queue.length > 0) await nextTurn();
    }
    // In the same turn in which the queue was seen empty: a write in between would wait for ever.
    this.#isDraining = false;
    this.#drained?.();
  }

  /** Never throws: what happens to a batch is told to its jobs. */
  async #runBatch(batch: readonly Job[]): Promise<void> {
    this.batchCount++;
    const finished: Finished[] = [];
    let runCount = 0;
    try {
      await this.#connection.begin();
      for (const job of batch) {
        runCount++;
        await this.#runJob(job, finished, batch.length === 1);
      }
      if (finished.length > 0) await this.#connection.commit();
      else await this.#connection.rollback();
    } catch (error) {
      await this.#abandon(error, finished, batch.slice(runCount), runCount === 0);
      return;
    }
    const streams = new Set<string>();
    for (const { tx } of finished) for (const stream of tx.streams) streams.add(stream);
    this.#positions.publish(streams);
    for (const { tx } of finished) this.#callBack(tx);
    for (const { resolve } of finished) resolve();
  }

  /** Runs one job. Its failure is its own; throws only if the batch is lost. */
  async #runJob(job: Job, finished: Finished[], isAlone: boolean): Promise<void> {
    const tx = this.#connection.createTx();
    if (!isAlone) await this.#connection.savepoint();
    try {
      const resolve = await this.#supervise(job, tx);
      tx.end();
      tx.assertNothingFailed();
      if (!isAlone) await this.#connection.release();
      finished.push({ job, tx, resolve });
    } catch (error) {
      tx.end();
      tx.takeBackPositions();
      job.reject(asStorageError(error));
      if (!this.#connection.inTransaction()) throw error;
      if (!isAlone) {
        await this.#connection.rollbackToSavepoint();
        await this.#connection.release();
      }
    }
  }

  /** The job's outcome, or a refusal if it waits for anything but its transaction. */
  #supervise(job: Job, tx: LaneTx): Promise<() => void> {
    return new Promise((resolve, reject) => {
      let isSettled = false;
      const check = () => {
        if (isSettled || tx.pendingCount > 0) return;
        isSettled = true;
        reject(new StorageMisuseError('a write awaited something else than its tx; nobody holds the writer meanwhile'));
      };
      // When a turn has ended, all continuations of answered statements have run: a job that neither ended nor asked
      // anything new is waiting for something else.
      const immediates = new Set<NodeJS.Immediate>();
      const checkAfterTurn = () => {
        const immediate = setImmediate(() => {
          immediates.delete(immediate);
          check();
        });
        immediates.add(immediate);
      };
      const settle = () => {
        isSettled = true;
        for (const immediate of immediates) clearImmediate(immediate);
      };
      tx.watch(checkAfterTurn);
      checkAfterTurn();
      job.run(tx).then(
        (outcome) => {
          if (!isSettled) resolve(outcome);
          settle();
        },
        (error) => {
          if (!isSettled) reject(error);
          settle();
        },
      );
    });
  }

  /** The batch is lost: undo it, reject every job that seemed done, put the ones that never ran back in front. */
  async #abandon(
    error: unknown,
    finished: readonly Finished[],
    notRun: readonly Job[],
    isFirst: boolean,
  ): Promise<void> {
    try {
      if (this.#connection.inTransaction()) await this.#connection.rollback();
    } catch (rollbackError) {
      this.#log?.error({ err: rollbackError }, 'rollback failed');
    }
    const streams = new Set<string>();
    for (const { tx } of finished) for (const stream of tx.streams) streams.add(stream);
    this.#positions.discard(streams);
    const reason = asStorageError(error);
    this.#log?.error({ err: error, jobCount: finished.length }, 'a batch of writes was lost');
    const isUnavailable = reason instanceof StorageUnavailableError;
    for (const { job } of finished) {
      job.reject(isUnavailable ? reason : new StorageUnavailableError('the commit failed', { cause: error }));
    }
    if (isUnavailable || isFirst) {
      // The disk or the server is away: nobody gains by trying all of them in turn.
      for (const job of notRun) job.reject(reason);
    } else {
      this.#queue.unshift(...notRun);
    }
    try {
      await this.#connection.recover();
    } catch (recoverError) {
      this.#log?.error({ err: recoverError }, 'the writing connection could not be restored yet');
    }
  }

  #callBack(tx: LaneTx): void {
    for (const callback of tx.callbacks) {
      try {
        callback();
      } catch (error) {
        // The commit stands whatever a listener does.
        this.#log?.error({ err: error }, 'an onCommit callback threw');
      }
    }
  }
}
