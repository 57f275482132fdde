import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { forEachDatabase } from '../testing/databases.ts';
import {
  bulkInsert,
  clustered,
  compiledOnce,
  idColumn,
  idList,
  isUniqueViolation,
  type Migrations,
  StorageMisuseError,
  StorageRefusedError,
  StorageUnavailableError,
  type StreamDeclaration,
  textList,
  upsert,
} from './index.ts';

declare module './tables.ts' {
  interface Tables {
    test_notes: { nid?: number; text: string; position: number | null; body: Uint8Array | null };
    test_pairs: { a: string; b: number; value: string };
  }
}

const migrations: Migrations = {
  '9000_test_notes': {
    async up(db) {
      await db.schema
        .createTable('test_notes')
        .addColumn('nid', 'integer', idColumn)
        .addColumn('text', 'text', (column) => column.notNull().unique())
        .addColumn('position', 'integer')
        .addColumn('body', 'blob')
        .execute();
    },
  },
  '9001_test_pairs': {
    async up(db) {
      await db.schema
        .createTable('test_pairs')
        .addColumn('a', 'text', (column) => column.notNull())
        .addColumn('b', 'integer', (column) => column.notNull())
        .addColumn('value', 'text', (column) => column.notNull())
        .addPrimaryKeyConstraint('test_pairs_pk', ['a', 'b'])
        .modifyEnd(clustered)
        .execute();
    },
  },
};

const notes: StreamDeclaration = {
  name: 'notes',
  lane: 'main',
  async load(tx) {
    const row = await tx.db
      .selectFrom('test_notes')
      .select((eb) => eb.fn.max('position').as('last'))
      .executeTakeFirst();
    return row?.last ?? 0;
  },
};

const addNote = compiledOnce<{ text: string; position: number | null }>()((db, p) =>
  db.insertInto('test_notes').values({ text: p('text'), position: p('position'), body: null }),
);
const noteByText = compiledOnce<{ text: string }>()((db, p) =>
  db.selectFrom('test_notes').select(['nid', 'text', 'position']).where('text', '=', p('text')),
);
const notesByText = compiledOnce<{ texts: readonly string[] }>()((db, p) =>
  db.selectFrom('test_notes').select(['text']).where('text', 'in', p.texts('texts')).orderBy('nid'),
);
const countNotes = compiledOnce<object>()((db) =>
  db.selectFrom('test_notes').select((eb) => eb.fn.countAll<number>().as('count')),
);

const deps = { streams: [notes] };

