/** `npm run test:interop`: makes sure that there is a Synapse, then runs the tests of this folder. */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { installSynapse } from './synapse-venv.ts';

try {
  await installSynapse();
  const script = path.join(import.meta.dirname, '../../scripts/test.mjs');
  const args = process.argv.slice(2);
  const { status } = spawnSync(process.execPath, [script, ...(args.length > 0 ? args : [import.meta.dirname])], {
    stdio: 'inherit',
  });
  process.exitCode = status ?? 1;
} catch (error) {
  console.error(error);
  process.exitCode = 1;
}
