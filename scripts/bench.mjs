// `npm run bench`: every micro-benchmark in bench/, one after the other. They print ratios to a ceiling of the same run.
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import path from 'node:path';

const ROOT = path.join(import.meta.dirname, '..');
const HELPERS = /-server\.ts$/;

for (const file of globSync('bench/*.ts', { cwd: ROOT }).toSorted()) {
  if (HELPERS.test(file)) continue;
  console.log(`\n== ${file}`);
  const { status } = spawnSync(process.execPath, [file], { cwd: ROOT, stdio: 'inherit' });
  if (status !== 0) process.exitCode = 1;
}