forEachDatabase((name, open, createConfig) => {
  it('gives back numbers, text with any character and bytes as they were written', async () => {
    await using database = await open(migrations);
    const text = 'a\0b \uFFFF \u{1F600} \uFFFF0';
    const row = await database.write('main', (tx) =>
      tx.db
        .insertInto('test_notes')
        .values({ text, position: 2 ** 53 - 1, body: Uint8Array.of(0, 255, 7) })
        .returningAll()
        .executeTakeFirstOrThrow(),
    );
    assert.equal(row.text, text);
    assert.equal(row.position, 2 ** 53 - 1);
    assert.deepEqual([...(row.body ?? [])], [0, 255, 7]);
    assert.equal(typeof row.nid, 'number');
    assert.equal((await database.read((tx) => tx.find(noteByText, { text })))?.position, 2 ** 53 - 1);
  });

  it('runs queries compiled once with single values and lists', async () => {
    await using database = await open(migrations);
    const changed = await database.write('main', async (tx) => {
      await tx.change(addNote, { text: 'one', position: null });
      await tx.change(addNote, { text: 'two', position: null });
      return tx.change(addNote, { text: 'three', position: null });
    });
    assert.equal(changed, 1);
    const rows = await database.read((tx) => tx.run(notesByText, { texts: ['three', 'one', 'none'] }));
    assert.deepEqual(
      rows.map((row) => row.text),
      ['one', 'three'],
    );
    assert.equal(await database.read((tx) => tx.find(noteByText, { text: 'none' })), undefined);
  });

  it('takes lists far longer than the number of parameters a statement may have', async () => {
    await using database = await open(migrations);
    const count = 70_000;
    const rows = Array.from({ length: count }, (_, index) => ({ a: `key${index}`, b: index, value: 'x' }));
    await database.write('main', (tx) => bulkInsert(tx, 'test_pairs', rows));
    const byNumber = database.read((tx) =>
      tx.db
        .selectFrom('test_pairs')
        .select('b')
        .where('b', 'in', idList(rows.map((row) => row.b)))
        .execute(),
    );
    assert.equal((await byNumber).length, count);
    const byText = database.read((tx) =>
      tx.db
        .selectFrom('test_pairs')
        .select('b')
        .where('a', 'in', textList(rows.map((row) => row.a)))
        .execute(),
    );
    assert.equal((await byText).length, count);
  });

  it('upserts on the key, and ignores rows that are there when asked to', async () => {
    await using database = await open(migrations);
    await database.write('main', async (tx) => {
      await upsert(tx, 'test_pairs', { a: 'x', b: 1, value: 'old' }, ['a', 'b']);
      await upsert(tx, 'test_pairs', { a: 'x', b: 1, value: 'new' }, ['a', 'b']);
      await bulkInsert(
        tx,
        'test_pairs',
        [
          { a: 'x', b: 1, value: 'ignored' },
          { a: 'x', b: 2, value: 'added' },
        ],
        'ignore',
      );
    });
    const rows = await database.read((tx) => tx.db.selectFrom('test_pairs').select('value').orderBy('b').execute());
    assert.deepEqual(
      rows.map((row) => row.value),
      ['new', 'added'],
    );
  });

  it('undoes only the job that fails, and rejects only its caller', async () => {
    await using database = await open(migrations, deps);
    const outcomes = await Promise.allSettled(
      Array.from({ length: 10 }, (_, index) =>
        database.write('main', async (tx) => {
          await tx.change(addNote, { text: `note ${index}`, position: tx.nextPosition('notes') });
          if (index % 3 === 0) throw new RangeError(`job ${index}`);
          return index;
        }),
      ),
    );
    assert.deepEqual(
      outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : String(outcome.reason))),
      ['RangeError: job 0', 1, 2, 'RangeError: job 3', 4, 5, 'RangeError: job 6', 7, 8, 'RangeError: job 9'],
    );
    const rows = await database.read((tx) =>
      tx.db.selectFrom('test_notes').select(['text', 'position']).orderBy('position').execute(),
    );
    assert.deepEqual(
      rows.map((row) => row.text),
      [1, 2, 4, 5, 7, 8].map((index) => `note ${index}`),
    );
    assert.deepEqual(
      rows.map((row) => row.position),
      [1, 2, 3, 4, 5, 6],
    );
  });

  it('rejects a job in which a statement failed, even if the job caught the error', async () => {
    await using database = await open(migrations);
    await database.write('main', (tx) => tx.change(addNote, { text: 'same', position: null }));
    const good = database.write('main', (tx) => tx.change(addNote, { text: 'other', position: null }));
    const bad = database.write('main', async (tx) => {
      await tx.change(addNote, { text: 'same', position: null }).catch(() => 0);
      return 'went on';
    });
    await assert.rejects(bad, isUniqueViolation);
    await good;
    assert.equal((await database.read((tx) => tx.find(countNotes, {})))?.count, 2);
  });

  it('publishes positions after the commit and in order, and calls onCommit before the caller goes on', async () => {
    await using database = await open(migrations, deps);
    const heard: string[] = [];
    const jobs = Array.from({ length: 300 }, (_, index) =>
      database
        .write('main', async (tx) => {
          const position = tx.nextPosition('notes');
          await tx.change(addNote, { text: `note ${index}`, position });
          assert.ok(database.positions.current('notes') < position, 'not visible before the commit');
          tx.onCommit(() => {
            assert.ok(database.positions.current('notes') >= position);
            heard.push(`commit ${index}`);
          });
          return position;
        })
        .then((position) => {
          assert.ok(heard.includes(`commit ${index}`));
          return position;
        }),
    );
    assert.deepEqual(
      await Promise.all(jobs),
      Array.from({ length: 300 }, (_, index) => index + 1),
    );
    assert.deepEqual(
      heard,
      Array.from({ length: 300 }, (_, index) => `commit ${index}`),
    );
  });

  it('keeps one snapshot for a read while others commit', async () => {
    await using database = await open(migrations);
    const add = (text: string) => database.write('main', (tx) => tx.change(addNote, { text, position: null }));
    await add('first');
    const counts = await database.read(async (tx) => {
      const before = await tx.find(countNotes, {});
      await add('second');
      await add('third');
      const after = await tx.find(countNotes, {});
      const byBuilder = await tx.db.selectFrom('test_notes').select('text').execute();
      const inner = await database.read((other) => other.find(countNotes, {}));
      return [before?.count, after?.count, byBuilder.length, inner?.count];
    });
    assert.deepEqual(counts, [1, 1, 1, 3]);
    assert.equal((await database.read((tx) => tx.find(countNotes, {})))?.count, 3);
  });

  it('refuses a job that awaits anything but its tx, and goes on with the others', async () => {
    await using database = await open(migrations);
    const before = database.write('main', (tx) => tx.change(addNote, { text: 'before', position: null }));
    let late: Promise<unknown> | undefined;
    const bad = database.write('main', async (tx) => {
      await tx.change(addNote, { text: 'bad', position: null });
      await delay(20);
      late = tx.change(addNote, { text: 'late', position: null });
      await late;
    });
    const after = database.write('main', (tx) => tx.change(addNote, { text: 'after', position: null }));
    await assert.rejects(bad, StorageMisuseError);
    await Promise.all([before, after]);
    await delay(40);
    assert.ok(late);
    await assert.rejects(late, StorageMisuseError);
    const rows = await database.read((tx) => tx.db.selectFrom('test_notes').select('text').orderBy('nid').execute());
    assert.deepEqual(
      rows.map((row) => row.text),
      ['before', 'after'],
    );
  });

  it('refuses a read that goes on after its end', async () => {
    await using database = await open(migrations);
    const tx = await database.read(async (inner) => inner);
    await assert.rejects(async () => tx.find(countNotes, {}), StorageMisuseError);
  });

  it('lets writes that arrive together share commits', async () => {
    await using database = await open(migrations);
    assert.ok('batchCount' in database && typeof database.batchCount === 'number');
    const before = database.batchCount;
    await Promise.all(
      Array.from({ length: 256 }, (_, index) =>
        database.write('main', (tx) => tx.change(addNote, { text: `note ${index}`, position: null })),
      ),
    );
    assert.equal(database.batchCount - before, 2);
  });

  it('takes a write that arrives in the very turn in which the queue was seen empty', async () => {
    await using database = await open(migrations);
    for (let round = 0; round < 50; round++) {
      await database.write('main', (tx) => tx.change(addNote, { text: `note ${round}`, position: null }));
    }
    const chained = database
      .write('main', async (tx) => tx.onCommit(() => undefined))
      .then(() => database.write('main', async () => 'second'));
    assert.equal(await chained, 'second');
  });

  it('loads positions from the tables when it opens', async () => {
    const config = await createConfig();
    {
      await using database = await open(migrations, deps, config);
      await database.write('main', (tx) => tx.change(addNote, { text: 'x', position: tx.nextPosition('notes') }));
      await database.write('main', (tx) => tx.change(addNote, { text: 'y', position: tx.nextPosition('notes') }));
    }
    await using database = await open(migrations, deps, config);
    assert.equal(database.positions.current('notes'), 2);
    assert.equal(await database.write('main', async (tx) => tx.nextPosition('notes')), 3);
    assert.throws(() => database.positions.current('nothing'), StorageMisuseError);
  });

  it('applies each migration once, also one with a lower number that came later', async () => {
    const config = await createConfig();
    let runs = 0;
    const counted: Migrations = { '9002_test_counted': { up: async () => void runs++ } };
    await (await open(counted, {}, config))[Symbol.asyncDispose]();
    await (await open({ ...counted, ...migrations }, {}, config))[Symbol.asyncDispose]();
    await using database = await open({ ...migrations, ...counted }, {}, config);
    assert.equal(runs, 1);
    const rows = await database.read((tx) =>
      tx.db.selectFrom('schema_migrations').select('name').orderBy('name').execute(),
    );
    assert.deepEqual(
      rows.map((row) => row.name),
      ['9000_test_notes', '9001_test_pairs', '9002_test_counted'],
    );
  });

  it('refuses a database that is newer than the code', async () => {
    const config = await createConfig();
    await (await open({ ...migrations, '9999_test_future': { up: async () => undefined } }, {}, config))[
      Symbol.asyncDispose
    ]();
    await assert.rejects(open(migrations, {}, config), StorageRefusedError);
    // It is let go of all the same.
    await using _database = await open(
      { ...migrations, '9999_test_future': { up: async () => undefined } },
      {},
      config,
    );
  });

  it('leaves nothing of a migration that fails', async () => {
    const config = await createConfig();
    const failing: Migrations = {
      ...migrations,
      '9100_test_failing': {
        async up(db) {
          await db.schema.createTable('test_half').addColumn('x', 'integer').execute();
          throw new RangeError('half way');
        },
      },
    };
    await assert.rejects(open(failing, {}, config), /half way/);
    await using database = await open(migrations, {}, config);
    assert.equal((await database.read((tx) => tx.find(countNotes, {})))?.count, 0);
  });

  it('refuses a second process', { timeout: 20_000 }, async () => {
    const config = await createConfig();
    await using _database = await open(migrations, {}, config);
    await assert.rejects(open(migrations, {}, config), StorageRefusedError);
  });

  it('finishes what is queued when it closes, and refuses what comes after', async () => {
    const config = await createConfig();
    const database = await open(migrations, {}, config);
    const jobs = Array.from({ length: 200 }, (_, index) =>
      database.write('main', (tx) => tx.change(addNote, { text: `note ${index}`, position: null })),
    );
    const closing = database[Symbol.asyncDispose]();
    await assert.rejects(
      database.write('main', async () => 1),
      StorageUnavailableError,
    );
    await closing;
    await Promise.all(jobs);
    await assert.rejects(
      database.read(async () => 1),
      StorageUnavailableError,
    );
    await using again = await open(migrations, {}, config);
    assert.equal((await again.read((tx) => tx.find(countNotes, {})))?.count, 200);
  });

  it('finds nothing wrong with a sound database', async () => {
    await using database = await open(migrations);
    assert.deepEqual(await database.checkIntegrity(), [], name);
  });
});
