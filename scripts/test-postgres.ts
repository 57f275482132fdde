/** `npm run test:postgres`: the tests of whatever stores something, on a real PostgreSQL, and one conversation on it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync } from 'node:fs';
import path from 'node:path';
import { startTestPostgres } from '../src/testing/postgres.ts';

const ROOT = path.join(import.meta.dirname, '..');
const FOLDERS = [
  'storage',
  'streams',
  'jobs',
  'accounts',
  'rooms',
  'devices',
  'media',
  'search',
  'delivery',
  'federation',
];

await using postgres = await startTestPostgres();
const files = FOLDERS.flatMap((folder) => globSync(`src/${folder}/**/*.test.ts`, { cwd: ROOT })).toSorted();
const args = ['--test', '--test-concurrency=2', '--test-timeout=180000', '--test-force-exit', ...files];
// Not synchronously: what PostgreSQL prints goes through this process.
const tests = spawn(process.execPath, args, {
  cwd: ROOT,
  stdio: 'inherit',
  env: { ...process.env, INGLENOOK_TEST_POSTGRES: postgres.url },
});
const [status] = await once(tests, 'exit');
process.exitCode = typeof status === 'number' ? status : 1;
