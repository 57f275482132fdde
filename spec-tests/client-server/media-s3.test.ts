/** Files in an object store: moto's server (PyPI moto[server]), where INGLENOOK_TEST_MOTO names its program. */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { it } from 'node:test';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { TestServer } from '../../src/testing/test-server.ts';

const MOTO = process.env.INGLENOOK_TEST_MOTO ?? '';
const MAIN = path.join(import.meta.dirname, '../../src/main.ts');
const skip = existsSync(MOTO) ? false : 'INGLENOOK_TEST_MOTO does not name moto_server';

it('serves files from an object store, and brings them home', { skip }, async () => {
  await using parts = new AsyncDisposableStack();
  const endpoint = await startMoto(parts);
  const s3 = { endpoint, region: 'us-east-1', access_key_id: 'test', secret_access_key: 'test', prefix: 'media/' };
  await using hs = await TestServer.start({ config: { media: { store: 's3', s3 } } });
  const alice = await hs.register('alice');
  const { accessToken: token } = alice;
  const upload = async (body: Buffer): Promise<string> => {
    const answer = await hs.request('POST', '/_matrix/media/v3/upload', { token, body });
    return answer.body.content_uri.slice('mxc://'.length);
  };
  const get = (mxc: string, headers = {}) =>
    hs.request('GET', `/_matrix/client/v1/media/download/${mxc}`, { token, headers });
  const bytes = randomBytes(12_000_000);
  const photo = await sharp({ create: { width: 600, height: 500, channels: 3, background: '#abc' } })
    .jpeg()
    .toBuffer();
  const [large, picture] = [await upload(bytes), await upload(photo)];
  assert.ok((await get(large)).bytes.equals(bytes));
  const part = await get(large, { range: 'bytes=9000000-9000999' });
  assert.deepEqual([part.status, part.bytes.equals(bytes.subarray(9_000_000, 9_001_000))], [206, true]);
  const thumbnail = `/_matrix/client/v1/media/thumbnail/${picture}?width=96&height=96`;
  assert.equal((await alice.request('GET', thumbnail)).status, 200);
  assert.equal(await countLocalFiles(hs), 0);

  await hs.kill();
  const config = path.join(hs.folder, 'local.yaml');
  await writeFile(config, JSON.stringify({ ...hs.config, media: { store: 'local', s3 } }));
  const run = async (...words: string[]) =>
    (await promisify(execFile)(process.execPath, [MAIN, 'media', ...words, '-c', config])).stdout;
  assert.match(await run('verify', '--hash'), /^3 files read, 0 damaged/);
  assert.match(await run('move'), /^3 files were moved/);
  assert.match(await run('verify', '--dry-run'), /3 files, 3 rows; 0 orphans, 0 lost/);
  assert.equal(await countLocalFiles(hs), 3);
});

async function startMoto(parts: AsyncDisposableStack): Promise<string> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  probe.close();
  const child = spawn(MOTO, ['-H', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' });
  parts.defer(async () => {
    child.kill();
    await once(child, 'exit');
  });
  const endpoint = `http://127.0.0.1:${port}/bucket`;
  const deadline = performance.now() + 20_000;
  while (!(await fetch(endpoint, { method: 'PUT' }).catch(() => undefined))?.ok) {
    if (performance.now() > deadline) throw new Error('moto did not start');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return endpoint;
}

async function countLocalFiles(hs: TestServer): Promise<number> {
  const entries = await readdir(path.join(hs.folder, 'media/files'), { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).length;
}
