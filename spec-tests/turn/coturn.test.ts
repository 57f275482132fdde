/** TURN credentials against a real coturn (Debian: `apt-get install coturn`). Not part of `npm test`: `npm run test:turn`. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, TestServer } from '../../src/testing/test-server.ts';
import type { TestUser } from '../../src/testing/test-user.ts';
import { type AllocateOutcome, allocate } from './turn-client.ts';

const SECRET = 'a secret between two servers';
const isInstalled = spawnSync('turnserver', ['--version']).error === undefined;
const START_ATTEMPTS_MAX = 100;

describe('coturn', { skip: isInstalled ? false : 'turnserver is not installed: apt-get install coturn' }, () => {
  const cleanUp = new AsyncDisposableStack();
  let server: { host: string; port: number };
  let hs: TestServer;
  let alice: TestUser;
  before(async () => {
    server = { host: '127.0.0.1', port: await freePort() };
    const options = {
      'listening-ip': server.host,
      'relay-ip': server.host,
      'listening-port': server.port,
      'static-auth-secret': SECRET,
      realm: 'example.org',
      'log-file': 'stdout',
    };
    const flags = ['-n', '--use-auth-secret', '--no-tls', '--no-dtls', '--no-cli', '--pidfile=/dev/null'];
    const args = [...flags, ...Object.entries(options).map(([key, value]) => `--${key}=${value}`)];
    const coturn = spawn('turnserver', args, { stdio: 'ignore' });
    cleanUp.defer(async () => {
      const exited = once(coturn, 'exit');
      if (coturn.kill('SIGKILL')) await exited;
    });
    const uris = [`turn:${server.host}:${server.port}?transport=udp`];
    hs = cleanUp.use(
      await TestServer.start({ inProcess: true, config: { calls: { turn: { uris, shared_secret: SECRET } } } }),
    );
    alice = await hs.register('alice');
    await answering();
  });
  after(() => cleanUp.disposeAsync());

  /** Waits until coturn answers at all. */
  async function answering(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await allocate(server, { username: 'x', password: 'x' });
        return;
      } catch (error) {
        if (attempt >= START_ATTEMPTS_MAX) throw error;
        await sleep(50);
      }
    }
  }

  const isAllocated = (outcome: AllocateOutcome) => 'relayedPort' in outcome && outcome.relayedPort > 0;

  it('makes an allocation with the credentials that a user gets from us', async () => {
    const { body } = await alice.request('GET', '/_matrix/client/v3/voip/turnServer');
    assert.deepEqual(body.uris, [`turn:${server.host}:${server.port}?transport=udp`]);
    const outcome = await allocate(server, body);
    assert.ok(isAllocated(outcome), JSON.stringify(outcome));
  });

  it('refuses other credentials: of another secret, spoilt, or expired', async () => {
    const { username, password } = (await alice.request('GET', '/_matrix/client/v3/voip/turnServer')).body;
    const refused = { refusedWith: 401 };
    assert.deepEqual(await allocate(server, { username, password: `${password.slice(0, -2)}A=` }), refused);
    assert.deepEqual(await allocate(server, { username: `${username}x`, password }), refused);
    const calls = { turn: { uris: ['turn:x'], shared_secret: 'another secret' } };
    await using other = await TestServer.start({ inProcess: true, config: { calls } });
    const bob = await other.register('bob');
    assert.deepEqual(
      await allocate(server, (await bob.request('GET', '/_matrix/client/v3/voip/turnServer')).body),
      refused,
    );
    const turn = { uris: ['turn:x'], shared_secret: SECRET, credentials_lifetime: '1m' };
    const clock = { now: () => Date.now() - 3_600_000 };
    await using late = await TestServer.start({ inProcess: true, config: { calls: { turn } }, clock });
    const carol = await late.register('carol');
    assert.deepEqual(
      await allocate(server, (await carol.request('GET', '/_matrix/client/v3/voip/turnServer')).body),
      refused,
    );
  });
});
