import assert from 'node:assert/strict';
import { it } from 'node:test';
import { z } from 'zod';
import type { Database } from '../storage/index.ts';
import { Hub } from '../streams/index.ts';
import { forEachDatabase } from '../testing/databases.ts';
import { Jobs, job, jobsMigrations } from './index.ts';
import { backoffMs } from './job.ts';

class TestClock {
  nowMs = 1_000_000;
  now(): number {
    return this.nowMs;
  }
}

/** Resolves each wait when `count` calls have been seen. */
class Counter {
  count = 0;
  #waiting: { count: number; resolve: () => void }[] = [];
  add(): void {
    this.count++;
    for (const { count, resolve } of this.#waiting) if (this.count >= count) resolve();
  }
  reached(count: number): Promise<void> {
    if (this.count >= count) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ count, resolve }));
  }
}

it('waits longer after each failure, with jitter, up to six hours', () => {
  assert.equal(backoffMs(1, 0.999_999), 5_000);
  assert.equal(backoffMs(1, 0), 2_500);
  assert.equal(backoffMs(3, 0), 10_000);
  assert.equal(backoffMs(60, 0.999_999_999), 6 * 3_600_000);
});

forEachDatabase((_name, open, createConfig) => {
  const setUp = (database: Database) => {
    const hub = new Hub();
    const clock = new TestClock();
    const warnings: string[] = [];
    const log = {
      warn: (_: object, text: string) => warnings.push(text),
      error: (_: object, text: string) => warnings.push(text),
    };
    const jobs = new Jobs({ database, hub, clock, log, random: () => 0 });
    const rows = () => database.read((tx) => tx.db.selectFrom('jobs').selectAll().orderBy('job_id').execute());
    /** Lets time pass and tells the runner. */
    const pass = (ms: number) => {
      clock.nowMs += ms;
      hub.wake(['jobs']);
    };
    /** Until the table has `count` rows; nothing else to wait for. */
    const settled = async (count: number) => {
      while ((await rows()).length !== count) await new Promise((resolve) => setTimeout(resolve, 2));
    };
    return { hub, clock, warnings, jobs, rows, pass, settled };
  };

  it('runs a job after the commit of its cause, and forgets it when done', async () => {
    await using database = await open(jobsMigrations);
    const { jobs, settled } = setUp(database);
    const ran = new Counter();
    const seen: unknown[] = [];
    jobs.declare(
      job({
        name: 'test.greet',
        payload: z.strictObject({ name: z.string() }),
        async handle(payload, { attempt }) {
          seen.push([payload.name, attempt]);
          ran.add();
        },
      }),
    );
    await using _runner = await jobs.start();
    const failing = database.write('main', async (tx) => {
      await jobs.enqueue(tx, 'test.greet', { name: 'nobody' });
      throw new RangeError('no cause');
    });
    await assert.rejects(failing, /no cause/);
    await database.write('main', (tx) => jobs.enqueue(tx, 'test.greet', { name: 'alice' }));
    await ran.reached(1);
    await settled(0);
    assert.deepEqual(seen, [['alice', 1]]);
  });

  it('refuses a payload of the wrong shape where it is enqueued', async () => {
    await using database = await open(jobsMigrations);
    const { jobs } = setUp(database);
    jobs.declare(
      job({ name: 'test.typed', payload: z.strictObject({ id: z.number() }), handle: async () => undefined }),
    );
    await assert.rejects(
      database.write('main', (tx) => jobs.enqueue(tx, 'test.typed', { id: 'one' })),
      z.ZodError,
    );
  });

  it('makes jobs that wait under one key one, with the last payload', async () => {
    await using database = await open(jobsMigrations);
    const { jobs, rows } = setUp(database);
    await database.write('main', async (tx) => {
      await jobs.enqueue(tx, 'test.key', { n: 1 }, { key: 'a', notBeforeMs: 5_000_000 });
      await jobs.enqueue(tx, 'test.key', { n: 2 }, { key: 'a', notBeforeMs: 4_000_000 });
      await jobs.enqueue(tx, 'test.key', { n: 3 }, { key: 'b' });
      await jobs.enqueue(tx, 'test.key', { n: 4 });
      await jobs.enqueue(tx, 'test.key', { n: 5 });
    });
    const all = await rows();
    assert.deepEqual(
      all.map((row) => row.payload),
      ['{"n":2}', '{"n":3}', '{"n":4}', '{"n":5}'],
    );
    assert.equal(all[0]?.not_before_ts, 4_000_000);
  });

  it('runs again what was enqueued under the same key while it ran, and never both at once', async () => {
    await using database = await open(jobsMigrations);
    const { jobs, settled } = setUp(database);
    const started = new Counter();
    const gate = Promise.withResolvers<void>();
    let running = 0;
    const seen: number[] = [];
    jobs.declare(
      job({
        name: 'test.once',
        payload: z.strictObject({ n: z.number() }),
        async handle({ n }) {
          assert.equal(++running, 1);
          seen.push(n);
          started.add();
          await gate.promise;
          running--;
        },
      }),
    );
    await using _runner = await jobs.start();
    await database.write('main', (tx) => jobs.enqueue(tx, 'test.once', { n: 1 }, { key: 'k' }));
    await started.reached(1);
    await database.write('main', (tx) => jobs.enqueue(tx, 'test.once', { n: 2 }, { key: 'k' }));
    gate.resolve();
    await settled(0);
    assert.deepEqual(seen, [1, 2]);
  });

  it('runs nothing before its time', async () => {
    await using database = await open(jobsMigrations);
    const { jobs, clock, pass, settled, rows } = setUp(database);
    const ran = new Counter();
    jobs.declare(job({ name: 'test.later', payload: z.object({}), handle: async () => ran.add() }));
    await using _runner = await jobs.start();
    const notBeforeMs = clock.nowMs + 10_000;
    await database.write('main', (tx) => jobs.enqueue(tx, 'test.later', {}, { notBeforeMs }));
    pass(9_999);
    await rows();
    assert.equal(ran.count, 0);
    pass(1);
    await ran.reached(1);
    await settled(0);
  });

  it('tries again after a failure, later each time, and in the end keeps it as dead', async () => {
    await using database = await open(jobsMigrations);
    const { jobs, pass, rows, warnings } = setUp(database);
    const ran = new Counter();
    jobs.declare(
      job({
        name: 'test.fails',
        payload: z.object({}),
        attemptsMax: 3,
        async handle() {
          ran.add();
          throw new RangeError('never works');
        },
      }),
    );
    await using _runner = await jobs.start();
    await database.write('main', (tx) => jobs.enqueue(tx, 'test.fails', {}));
    for (let attempt = 1; attempt <= 3; attempt++) {
      await ran.reached(attempt);
      while ((await rows())[0]?.attempts !== attempt || (await rows())[0]?.lease_until_ts !== 0) {
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
      pass(2_500 * 2 ** (attempt - 1));
    }
    const [row] = await rows();
    assert.equal(row?.is_dead, 1);
    assert.equal(row?.last_error, 'RangeError: never works');
    assert.deepEqual(warnings, ['a job failed', 'a job failed', 'a job was given up']);
  });

  it('gives up on a job that takes too long, and tells it', async () => {
    await using database = await open(jobsMigrations);
    const { jobs, rows } = setUp(database);
    const aborted = Promise.withResolvers<void>();
    jobs.declare(
      job({
        name: 'test.slow',
        payload: z.object({}),
        timeoutMs: 20,
        handle: (_, { signal }) =>
          new Promise(() => signal.addEventListener('abort', () => aborted.resolve(), { once: true })),
      }),
    );
    await using _runner = await jobs.start();
    await database.write('main', (tx) => jobs.enqueue(tx, 'test.slow', {}));
    await aborted.promise;
    while ((await rows())[0]?.last_error === null) await new Promise((resolve) => setTimeout(resolve, 2));
    assert.match((await rows())[0]?.last_error ?? '', /too long/);
  });

  it('runs what a dead process had leased, and stops without counting an attempt', async () => {
    const config = await createConfig();
    {
      await using database = await open(jobsMigrations, {}, config);
      const { jobs } = setUp(database);
      await database.write('main', async (tx) => {
        await jobs.enqueue(tx, 'test.resumed', {});
        await tx.db.updateTable('jobs').set({ lease_until_ts: 9_000_000_000, attempts: 1 }).execute();
      });
    }
    await using database = await open(jobsMigrations, {}, config);
    const { jobs, rows } = setUp(database);
    const attempts: number[] = [];
    const started = new Counter();
    jobs.declare(
      job({
        name: 'test.resumed',
        payload: z.object({}),
        handle: (_, { attempt, signal }) => {
          attempts.push(attempt);
          started.add();
          return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
        },
      }),
    );
    const runner = await jobs.start();
    await started.reached(1);
    await runner[Symbol.asyncDispose]();
    assert.deepEqual(attempts, [2]);
    assert.deepEqual(
      (await rows()).map((row) => [row.attempts, row.lease_until_ts, row.is_dead]),
      [[1, 0, 0]],
    );
  });

  it('repeats a periodic job, also after a failure, and keeps one of it over restarts', async () => {
    await using database = await open(jobsMigrations);
    const { jobs, pass, rows, clock } = setUp(database);
    const ran = new Counter();
    jobs.declare(
      job({
        name: 'test.periodic',
        payload: z.object({}),
        everyMs: 60_000,
        attemptsMax: 1,
        async handle() {
          ran.add();
          if (ran.count === 2) throw new RangeError('once');
        },
      }),
    );
    for (let start = 0; start < 2; start++) await (await jobs.start())[Symbol.asyncDispose]();
    assert.equal((await rows()).length, 1);
    await using _runner = await jobs.start();
    for (let round = 1; round <= 4; round++) {
      pass(60_000);
      await ran.reached(round);
      while ((await rows())[0]?.lease_until_ts !== 0 || ((await rows())[0]?.not_before_ts ?? 0) <= clock.nowMs) {
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    }
    assert.equal((await rows()).length, 1);
  });
});
