import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Database, Migrations, StreamDeclaration } from '../storage/index.ts';
import { forEachDatabase } from '../testing/databases.ts';
import { type Consumer, ConsumerPace, Cursors, Hub, runConsumer, Streams, streamsMigrations } from './index.ts';

declare module '../storage/tables.ts' {
  interface Tables {
    test_news: { position: number };
    test_done: { position: number };
  }
}

const migrations: Migrations = {
  ...streamsMigrations,
  '9010_test_news': {
    async up(db) {
      await db.schema
        .createTable('test_news')
        .addColumn('position', 'integer', (c) => c.primaryKey())
        .execute();
      await db.schema.createTable('test_done').addColumn('position', 'integer').execute();
    },
  },
};
const news: StreamDeclaration = {
  name: 'news',
  lane: 'main',
  async load(tx) {
    const row = await tx.db
      .selectFrom('test_news')
      .select((eb) => eb.fn.max('position').as('last'))
      .executeTakeFirst();
    return row?.last ?? 0;
  },
};

interface Row {
  readonly position: number;
}

forEachDatabase((_name, open, createConfig) => {
  const publish = (database: Database, hub: Hub, count = 1) =>
    database.write('main', async (tx) => {
      for (let index = 0; index < count; index++) {
        await tx.db
          .insertInto('test_news')
          .values({ position: tx.nextPosition('news') })
          .execute();
      }
      tx.onCommit(() => hub.wake(['stream:news']));
    });

  /** A consumer that stops when it has seen `untilPosition`. */
  const follow = (
    database: Database,
    hub: Hub,
    untilPosition: number,
    extra: Partial<Consumer<Row>> = {},
  ): { done: Promise<void>; batches: number[][] } => {
    const stop = new AbortController();
    const batches: number[][] = [];
    const consumer: Consumer<Row> = {
      name: 'test',
      stream: 'news',
      startAt: 'beginning',
      signal: stop.signal,
      read: (tx, from, to, limit) =>
        tx.db
          .selectFrom('test_news')
          .select('position')
          .where('position', '>', from)
          .where('position', '<=', to)
          .orderBy('position')
          .limit(limit)
          .execute(),
      async handle(rows) {
        batches.push(rows.map((row) => row.position));
        return async (tx) => {
          for (const row of rows) await tx.db.insertInto('test_done').values(row).execute();
          if ((rows.at(-1)?.position ?? 0) >= untilPosition) tx.onCommit(() => stop.abort());
        };
      },
      ...extra,
    };
    const deps = { database, hub, cursors: new Cursors(), streams: new Streams(database) };
    return { done: runConsumer(consumer, deps), batches };
  };

  const donePositions = async (database: Database) =>
    (await database.read((tx) => tx.db.selectFrom('test_done').select('position').execute())).map(
      (row) => row.position,
    );

  it('hands on what is there and what comes, in order, in bounded batches', async () => {
    await using database = await open(migrations, { streams: [news] });
    const hub = new Hub();
    await publish(database, hub, 5);
    const { done, batches } = follow(database, hub, 8, { batchRowsMax: 2 });
    for (let index = 0; index < 3; index++) await publish(database, hub);
    await done;
    assert.deepEqual(batches.flat(), [1, 2, 3, 4, 5, 6, 7, 8]);
    assert.ok(batches.every((batch) => batch.length <= 2));
  });

  it('goes on where it was after a restart', async () => {
    const config = await createConfig();
    const hub = new Hub();
    {
      await using database = await open(migrations, { streams: [news] }, config);
      await publish(database, hub, 3);
      await follow(database, hub, 3).done;
      await publish(database, hub, 2);
    }
    await using database = await open(migrations, { streams: [news] }, config);
    const { done, batches } = follow(database, hub, 5);
    await done;
    assert.deepEqual(batches.flat(), [4, 5]);
    assert.deepEqual(await donePositions(database), [1, 2, 3, 4, 5]);
  });

  it('tries a failed batch again, and writes its work once', async () => {
    await using database = await open(migrations, { streams: [news] });
    const hub = new Hub();
    await publish(database, hub, 4);
    let failures = 2;
    const seen: number[][] = [];
    const stop = new AbortController();
    const { done } = follow(database, hub, 4, {
      signal: stop.signal,
      async handle(rows) {
        seen.push(rows.map((row) => row.position));
        if (failures-- > 0) throw new RangeError('the other side is away');
        return async (tx) => {
          for (const row of rows) await tx.db.insertInto('test_done').values(row).execute();
          tx.onCommit(() => stop.abort());
        };
      },
    });
    await done;
    assert.deepEqual(seen, [
      [1, 2, 3, 4],
      [1, 2, 3, 4],
      [1, 2, 3, 4],
    ]);
    assert.deepEqual(await donePositions(database), [1, 2, 3, 4]);
  });

  it('starts with what comes from now on, where asked to', async () => {
    await using database = await open(migrations, { streams: [news] });
    const hub = new Hub();
    await publish(database, hub, 3);
    const { done, batches } = follow(database, hub, 4, { startAt: 'now' });
    const cursors = new Cursors();
    while ((await database.read((tx) => cursors.find(tx, 'test'))) === undefined) await new Promise(setImmediate);
    await publish(database, hub);
    await done;
    assert.deepEqual(batches, [[4]]);
  });

  it('writes a cursor without work only after a while, and when it ends', async () => {
    await using database = await open(migrations, { streams: [news] });
    const hub = new Hub();
    const cursors = new Cursors();
    const cursor = () => database.read((tx) => cursors.find(tx, 'test'));
    const stop = new AbortController();
    const seen: number[] = [];
    const { done } = follow(database, hub, 0, {
      signal: stop.signal,
      async handle(rows) {
        seen.push(...rows.map((row) => row.position));
        return undefined;
      },
    });
    await publish(database, hub, 3);
    while (seen.length < 3) await new Promise(setImmediate);
    assert.equal(await cursor(), 0);
    stop.abort();
    await done;
    assert.equal(await cursor(), 3);
  });

  it('lets news gather at its pace, and hurries for who waits', async () => {
    await using database = await open(migrations, { streams: [news] });
    const hub = new Hub();
    const pace = new ConsumerPace(600_000);
    const { done, batches } = follow(database, hub, 3, { pace });
    await pace.waitFor(0, 1_000);
    await publish(database, hub);
    await publish(database, hub);
    await pace.waitFor(2, 60_000);
    assert.deepEqual(batches.flat(), [1, 2]);
    await publish(database, hub);
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.deepEqual(batches.flat(), [1, 2], 'nobody waits for the third');
    await pace.waitFor(3, 60_000);
    await done;
    assert.deepEqual(batches.flat(), [1, 2, 3]);
    await pace.waitFor(4, 1);
  });
});
