import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

const MAIN = path.join(import.meta.dirname, '../main.ts');
const START_TIMEOUT_MS = 20_000;

let folder: string;

function launch(args: readonly string[]) {
  return spawn(process.execPath, [MAIN, ...args], { cwd: folder, stdio: 'pipe' });
}

async function inglenook(args: readonly string[], input = '') {
  const child = launch(args);
  child.stdin.end(input);
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  return { code: child.exitCode, stdout, stderr };
}

async function write(name: string, content: string): Promise<string> {
  await writeFile(path.join(folder, name), content);
  return name;
}

/** Starts the server and waits for the last line of its greeting. */
async function startServer(config: string) {
  const child = launch(['start', '-c', config]);
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  child.stdout.resume();
  const deadline = performance.now() + START_TIMEOUT_MS;
  while (!said.includes('Next: ')) {
    if (child.exitCode !== null || performance.now() > deadline) assert.fail(`no greeting: ${said}`);
    await sleep(20);
  }
  return { child, said };
}

describe('the command line', { concurrency: false }, () => {
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'inglenook-cli-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('ends with 2 and the place of each mistake where the configuration is wrong, and starts nothing', async () => {
    const file = await write('bad.yaml', 'server:\n  nam: x\nlisteners:\n  - port: eight\n');
    const { code, stderr } = await inglenook(['start', '-c', file]);
    assert.equal(code, 2);
    assert.match(stderr, /^bad\.yaml:2:3: server\.nam: is not a setting; did you mean name\?/);
    assert.match(stderr, /^bad\.yaml:4:11: listeners\[0\]\.port: expected a number$/m);
    await assert.rejects(readFile(path.join(folder, 'data/signing.key')), { code: 'ENOENT' });
  });

  it('ends with 2 for an unknown command or option', async () => {
    assert.equal((await inglenook(['start', '--fast'])).code, 2);
    assert.equal((await inglenook(['user', 'frobnicate'])).code, 2);
  });

  it('ends with 2 and one line where the file is not there', async () => {
    const { code, stderr } = await inglenook(['config', 'check', 'nowhere.yaml']);
    assert.equal(code, 2);
    assert.match(stderr, /^nowhere\.yaml:1:1: cannot be read: ENOENT.*\n$/);
  });

  it('checks a good configuration', async () => {
    const file = await write('good.yaml', 'server: { name: example.org }\n');
    assert.deepEqual(await inglenook(['config', 'check', file]), {
      code: 0,
      stdout: 'good.yaml is good.\n',
      stderr: '',
    });
  });

  it('explains a setting, and knows what was meant', async () => {
    const { stdout } = await inglenook(['config', 'explain', 'listeners[0].port']);
    assert.match(stdout, /from 0 to 65535/);
    const { code, stderr } = await inglenook(['config', 'explain', 'server.nmae']);
    assert.deepEqual([code, stderr], [1, 'server.nmae is not a setting; did you mean server.name?\n']);
  });

  it('makes a signing key, but never over another one', async () => {
    assert.equal((await inglenook(['generate-key', 'new.key'])).code, 0);
    const key = await readFile(path.join(folder, 'new.key'), 'utf8');
    assert.match(key, /^ed25519 a_\w+ [A-Za-z0-9+/]{43}\n$/);
    assert.equal((await inglenook(['generate-key', 'new.key'])).code, 1);
    assert.equal(await readFile(path.join(folder, 'new.key'), 'utf8'), key);
  });

  it('looks after accounts while no server runs and while one does; SIGTERM ends it with 0', async () => {
    const config = await write('run.yaml', 'listeners: [{ port: 0, addresses: [127.0.0.1] }]\n');
    const password = ['--password-stdin', '-c', config];
    const first = await inglenook(['user', 'create', 'alice', '--admin', ...password], 'correct horse\n');
    assert.deepEqual(first, { code: 0, stdout: '@alice:localhost was made, an administrator.\n', stderr: '' });

    const { child, said } = await startServer(config);
    assert.match(said, /^Inglenook \S+ runs as localhost\n {2}http:\/\/127\.0\.0\.1:\d+ /);
    assert.equal((await inglenook(['user', 'create', 'bob', ...password], 'battery staple')).code, 0);
    const taken = await inglenook(['user', 'create', 'bob', ...password], 'battery staple');
    assert.equal(taken.code, 1);
    assert.match(taken.stderr, /taken|in use|exists/i);
    const list = await inglenook(['user', 'list', '-c', config]);
    assert.equal(list.stdout, '@alice:localhost  administrator\n@bob:localhost\n');

    const base = /http:\S+/.exec(said)?.[0];
    await inglenook(['user', 'set-password', 'bob', ...password], 'new battery');
    const identifier = { type: 'm.id.user', user: 'bob' };
    const login = await fetch(`${base}/_matrix/client/v3/login`, {
      method: 'POST',
      body: JSON.stringify({ type: 'm.login.password', identifier, password: 'new battery' }),
    });
    assert.equal(login.status, 200);

    child.kill('SIGTERM');
    const [code] = await once(child, 'exit');
    assert.equal(code, 0);
  });

  it('refuses the data of a server with another name', async () => {
    const config = await write('one.yaml', 'server: { name: one.example, data_folder: one }\n');
    await inglenook(['user', 'create', 'alice', '--password-stdin', '-c', config], 'correct horse\n');
    await write('two.yaml', 'server: { name: two.example, data_folder: one }\n');
    const { code, stderr } = await inglenook(['start', '-c', 'two.yaml']);
    assert.equal(code, 1);
    assert.match(stderr, /^The data is that of the server one\.example, but server\.name is two\.example\..*\n$/);
  });

  it('says in one line that the port is taken', async () => {
    const config = await write('first.yaml', 'listeners: [{ port: 0, addresses: [127.0.0.1] }]\n');
    const { child, said } = await startServer(config);
    const port = /127\.0\.0\.1:(\d+)/.exec(said)?.[1];
    const second = await write(
      'second.yaml',
      `server: { data_folder: other }\nlisteners: [{ port: ${port}, addresses: [127.0.0.1] }]\n`,
    );
    const { code, stderr } = await inglenook(['start', '-c', second]);
    assert.equal(code, 1);
    assert.match(stderr, /^listen EADDRINUSE.*\n$/);
    child.kill('SIGINT');
    assert.deepEqual(await once(child, 'exit'), [0, null]);
  });
});
