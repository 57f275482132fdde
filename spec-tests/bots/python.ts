/** Python with matrix-nio and its cryptography, in a virtual environment of its own. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** From 0.26 on its cryptography is vodozemac, whose wheels need nothing of the system. */
const VERSION = '0.26.0';

/** The Python of that environment, made at the first time; or why there is none on this machine. */
export async function findPython(): Promise<{ readonly python: string } | { readonly missing: string }> {
  const venv = path.join(homedir(), '.cache', 'inglenook', `nio-${VERSION}`);
  const python = path.join(venv, 'bin/python');
  if (existsSync(path.join(venv, 'complete'))) return { python };
  try {
    await run('python3', ['-c', 'import sys, venv, ensurepip; assert sys.version_info >= (3, 9)']);
  } catch {
    return { missing: 'needs python3, 3.9 or newer, with its venv module' };
  }
  try {
    await rm(venv, { recursive: true, force: true });
    await mkdir(path.dirname(venv), { recursive: true });
    await run('python3', ['-m', 'venv', venv]);
    await run(python, ['-m', 'pip', 'install', '--quiet', `matrix-nio[e2e]==${VERSION}`]);
    await run(python, ['-c', 'from nio.crypto import ENCRYPTION_ENABLED; assert ENCRYPTION_ENABLED']);
  } catch (error) {
    return { missing: `matrix-nio[e2e] ${VERSION} can't be installed: ${String(error).slice(-500)}` };
  }
  await writeFile(path.join(venv, 'complete'), '');
  return { python };
}
