/** Every file whose upload was answered is there after `kill -9`, byte for byte, and no half one is left. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { TestServer } from '../../src/testing/test-server.ts';

const MAIN = path.join(import.meta.dirname, '../../src/main.ts');
const ROUNDS = 20;
const UPLOADS = 200;
const BODY_BYTES = 60_000;

it(`keeps every acknowledged upload, killed ${ROUNDS} times in the middle of ${UPLOADS}`, {
  timeout: 110_000,
}, async (t) => {
  await using hs = await TestServer.start();
  const alice = await hs.register('alice');
  const acknowledged = new Map<string, string>();
  for (let round = 0; round < ROUNDS; round++) {
    const before = acknowledged.size;
    const uploads = Array.from({ length: UPLOADS }, async () => {
      const body = randomBytes(BODY_BYTES);
      // The connection breaks for those that the kill overtakes: they were not answered.
      const sent = hs.request('POST', '/_matrix/media/v3/upload', { token: alice.accessToken, body });
      const answer = await sent.catch(() => undefined);
      if (answer?.status !== 200) return;
      acknowledged.set(answer.body.content_uri, createHash('sha256').update(body).digest('hex'));
    });
    const killAt = 1 + round * Math.floor((UPLOADS - 20) / ROUNDS);
    while (acknowledged.size - before < killAt) await sleep(1);
    await hs.kill();
    await Promise.all(uploads);
    await hs.restart();
    t.diagnostic(`round ${round}: ${acknowledged.size - before} of ${UPLOADS} were answered`);
    assert.deepEqual(await readdir(path.join(hs.folder, 'media/incoming')), []);
  }
  assert.ok(acknowledged.size < ROUNDS * UPLOADS, 'the kill came in the middle');
  for (const [mxc, hash] of acknowledged) {
    const target = `/_matrix/client/v1/media/download/${mxc.slice('mxc://'.length)}`;
    const { status, bytes } = await alice.request('GET', target);
    assert.equal(status, 200);
    assert.equal(createHash('sha256').update(bytes).digest('hex'), hash);
  }
  const config = path.join(hs.folder, 'config.yaml');
  const said = await promisify(execFile)(process.execPath, [MAIN, 'media', 'verify', '-c', config, '--dry-run']);
  assert.match(said.stdout, / 0 orphans, 0 lost/, said.stdout);
});
