// `npm run check`: type check and lint, without the tests.
import { spawnSync } from 'node:child_process';
import path from 'node:path';

const cwd = path.join(import.meta.dirname, '..');
const commands = [
  ['node_modules/typescript/bin/tsc', '-p', '.'],
  ['node_modules/typescript/bin/tsc', '-p', 'src/web/client', '--noEmit'],
  ['node_modules/@biomejs/biome/bin/biome', 'check', '--diagnostic-level=warn'],
];
const statuses = commands.map((args) => spawnSync(process.execPath, args, { cwd, stdio: 'inherit' }).status);
process.exitCode = statuses.every((status) => status === 0) ? 0 : 1;
