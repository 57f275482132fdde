/**
 * Bundles the web client in the box with vite. It runs once, at install or at the first start: the result is kept under
 * a stamp of everything that it was made from, and made anew when that changes.
 */
import { createHash } from 'node:crypto';
import { cp, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { sdkPatches } from './sdk-patches.ts';

/** Where the bundle lies below the project's folder. */
const OUTPUT_FOLDER = '.cache/web';
const STAMP_FILE = 'stamp';
/** The path under which the client is served; vite writes it into the page. */
export const WEB_BASE_PATH = '/_web/';

/** The folder of the finished bundle. Builds it first if it isn't there or is out of date; takes about two seconds then. */
export async function ensureWebClient(projectFolder: string): Promise<string> {
  const source = path.join(projectFolder, 'src/web/client');
  const output = path.join(projectFolder, OUTPUT_FOLDER);
  const stamp = await stampOf(source);
  const isCurrent = async () => (await readIfThere(path.join(output, STAMP_FILE))) === stamp;
  if (await isCurrent()) return output;

  // Built beside and moved into place, so that a build that was killed is never taken for a finished one.
  const scratch = `${output}.${process.pid}.tmp`;
  await mkdir(path.dirname(output), { recursive: true });
  const { build } = await import('vite');
  await build({
    root: source,
    base: WEB_BASE_PATH,
    configFile: false,
    logLevel: 'error',
    plugins: [sdkPatches()],
    build: {
      outDir: scratch,
      emptyOutDir: true,
      assetsInlineLimit: 0,
      chunkSizeWarningLimit: 4096,
      modulePreload: { polyfill: false },
    },
  });
  const sdk = path.dirname(createRequire(import.meta.url).resolve('hydrogen-view-sdk'));
  await cp(path.join(sdk, 'sw.js'), path.join(scratch, 'sw.js'));
  await writeFile(path.join(scratch, STAMP_FILE), stamp);
  if (!(await isCurrent())) {
    await rm(output, { recursive: true, force: true });
    await rename(scratch, output).catch(async (error: unknown) => {
      if (!(await isCurrent())) throw error;
    });
  }
  // Another process may have been quicker; its bundle is as good as ours.
  await rm(scratch, { recursive: true, force: true });
  return output;
}

/** A digest of the page's sources, of how it is built, and of the versions of the packages that go into the bundle. */
async function stampOf(source: string): Promise<string> {
  const require = createRequire(import.meta.url);
  const hash = createHash('sha256');
  const recipe = ['build.ts', 'sdk-patches.ts'].map((name) => path.join(source, '..', name));
  const sources = (await readdir(source)).toSorted().map((name) => path.join(source, name));
  for (const file of [...recipe, ...sources]) {
    hash.update(path.relative(source, file)).update(await readFile(file));
  }
  for (const entry of ['hydrogen-view-sdk', '@matrix-org/olm', 'vite']) {
    hash.update(require.resolve(entry)).update(await packageVersion(require.resolve(entry)));
  }
  return hash.digest('hex');
}

/** The version in the package.json above a module's entry point. */
async function packageVersion(entryPoint: string): Promise<string> {
  let folder = path.dirname(entryPoint);
  while (folder !== path.dirname(folder)) {
    const manifest = await readIfThere(path.join(folder, 'package.json'));
    if (manifest !== undefined) return manifest;
    folder = path.dirname(folder);
  }
  return '';
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
