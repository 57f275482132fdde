/** What may be uploaded, how large, and what is taken out of it. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import sharp from 'sharp';
import type { ConfigInput } from '../../src/config/index.ts';
import { TestServer } from '../../src/testing/test-server.ts';

const start = (media: NonNullable<ConfigInput['media']>) => TestServer.start({ inProcess: true, config: { media } });

async function upload(hs: TestServer, token: string, body: Buffer, type: string) {
  const headers = { 'content-type': type };
  return hs.request('POST', '/_matrix/media/v3/upload', { token, body, headers });
}

describe('rules for uploads', () => {
  it('allow and refuse by type, and limit the size by type', async () => {
    await using hs = await start({
      allowed_types: ['image/*', 'application/octet-stream', 'video/mp4'],
      blocked_types: ['image/gif'],
      type_size_max: { 'video/*': '1K', 'video/mp4': '2K' },
    });
    const { accessToken: token } = await hs.register('alice');
    const refusal = async (body: Buffer, type: string) => {
      const answer = await upload(hs, token, body, type);
      return answer.status === 200 ? 200 : [answer.status, answer.body.errcode];
    };
    assert.equal(await refusal(randomBytes(5000), 'image/png'), 200);
    assert.equal(await refusal(randomBytes(5000), 'application/octet-stream'), 200);
    assert.deepEqual(await refusal(randomBytes(10), 'image/GIF'), [403, 'M_FORBIDDEN']);
    assert.deepEqual(await refusal(randomBytes(10), 'text/html'), [403, 'M_FORBIDDEN']);
    assert.equal(await refusal(randomBytes(1024), 'video/mp4'), 200);
    assert.deepEqual(await refusal(randomBytes(1025), 'video/mp4'), [413, 'M_TOO_LARGE']);
  });

  it('tell clients whether there are link previews', async () => {
    for (const enabled of [true, false]) {
      await using hs = await start({ previews: { enabled } });
      const alice = await hs.register('alice');
      const { capabilities } = (await alice.request('GET', '/_matrix/client/v3/capabilities')).body;
      assert.deepEqual(capabilities['io.element.msc4452.preview_url'], { enabled });
    }
  });
});

describe('metadata of pictures', () => {
  const photo = () =>
    sharp({ create: { width: 300, height: 200, channels: 3, background: '#987' } })
      .withExif({ IFD3: { GPSLatitudeRef: 'N', GPSLatitude: '52/1 31/1 12/1' }, IFD0: { Model: 'Secret' } })
      .withMetadata({ orientation: 6 })
      .jpeg()
      .toBuffer();

  it('go where that is configured, and the way up stays; encrypted files are left alone', async () => {
    await using hs = await start({ strip_metadata: true });
    const alice = await hs.register('alice');
    const original = await photo();
    assert.ok(original.includes('Secret'));
    const get = async (mxc: string) =>
      (await alice.request('GET', `/_matrix/client/v1/media/download/${mxc.slice(6)}`)).bytes;
    const stripped = await get((await upload(hs, alice.accessToken, original, 'image/jpeg')).body.content_uri);
    assert.ok(!stripped.includes('Secret'));
    assert.equal((await sharp(stripped).metadata()).orientation, 6);
    const encrypted = await upload(hs, alice.accessToken, original, 'application/octet-stream');
    assert.ok((await get(encrypted.body.content_uri)).equals(original));
    const broken = await upload(hs, alice.accessToken, original.subarray(0, 100), 'image/jpeg');
    assert.deepEqual([broken.status, broken.body.errcode], [400, 'M_UNKNOWN']);
    const noPicture = await upload(hs, alice.accessToken, Buffer.from('plain'), 'image/png');
    assert.equal(noPicture.status, 200);
    assert.deepEqual(await readdir(path.join(hs.folder, 'media/incoming')), []);
  });

  it('stay where nothing is configured', async () => {
    await using hs = await start({});
    const alice = await hs.register('alice');
    const original = await photo();
    const { content_uri } = (await upload(hs, alice.accessToken, original, 'image/jpeg')).body;
    const got = await alice.request('GET', `/_matrix/client/v1/media/download/${content_uri.slice(6)}`);
    assert.ok(got.bytes.equals(original));
  });
});
