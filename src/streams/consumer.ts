import { setTimeout as delay } from 'node:timers/promises';
import { type Database, type ReadTx, StorageUnavailableError, type WriteTx } from '../storage/index.ts';
import { Bell } from './bell.ts';
import type { ConsumerPace } from './consumer-pace.ts';
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
   * must bear repetition. Returns what is to be written together with the cursor, if anything: the cursor alone is written
   * only now and then, so that after a crash rows for which nothing was written may come again.
   */
  handle(rows: readonly Row[], signal: AbortSignal): Promise<((tx: WriteTx) => Promise<void>) | undefined>;
  readonly batchRowsMax?: number;
  /** Without it, news is read at once. */
  readonly pace?: ConsumerPace;
  readonly signal: AbortSignal;
}

const BATCH_ROWS_MAX = 100;
const BACKOFF_FIRST_MS = 100;
const BACKOFF_LAST_MS = 60_000;
/** A cursor that moved without work being written is itself written after so many positions, or after a quiet moment. */
const UNWRITTEN_POSITIONS_MAX = 1_000;
const QUIET_MS = 1_000;

/**
 * Follows a stream until `signal` aborts: in order, at least once, from where it was before a restart. A batch that fails is
 * tried again, ever more slowly; nothing is skipped.
 */
export async function runConsumer<Row extends { readonly position: number }>(
  consumer: Consumer<Row>,
  deps: ConsumerDeps,
): Promise<void> {
  const { signal, pace } = consumer;
  const wakeKey = consumer.wakeKey ?? `stream:${consumer.stream}`;
  const news = new Bell();
  const stopListening = deps.hub.listen(wakeKey, () => news.ring());
  const end = () => news.ring();
  signal.addEventListener('abort', end, { once: true });
  let position: Progress | undefined;
  let backoffMs = BACKOFF_FIRST_MS;
  while (!signal.aborted) {
    // Before the table is looked at: news that comes meanwhile must not be missed.
    news.reset();
    try {
      position ??= await startPosition(consumer, deps);
      const next = await runBatch(consumer, deps, position);
      backoffMs = BACKOFF_FIRST_MS;
      pace?.reach(next.done);
      if (next.done > position.done) {
        position = next;
      } else if (!signal.aborted) {
        position = await writtenAndWoken(news, next, consumer, deps);
        await pace?.gather(signal);
      }
    } catch (error) {
      if (signal.aborted) break;
      deps.log?.warn(
        { err: error, consumer: consumer.name, position: position?.done, backoffMs },
        'a consumer failed; it tries again',
      );
      await delay(backoffMs, undefined, { signal }).catch(() => undefined);
      backoffMs = Math.min(backoffMs * 2, BACKOFF_LAST_MS);
      // The cursor may or may not have been written.
      if (error instanceof StorageUnavailableError) position = undefined;
    }
  }
  signal.removeEventListener('abort', end);
  stopListening();
  // Where that fails, rows for which nothing was written come again.
  if (position !== undefined) await writeCursor(position, consumer, deps).catch(() => undefined);
}

/** How far a consumer is, and how far its cursor says. */
interface Progress {
  readonly done: number;
  readonly written: number;
}

async function startPosition<Row extends { readonly position: number }>(
  consumer: Consumer<Row>,
  { database, streams, cursors }: ConsumerDeps,
): Promise<Progress> {
  const known = await database.read((tx) => cursors.find(tx, consumer.name));
  if (known !== undefined) return { done: known, written: known };
  const first = consumer.startAt === 'now' ? streams.current(consumer.stream) : 0;
  await database.write('main', (tx) => cursors.set(tx, consumer.name, first));
  return { done: first, written: first };
}

/** @returns the new progress; the same position where there was nothing to do */
async function runBatch<Row extends { readonly position: number }>(
  consumer: Consumer<Row>,
  { database, streams, cursors }: ConsumerDeps,
  { done: from, written }: Progress,
): Promise<Progress> {
  const to = streams.current(consumer.stream);
  if (to <= from) return { done: from, written };
  const limit = consumer.batchRowsMax ?? BATCH_ROWS_MAX;
  const rows = await database.read((tx) => consumer.read(tx, from, to, limit));
  const last = rows.at(-1);
  // Positions without a row are done too: what was taken back, or is not for this consumer.
  const done = last === undefined || rows.length < limit ? to : last.position;
  const alsoWrite = rows.length === 0 ? undefined : await consumer.handle(rows, consumer.signal);
  if (alsoWrite === undefined && done - written < UNWRITTEN_POSITIONS_MAX) return { done, written };
  await database.write('main', async (tx) => {
    await alsoWrite?.(tx);
    await cursors.set(tx, consumer.name, done);
  });
  return { done, written: done };
}

/** Waits for news. Where none comes for a moment, a cursor that lags behind is written. */
async function writtenAndWoken<Row extends { readonly position: number }>(
  news: Bell,
  position: Progress,
  consumer: Consumer<Row>,
  deps: ConsumerDeps,
): Promise<Progress> {
  if (position.done === position.written) {
    await news.wait();
    return position;
  }
  if (await news.wait(QUIET_MS)) return position;
  return writeCursor(position, consumer, deps);
}

async function writeCursor<Row extends { readonly position: number }>(
  { done, written }: Progress,
  { name }: Consumer<Row>,
  { database, cursors }: ConsumerDeps,
): Promise<Progress> {
  if (done > written) await database.write('main', (tx) => cursors.set(tx, name, done));
  return { done, written: done };
}
