/** `kill -9` while a file of another server is being fetched. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { network } from '../../src/testing/network.ts';
import { eventually } from '../../src/testing/room-client.ts';

const MAIN = path.join(import.meta.dirname, '../../src/main.ts');
const SIZE_BYTES = 40_000_000;

it('a copy that was cut off by kill -9 leaves nothing, and is fetched again', async () => {
  await using net = await network(2);
  const [one, two] = net.servers;
  assert(one !== undefined && two !== undefined);
  const alice = await one.server.register('alice');
  const bob = await two.server.register('bob');
  const bytes = randomBytes(SIZE_BYTES);
  const body = { token: alice.accessToken, body: bytes };
  const id: string = (await one.server.request('POST', '/_matrix/media/v3/upload', body)).body.content_uri.slice(6);
  const download = () => bob.request('GET', `/_matrix/client/v1/media/download/${id}`);
  for (const delayMs of [10, 30, 60, 100, 150, 250]) {
    const cut = download().catch(() => undefined);
    await sleep(delayMs);
    await two.server.kill();
    await cut;
    await two.server.restart();
    assert.deepEqual(await readdir(path.join(two.server.folder, 'media/incoming')), []);
    const config = path.join(two.server.folder, 'config.yaml');
    const { stdout } = await promisify(execFile)(process.execPath, [
      MAIN,
      'media',
      'verify',
      '--dry-run',
      '-c',
      config,
    ]);
    assert.match(stdout, / 0 orphans, 0 lost/);
  }
  // The other server may be left in peace for a moment, after a request that the last kill cut off.
  const fetched = await eventually(download, ({ status }) => status === 200);
  assert.ok(fetched.bytes.equals(bytes));
});
