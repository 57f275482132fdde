/** Files in the admin API that Synapse's tools call. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import sharp from 'sharp';
import { TestServer } from '../../src/testing/test-server.ts';
import type { TestUser } from '../../src/testing/test-user.ts';

const V1 = '/_synapse/admin/v1';
const LATER = Date.UTC(2100, 0, 1);

describe('administrators and files', () => {
  let hs: TestServer;
  let admin: TestUser;
  let alice: TestUser;
  let users = 0;

  before(async () => {
    hs = await TestServer.start({ inProcess: true });
    admin = await hs.register('admin', { admin: true });
  });
  beforeEach(async () => {
    alice = await hs.register(`alice_${users++}`);
  });
  after(() => hs[Symbol.asyncDispose]());

  async function upload(bytes = randomBytes(100), user = alice): Promise<string> {
    const answer = await user.request('POST', '/_matrix/media/v3/upload?filename=a.bin', bytes);
    assert.equal(answer.status, 200);
    return answer.body.content_uri.slice('mxc://'.length);
  }
  const idOf = (file: string): string => file.split('/')[1] ?? '';
  const statusOf = async (file: string): Promise<number> =>
    (await admin.request('GET', `/_matrix/client/v1/media/download/${file}`)).status;

  async function ask(method: string, target: string, status = 200) {
    const answer = await admin.request(method, `${V1}${target}`);
    assert.equal(answer.status, status, `${method} ${target}: ${answer.bytes}`);
    return answer.body;
  }

  async function fileCount(): Promise<number> {
    const entries = await readdir(path.join(hs.folder, 'media/files'), { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).length;
  }

  it('are the only ones who may', async () => {
    const file = await upload();
    for (const [method, target] of [
      ['DELETE', `/media/${file}`],
      ['POST', `/media/quarantine/${file}`],
      ['POST', `/purge_media_cache?before_ts=${LATER}`],
      ['GET', '/statistics/users/media'],
    ] as const) {
      assert.equal((await alice.request(method, V1 + target)).status, 403);
    }
    assert.equal(await statusOf(file), 200);
  });

  it('hide a file and show it again, but not a protected one', async () => {
    const file = await upload();
    await ask('POST', `/media/quarantine/${file}`);
    assert.equal(await statusOf(file), 404);
    assert.equal((await ask('GET', `/media/${file}`)).media_info.quarantined_by, admin.userId);
    await ask('POST', `/media/unquarantine/${file}`);
    assert.equal(await statusOf(file), 200);
    await ask('POST', `/media/protect/${idOf(file)}`);
    await ask('POST', `/media/quarantine/${file}`, 403);
    assert.equal(await statusOf(file), 200);
    await ask('POST', `/media/unprotect/${idOf(file)}`);
    await ask('POST', `/media/quarantine/${file}`);
    await ask('POST', `/media/quarantine/${hs.config.server?.name}/unknown`, 404);
  });

  it('hide a file of another server before it is here', async () => {
    await ask('POST', '/media/quarantine/localhost:1/abc');
    assert.equal(await statusOf('localhost:1/abc'), 404);
    await ask('POST', '/media/unquarantine/localhost:1/abc');
    assert.equal(await statusOf('localhost:1/abc'), 502, 'it is asked for again');
  });

  it('hide all of a user, and all of a room', async () => {
    const [mine, kept] = [await upload(), await upload()];
    await ask('POST', `/media/protect/${idOf(kept)}`);
    assert.equal((await ask('POST', `/user/${alice.userId}/media/quarantine`)).num_quarantined, 1);
    assert.deepEqual([await statusOf(mine), await statusOf(kept)], [404, 200]);
    const room = (await alice.request('POST', '/_matrix/client/v3/createRoom', {})).body.room_id;
    const shown = await upload();
    const content = {
      msgtype: 'm.image',
      body: 'x',
      url: `mxc://${shown}`,
      info: { thumbnail_url: 'mxc://b.example/t' },
    };
    await alice.request('PUT', `/_matrix/client/v3/rooms/${room}/send/m.room.message/1`, content);
    const listed = await ask('GET', `/room/${encodeURIComponent(room)}/media`);
    assert.deepEqual(listed, { local: [`mxc://${shown}`], remote: ['mxc://b.example/t'] });
    assert.equal((await ask('POST', `/room/${encodeURIComponent(room)}/media/quarantine`)).num_quarantined, 2);
    assert.deepEqual([await statusOf(shown), await statusOf('b.example/t')], [404, 404]);
  });

  it('delete a file with its thumbnails and its row, and leave a signed record', async () => {
    const before = await fileCount();
    const photo = await sharp({ create: { width: 400, height: 400, channels: 3, background: '#123' } })
      .png()
      .toBuffer();
    const file = await upload(photo);
    await alice.request('GET', `/_matrix/client/v1/media/thumbnail/${file}?width=32&height=32`);
    assert.equal(await fileCount(), before + 2);
    assert.deepEqual(await ask('DELETE', `/media/${file}`), { deleted_media: [idOf(file)], total: 1 });
    assert.equal(await fileCount(), before);
    assert.equal(await statusOf(file), 404);
    await ask('DELETE', `/media/${file}`, 404);
    const record = await admin.request('GET', `/_inglenook/admin/v1/media_deletions/${idOf(file)}`);
    const [deletion] = record.body.deletions;
    assert.equal(deletion.mxc, `mxc://${file}`);
    assert.match(deletion.sha256, /^[0-9a-f]{64}$/);
    assert.ok(Object.keys(deletion.signatures).length === 1);
  });

  it('list the files of a user by page and order, and delete them by page', async () => {
    const files = [await upload(randomBytes(300)), await upload(randomBytes(100)), await upload(randomBytes(200))];
    const target = `/users/${alice.userId}/media`;
    const page = await ask('GET', `${target}?order_by=media_length&limit=2`);
    assert.deepEqual(
      page.media.map((one: { media_id: string; media_length: number }) => [one.media_id, one.media_length]),
      [
        [idOf(files[1] ?? ''), 100],
        [idOf(files[2] ?? ''), 200],
      ],
    );
    assert.deepEqual([page.total, page.next_token], [3, 2]);
    const last = await ask('GET', `${target}?order_by=media_length&limit=2&from=2`);
    assert.deepEqual([last.media.length, last.next_token], [1, undefined]);
    await ask('GET', `${target}?order_by=toString`, 400);
    assert.equal((await ask('DELETE', `${target}?order_by=media_length&dir=b&limit=1`)).total, 1);
    assert.equal(await statusOf(files[0] ?? ''), 404);
    assert.equal((await ask('DELETE', target)).total, 2);
    assert.equal((await ask('GET', target)).total, 0);
  });

  it('see how much users have uploaded', async () => {
    await upload(randomBytes(1000));
    await upload(randomBytes(500));
    const { users: found, total } = await ask('GET', `/statistics/users/media?search_term=${alice.userId.slice(1, 8)}`);
    assert.deepEqual(
      found.filter((user: { user_id: string }) => user.user_id === alice.userId),
      [{ user_id: alice.userId, displayname: found[0].displayname, media_count: 2, media_length: 1500 }],
    );
    assert.equal(total, found.length);
    const largest = await ask('GET', '/statistics/users/media?order_by=media_length&dir=b&limit=1');
    assert.equal(largest.users.length, 1);
    assert.equal((await ask('GET', '/statistics/users/media?search_term=%25')).total, 0);
    assert.equal((await ask('GET', '/statistics/users/media?until_ts=1')).total, 0);
  });

  it('delete what is old and large, but no avatars and nothing protected', async () => {
    const [large, small, avatar, kept] = [
      await upload(randomBytes(70_000)),
      await upload(randomBytes(10)),
      await upload(randomBytes(70_000)),
      await upload(randomBytes(70_000)),
    ];
    const profile = `/_matrix/client/v3/profile/${alice.userId}/avatar_url`;
    await alice.request('PUT', profile, { avatar_url: `mxc://${avatar}` });
    await ask('POST', `/media/protect/${idOf(kept)}`);
    await ask('POST', '/media/delete?before_ts=1600000000', 400);
    const early = await ask('POST', `/media/delete?before_ts=${Date.UTC(2001, 0, 1)}`);
    assert.equal(early.total, 0);
    const gone = await ask('POST', `/media/delete?before_ts=${LATER}&size_gt=50000`);
    assert.deepEqual(gone.deleted_media, [idOf(large)]);
    assert.deepEqual([await statusOf(small), await statusOf(avatar), await statusOf(kept)], [200, 200, 200]);
    const both = await ask('POST', `/media/delete?before_ts=${LATER}&size_gt=50000&keep_profiles=false`);
    assert.deepEqual(both.deleted_media, [idOf(avatar)]);
    assert.equal((await ask('POST', `/purge_media_cache?before_ts=${LATER}`)).deleted, 0);
    assert.equal(await statusOf(small), 200, 'the cache is of other servers only');
  });
});
