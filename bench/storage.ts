import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import { stateMigrations } from '../src/rooms/store/state-tables.ts';
import { StateTree } from '../src/rooms/store/state-tree.ts';
import { compiledOnce, idColumn, openDatabase, type WriteTx } from '../src/storage/index.ts';

// What the storage costs against better-sqlite3 alone, in the same run and on the same disk: node bench/storage.ts

declare module '../src/storage/tables.ts' {
  interface Tables {
    bench_notes: { nid?: number; text: string };
  }
}

const TEXT = 'x'.repeat(600);
const ROWS = 10_000;

const insert = compiledOnce<{ text: string }>()((db, p) => db.insertInto('bench_notes').values({ text: p('text') }));
const byNid = compiledOnce<{ nid: number }>()((db, p) =>
  db.selectFrom('bench_notes').select(['nid', 'text']).where('nid', '=', p('nid')),
);

/** Microseconds a call, the best of three rounds. */
async function measure(calls: number, work: (calls: number) => Promise<unknown> | unknown): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 3; round++) {
    const start = performance.now();
    await work(calls);
    best = Math.min(best, ((performance.now() - start) * 1_000) / calls);
  }
  return best;
}

const folder = await mkdtemp(join(tmpdir(), 'inglenook-bench-'));
try {
  const raw = new BetterSqlite3(join(folder, 'raw.db'));
  raw.pragma('journal_mode = WAL');
  raw.pragma('synchronous = FULL');
  raw.exec('create table bench_notes (nid integer primary key, text text not null)');
  const rawInsert = raw.prepare('insert into bench_notes (text) values (?)');
  const rawByNid = raw.prepare('select nid, text from bench_notes where nid = ?');

  await using database = await openDatabase(
    { dialect: 'sqlite', path: join(folder, 'ours.db') },
    {
      ...stateMigrations,
      '9040_bench_notes': {
        async up(db) {
          await db.schema
            .createTable('bench_notes')
            .addColumn('nid', 'integer', idColumn)
            .addColumn('text', 'text', (column) => column.notNull())
            .execute();
        },
      },
    },
    { clock: { now: () => 0 } },
  );
  const add = (tx: WriteTx) => tx.change(insert, { text: TEXT });
  const together = async (calls: number, at: number) => {
    for (let start = 0; start < calls; start += at) {
      await Promise.all(Array.from({ length: at }, () => database.write('main', add)));
    }
  };
  const rawTogether = (calls: number, at: number) => {
    for (let start = 0; start < calls; start += at) {
      raw.exec('BEGIN IMMEDIATE');
      for (let index = 0; index < at; index++) rawInsert.run(TEXT);
      raw.exec('COMMIT');
    }
  };

  const lines: [name: string, ours: number, raw: number][] = [];
  const compare = async (
    name: string,
    calls: number,
    ours: (calls: number) => Promise<unknown>,
    ceiling: (calls: number) => unknown,
  ) => {
    lines.push([name, await measure(calls, ours), await measure(calls, ceiling)]);
  };

  await compare(
    'write, 1 a commit',
    300,
    (calls) => together(calls, 1),
    (calls) => rawTogether(calls, 1),
  );
  await compare(
    'write, 100 at once',
    ROWS,
    (calls) => together(calls, 100),
    (calls) => rawTogether(calls, 100),
  );
  const rawReads = (calls: number) => {
    for (let nid = 1; nid <= calls; nid++) rawByNid.get(nid);
  };
  await compare(
    'read(), one row, compiled once',
    ROWS,
    async (calls) => {
      for (let nid = 1; nid <= calls; nid++) await database.read((tx) => tx.find(byNid, { nid }));
    },
    rawReads,
  );
  await compare(
    'read(), one row, builder',
    ROWS,
    async (calls) => {
      for (let nid = 1; nid <= calls; nid++) {
        await database.read((tx) =>
          tx.db.selectFrom('bench_notes').select(['nid', 'text']).where('nid', '=', nid).executeTakeFirst(),
        );
      }
    },
    rawReads,
  );
  for (const [name, ours, ceiling] of lines) {
    const ratio = (ours / ceiling).toFixed(2);
    console.log(
      `${name.padEnd(34)} ${ours.toFixed(1).padStart(8)} us   raw ${ceiling.toFixed(1).padStart(7)} us   x${ratio}`,
    );
  }

  const tree = new StateTree();
  const members = 10_000;
  const changes = 5_000;
  let root = await database.write('main', (tx) =>
    tree.build(
      tx,
      Array.from({ length: members }, (_, index) => [index + 1, index + 1_000_000] as const),
    ),
  );
  let lastRoot = root;
  const start = performance.now();
  for (let done = 0; done < changes; done += 100) {
    root = await database.write('main', async (tx) => {
      let next = root;
      for (let step = 1; step <= 100; step++) {
        lastRoot = next;
        next = await tree.update(tx, next, [[1 + ((done * 7 + step * 131) % members), 2_000_000 + done + step]]);
      }
      return next;
    });
  }
  const changeUs = ((performance.now() - start) * 1_000) / changes;
  const getUs = await measure(ROWS, async (calls) => {
    for (let key = 1; key <= calls; key++) await database.read((tx) => tree.get(tx, root, key));
  });
  const allMs =
    (await measure(5, async (calls) => {
      for (let call = 0; call < calls; call++) await database.read((tx) => tree.entries(tx, root));
    })) / 1_000;
  const diffUs = await measure(200, async (calls) => {
    for (let call = 0; call < calls; call++) await database.read((tx) => tree.diff(tx, lastRoot, root));
  });
  const rows = await database.read((tx) => tx.db.selectFrom('state_nodes').select('data').execute());
  const bytes = rows.reduce((sum, row) => sum + row.data.length + 8, 0);
  console.log(
    `state tree of ${members} members: change ${changeUs.toFixed(1)} us, get ${getUs.toFixed(1)} us, all ${allMs.toFixed(1)} ms, diff ${diffUs.toFixed(0)} us`,
  );
  console.log(`  ${Math.round(bytes / (members + changes))} bytes for each of ${members + changes} state events`);
  raw.close();
} finally {
  await rm(folder, { recursive: true, force: true });
}
