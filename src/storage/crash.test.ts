import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { sql } from 'kysely';
import { forEachDatabase } from '../testing/databases.ts';
import {
  type DatabaseConfig,
  type Migrations,
  StorageUnavailableError,
  type StreamDeclaration,
  type WriteTx,
} from './index.ts';

const CHILD = fileURLToPath(new URL('../testing/storage-crash-child.ts', import.meta.url));
const KILLS = 4;

const childMigrations: Migrations = { '9020_test_crash': { up: async () => undefined } };

const migrations: Migrations = {
  '9030_test_failures': {
    async up(db) {
      await sql`create table test_parents (id bigint primary key)`.execute(db);
      await sql`create table test_children (position bigint, text text,
        parent bigint references test_parents (id) deferrable initially deferred)`.execute(db);
    },
  },
};
const children: StreamDeclaration = {
  name: 'children',
  lane: 'main',
  async load(tx) {
    const { rows } = await sql<{ last: number | null }>`select max(position) as last from test_children`.execute(tx.db);
    return rows[0]?.last ?? 0;
  },
};

async function addChild(tx: WriteTx, parent: number | null, text = ''): Promise<number> {
  const position = tx.nextPosition('children');
  await sql`insert into test_children (position, parent, text) values (${position}, ${parent}, ${text})`.execute(tx.db);
  return position;
}

/** Runs the child until it has acknowledged some writes, kills it, and returns what it acknowledged. */
async function writeAndKill(config: DatabaseConfig, acknowledgedMin: number): Promise<number[]> {
  const child = spawn(process.execPath, [CHILD, JSON.stringify(config)], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  const exit = once(child, 'close');
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString('utf8');
    if (output.split('\n').length > acknowledgedMin) child.kill('SIGKILL');
  });
  await exit;
  assert.equal(child.signalCode, 'SIGKILL');
  return output.split('\n').slice(0, -1).map(Number);
}

forEachDatabase((name, open, createConfig) => {
  it('has everything that was acknowledged before kill -9, each time', { timeout: 60_000 }, async () => {
    const config = await createConfig();
    const acknowledged: number[] = [];
    for (let kill = 1; kill <= KILLS; kill++) {
      acknowledged.push(...(await writeAndKill(config, 150 * kill)));
      await using database = await open(childMigrations, {}, config);
      const { rows } = await database.read((tx) =>
        sql<{ number: number }>`select number from test_crash`.execute(tx.db),
      );
      const kept = new Set(rows.map((row) => row.number));
      assert.deepEqual(
        acknowledged.filter((number) => !kept.has(number)),
        [],
      );
      assert.deepEqual(await database.checkIntegrity(), []);
    }
  });

  it('rejects every job of a batch whose commit fails, takes back its positions, and goes on', async () => {
    await using database = await open(migrations, { streams: [children] });
    const heard: string[] = [];
    const jobs = [null, 12_345, null].map((parent) =>
      database.write('main', async (tx) => {
        tx.onCommit(() => heard.push('committed'));
        return addChild(tx, parent);
      }),
    );
    for (const outcome of await Promise.allSettled(jobs)) {
      assert.ok(outcome.status === 'rejected' && outcome.reason instanceof StorageUnavailableError);
    }
    assert.deepEqual(heard, []);
    assert.equal(database.positions.current('children'), 0);
    assert.equal(await database.write('main', (tx) => addChild(tx, null)), 1);
    assert.equal(database.positions.current('children'), 1);
  });

  it('rejects writes while there is no space, and goes on when there is', { skip: name !== 'sqlite' }, async () => {
    await using database = await open(migrations, { streams: [children] });
    const setPagesMax = (pages: number) =>
      database.write('main', async (tx) => void (await sql`pragma max_page_count = ${sql.lit(pages)}`.execute(tx.db)));
    await setPagesMax(20);
    const text = 'x'.repeat(3_000);
    const outcomes = await Promise.allSettled(
      Array.from({ length: 100 }, () => database.write('main', (tx) => addChild(tx, null, text))),
    );
    const failed = outcomes.filter((outcome) => outcome.status === 'rejected');
    assert.ok(failed.length > 0);
    for (const { reason } of failed) assert.ok(reason instanceof StorageUnavailableError, String(reason));
    const count = () =>
      database.read((tx) => sql<{ n: number }>`select count(*) as n from test_children`.execute(tx.db));
    assert.equal((await count()).rows[0]?.n, outcomes.length - failed.length);
    assert.deepEqual(await database.checkIntegrity(), []);
    await setPagesMax(1_000_000);
    const position = await database.write('main', (tx) => addChild(tx, null, text));
    assert.equal(position, outcomes.length - failed.length + 1);
    assert.equal(database.positions.current('children'), position);
  });

  it('connects again when the server ended its connection', { skip: name !== 'postgres' }, async () => {
    await using database = await open(migrations, { streams: [children] });
    await database.write('main', (tx) => addChild(tx, null));
    const killed = database.write('main', async (tx) => {
      await addChild(tx, null);
      await sql`select pg_terminate_backend(pg_backend_pid())`.execute(tx.db);
    });
    await assert.rejects(killed, StorageUnavailableError);
    assert.equal(await database.write('main', (tx) => addChild(tx, null)), 2);
    assert.equal(database.positions.current('children'), 2);
  });

  it('copies itself while writes go on', { skip: name !== 'sqlite' }, async () => {
    const config = await createConfig();
    const copy = await createConfig();
    assert.ok(copy.dialect === 'sqlite');
    await using database = await open(migrations, { streams: [children] }, config);
    const add = () => database.write('main', (tx) => addChild(tx, null, 'x'.repeat(500)));
    await Promise.all(Array.from({ length: 5_000 }, add));
    let isCopied = false;
    const copying = database.backup(copy.path).then(() => {
      isCopied = true;
    });
    // A copy that started again at each commit would never end.
    while (!isCopied) await Promise.all(Array.from({ length: 20 }, add));
    await copying;
    await using restored = await open(migrations, { streams: [children] }, copy);
    assert.ok(restored.positions.current('children') >= 5_000);
    assert.deepEqual(await restored.checkIntegrity(), []);
  });

  it('keeps the log short while much is written', { skip: name !== 'sqlite' }, async () => {
    const config = await createConfig();
    assert.ok(config.dialect === 'sqlite');
    await using database = await open(migrations, { streams: [children] }, config);
    const { stat } = await import('node:fs/promises');
    const text = 'x'.repeat(20_000);
    for (let round = 0; round < 200; round++) {
      await Promise.all(Array.from({ length: 20 }, () => database.write('main', (tx) => addChild(tx, null, text))));
    }
    const { size } = await stat(`${config.path}-wal`);
    assert.ok(size < 60e6, `80 MB written, ${size} bytes of log`);
  });
});
