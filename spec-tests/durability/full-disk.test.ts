/** On a full disk: a clear 5xx, the process lives, what was answered stays, and it goes on when there is space. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { TestServer } from '../../src/testing/test-server.ts';

const DISK_BYTES = 48 * 1024 * 1024;
const FILLER_BYTES = 24 * 1024 * 1024;
const SENDS_MAX = 4000;

describe('a full disk', () => {
  it('refuses what it can not keep, and goes on when there is space', { timeout: 400_000 }, async (t) => {
    await using disk = await smallDisk();
    if (disk === undefined) return t.skip('a file system of its own takes root');
    await using server = await TestServer.start({ config: { server: { data_folder: disk.folder } } });
    const alice = await server.register('alice');
    const { body } = await alice.request('POST', '/_matrix/client/v3/createRoom', {});
    const room = `/_matrix/client/v3/rooms/${encodeURIComponent(body.room_id)}`;
    const send = (index: number) =>
      alice.request('PUT', `${room}/send/m.room.message/${index}`, { msgtype: 'm.text', body: 'x'.repeat(30_000) });

    await writeFile(path.join(disk.folder, 'filler'), Buffer.alloc(FILLER_BYTES));
    const kept: string[] = [];
    let refused: Awaited<ReturnType<typeof send>> | undefined;
    for (let index = 0; index < SENDS_MAX && refused === undefined; index++) {
      const answer = await send(index);
      if (answer.status === 200) kept.push(answer.body.event_id);
      else refused = answer;
    }
    assert.equal(refused?.status, 503);
    assert.equal(refused.body.errcode, 'M_UNKNOWN');
    assert.equal((await server.request('GET', '/_matrix/client/versions')).status, 200);
    assert.equal((await alice.request('GET', `${room}/event/${encodeURIComponent(kept.at(-1) ?? '')}`)).status, 200);

    await rm(path.join(disk.folder, 'filler'));
    const again = await send(SENDS_MAX);
    assert.equal(again.status, 200, JSON.stringify(again.body));
    for (const eventId of [...kept.slice(-5), again.body.event_id]) {
      assert.equal((await alice.request('GET', `${room}/event/${encodeURIComponent(eventId)}`)).status, 200);
    }
  });
});

/** A file system of a few megabytes in memory; undefined where we may not mount one. */
async function smallDisk() {
  const folder = await mkdtemp(path.join(tmpdir(), 'inglenook-disk-'));
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'tmpfs', folder]);
  const end = async () => {
    if (status === 0) spawnSync('umount', [folder]);
    await rm(folder, { recursive: true, force: true });
  };
  if (status !== 0) {
    await end();
    return undefined;
  }
  return { folder, [Symbol.asyncDispose]: end };
}
