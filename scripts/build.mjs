// `npm run build`: dist/ for the Docker image, the npm package and the launcher. The server and the small modules it is
// made of become a few files: it starts faster and needs a third less memory than from its sources. Built beside and
// moved into place, so that a build that was killed is never taken for a finished one.
// `--server`: without the web client (0.4 s), for throw-away servers.
import { cpSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { rolldown } from 'rolldown';
import { ensureWebClient } from '../src/web/build.ts';

const ROOT = path.join(import.meta.dirname, '..');
const DIST = path.join(ROOT, 'dist');
const SCRATCH = `${DIST}.${process.pid}.tmp`;

const manifest = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'));
// What consists of many small modules that start with the server. All else stays a package: native, or loaded late.
const BUNDLED = new Set(['zod', 'kysely', 'lru-cache', 'find-my-way', 'commander', 'yaml', 'ipaddr.js', 'prom-client']);
// vite too, which only a checkout has: dist/ comes with the web client that it builds.
const names = Object.keys({ ...manifest.dependencies, ...manifest.devDependencies });
const packages = names.filter((name) => !BUNDLED.has(name));

const bundle = await rolldown({
  // Worker threads are files of their own, beside the code that starts them.
  input: {
    main: path.join(ROOT, 'src/main.ts'),
    'checkpoint-thread': path.join(ROOT, 'src/storage/sqlite/checkpoint-thread.ts'),
    'aside-thread': path.join(ROOT, 'src/storage/sqlite/aside-thread.ts'),
    'thumbnail-process': path.join(ROOT, 'src/media/thumbnails/thumbnail-process.ts'),
  },
  cwd: ROOT,
  platform: 'node',
  external: (id) => packages.some((name) => id === name || id.startsWith(`${name}/`)),
});
// Without comments and white space, for the text is kept in memory; names stay, so that a stack can be read.
await bundle.write({
  dir: SCRATCH,
  format: 'esm',
  sourcemap: true,
  minify: { mangle: false, compress: false, codegen: true },
});
await bundle.close();

cpSync(path.join(ROOT, 'src/web/pages'), path.join(SCRATCH, 'web/pages'), { recursive: true });
if (!process.argv.includes('--server')) {
  cpSync(await ensureWebClient(ROOT), path.join(SCRATCH, 'web/client'), { recursive: true });
}
writeFileSync(path.join(SCRATCH, 'stamp'), '');

rmSync(DIST, { recursive: true, force: true });
renameSync(SCRATCH, DIST);
