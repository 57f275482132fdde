import { setTimeout as delay } from 'node:timers/promises';
import { type Database, type ReadTx, StorageUnavailableError, type WriteTx } from '../storage/index.ts';
import type { Cursors } from './cursors.ts';
import type { Hub } from './hub.ts';
import type { Streams } from './streams.ts';

export interface ConsumerDeps {
  readonly database: Database;
  readonly streams: Streams;
  readonly hub: Hub;
  readonly cursors: Cursors;
  readonly log?: { warn(fields: object, message: string): void };
}

/** A follower of a stream with a cursor in the database. */
export interface Consumer<Row extends { readonly position: number }> {
  /** Unique; the cursor is kept under it. */
  readonly name: string;
  readonly stream: string;
  /** The hub's key that is woken for the stream; default `stream:<name of the stream>`. */
  readonly wakeKey?: string;
  /** Where a consumer starts that never ran: with all there is, or with what comes from now on. */
  readonly startAt: 'beginning' | 'now';
  /** Rows after `from` up to `to`, in order, at most `limit`. Rows of one position must come together in a batch. */
  read(tx: ReadTx, from: number, to: number, limit: number): Promise<readonly Row[]>;
  /**
   * Does the work for a batch; may call the network. Called again with the same rows after a failure or a crash, so it
   * must bear repetition. Returns what is to be written together with the cursor, if anything.
   */
  handle(rows: readonly Row[], signal: AbortSignal): Promise<((tx: WriteTx) => Promise<void>) | undefined>;
  readonly batchRowsMax?: number;
  readonly signal: AbortSignal;
}

const BATCH_ROWS_MAX = 100;
const BACKOFF_FIRST_MS = 100;
const BACKOFF_LAST_MS = 60_000;

/**
 * Follows a stream until `signal` aborts: in order, at least once, from where it was before a restart. A batch that fails is
 * tried again, ever more slowly; nothing is skipped.
 */
export async function runConsumer<Row extends { readonly position: number }>(
  consumer: Consumer<Row>,
  deps: ConsumerDeps,
): Promise<void> {
  const { signal } = consumer;
  const wakeKey = consumer.wakeKey ?? `stream:${consumer.stream}`;
  let position: number | undefined;
  let backoffMs = BACKOFF_FIRST_MS;
  while (!signal.aborted) {
    // Before the table is looked at: news that comes meanwhile must not be missed.
    const waiting = new AbortController();
    const woken = deps.hub.once(wakeKey, AbortSignal.any([signal, waiting.signal]));
    try {
      position ??= await startPosition(consumer, deps);
      const next = await runBatch(consumer, deps, position);
      backoffMs = BACKOFF_FIRST_MS;
      if (next === position) await woken;
      position = next;
    } catch (error) {
      if (signal.aborted) return;
      deps.log?.warn({ err: error, consumer: consumer.name, position, backoffMs }, 'a consumer failed; it tries again');
      await delay(backoffMs, undefined, { signal }).catch(() => undefined);
      backoffMs = Math.min(backoffMs * 2, BACKOFF_LAST_MS);
      // The cursor may or may not have been written.
      if (error instanceof StorageUnavailableError) position = undefined;
    } finally {
      waiting.abort();
    }
  }
}

async function startPosition<Row extends { readonly position: number }>(
  consumer: Consumer<Row>,
  { database, streams, cursors }: ConsumerDeps,
): Promise<number> {
  const known = await database.read((tx) => cursors.find(tx, consumer.name));
  if (known !== undefined) return known;
  const first = consumer.startAt === 'now' ? streams.current(consumer.stream) : 0;
  await database.write('main', (tx) => cursors.set(tx, consumer.name, first));
  return first;
}

/** @returns the new position; the same where there was nothing to do */
async function runBatch<Row extends { readonly position: number }>(
  consumer: Consumer<Row>,
  { database, streams, cursors }: ConsumerDeps,
  from: number,
): Promise<number> {
  const to = streams.current(consumer.stream);
  if (to <= from) return from;
  const limit = consumer.batchRowsMax ?? BATCH_ROWS_MAX;
  const rows = await database.read((tx) => consumer.read(tx, from, to, limit));
  const last = rows.at(-1);
  // Positions without a row are done too: what was taken back, or is not for this consumer.
  const next = last === undefined || rows.length < limit ? to : last.position;
  const alsoWrite = rows.length === 0 ? undefined : await consumer.handle(rows, consumer.signal);
  await database.write('main', async (tx) => {
    await alsoWrite?.(tx);
    await cursors.set(tx, consumer.name, next);
  });
  return next;
}
