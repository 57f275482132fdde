import { writeSync } from 'node:fs';
import { sql } from 'kysely';
import { type DatabaseConfig, openDatabase } from '../storage/index.ts';

// A process to be killed: writes numbers as fast as it can and prints those that are acknowledged. For storage/crash.test.ts.
const config: DatabaseConfig = JSON.parse(process.argv[2] ?? '');
const database = await openDatabase(
  config,
  {
    '9020_test_crash': {
      up: async (db) => void (await sql`create table test_crash (number bigint primary key, text text)`.execute(db)),
    },
  },
  { clock: { now: () => 0 } },
);
const last = await database.read((tx) =>
  sql<{ n: number | null }>`select max(number) as n from test_crash`.execute(tx.db),
);
let number = last.rows[0]?.n ?? 0;

async function writeForEver(): Promise<void> {
  for (;;) {
    const mine = ++number;
    await database.write('main', async (tx) => {
      await sql`insert into test_crash (number, text) values (${mine}, ${'x'.repeat(500)})`.execute(tx.db);
    });
    writeSync(1, `${mine}\n`);
  }
}
await Promise.all(Array.from({ length: 50 }, writeForEver));
