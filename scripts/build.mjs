// `npm run build`: dist/ for the Docker image and the npm package: plain JavaScript, the web pages and the web client.
import { spawnSync } from 'node:child_process';
import { cpSync, rmSync } from 'node:fs';
import path from 'node:path';

const ROOT = path.join(import.meta.dirname, '..');
const DIST = path.join(ROOT, 'dist');

rmSync(DIST, { recursive: true, force: true });
const tsc = ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'];
const { status } = spawnSync(process.execPath, tsc, { cwd: ROOT, stdio: 'inherit' });
if (status !== 0) process.exit(status ?? 1);
cpSync(path.join(ROOT, 'src/web/pages'), path.join(DIST, 'web/pages'), { recursive: true });
