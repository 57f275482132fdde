/** The virtual environment in which the tests' Synapse lives: made once, below ~/.cache/inglenook. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const VERSION = '1.163.2';
const FOLDER = path.join(homedir(), '.cache', 'inglenook', `synapse-${VERSION}`);
const COMPLETE = path.join(FOLDER, 'complete');
const PYTHON = path.join(FOLDER, 'bin', 'python');
/** What Synapse asks for. */
const IS_NEW_ENOUGH = 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))';

/** The Python that runs Synapse. @throws where there is none yet */
export function synapsePython(): string {
  if (!existsSync(COMPLETE)) throw new Error('There is no Synapse here: npm run test:interop installs one');
  return PYTHON;
}

/** Installs Synapse from PyPI where that wasn't done before; takes a minute or two. @throws with what is missing */
export async function installSynapse(): Promise<void> {
  if (existsSync(COMPLETE)) return;
  await run('python3', ['-c', IS_NEW_ENOUGH]).catch(() => {
    throw new Error('Python 3.10 or newer with venv is needed: apt-get install python3 python3-venv');
  });
  console.log(`Installing Synapse ${VERSION} into ${FOLDER} …`);
  await rm(FOLDER, { recursive: true, force: true });
  await mkdir(path.dirname(FOLDER), { recursive: true });
  await run('python3', ['-m', 'venv', FOLDER]);
  await run(PYTHON, ['-m', 'pip', 'install', '--quiet', '--no-input', `matrix-synapse==${VERSION}`]).catch((error) => {
    throw new Error('Synapse could not be installed from PyPI (pypi.org, or what pip is configured for)', {
      cause: error,
    });
  });
  await writeFile(COMPLETE, '');
}
