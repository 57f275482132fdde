import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { TestServer } from '../../src/testing/test-server.ts';
import type { TestUser } from '../../src/testing/test-user.ts';

describe('thumbnails', () => {
  let hs: TestServer;
  let alice: TestUser;
  before(async () => {
    hs = await TestServer.start({ config: { media: { thumbnails: { pixels_max: 4_000_000 } } } });
    alice = await hs.register('alice');
  });
  after(() => hs[Symbol.asyncDispose]());

  async function upload(bytes: Buffer, type: string): Promise<string> {
    const headers = { 'content-type': type };
    const token = alice.accessToken;
    const { body } = await hs.request('POST', '/_matrix/media/v3/upload', { token, body: bytes, headers });
    return body.content_uri.slice('mxc://'.length);
  }
  const thumbnail = (mxc: string, query: string) =>
    alice.request('GET', `/_matrix/client/v1/media/thumbnail/${mxc}?${query}`);
  const picture = (width: number, height: number, channels: 3 | 4 = 3) =>
    sharp({ create: { width, height, channels, background: { r: 200, g: 20, b: 20, alpha: 0.5 } } });

  it('scales a photograph, keeping its shape', async () => {
    const mxc = await upload(await picture(1200, 900).jpeg().toBuffer(), 'image/jpeg');
    const { status, headers, bytes } = await thumbnail(mxc, 'width=200&height=200&method=scale');
    assert.equal(status, 200);
    assert.equal(headers['content-type'], 'image/jpeg');
    assert.equal(headers['content-disposition'], 'inline; filename="thumbnail.jpg"');
    const { width, height, format } = await sharp(bytes).metadata();
    assert.deepEqual([width, height, format], [320, 240, 'jpeg']);
  });

  it('crops to the shape that is asked for', async () => {
    const mxc = await upload(await picture(1200, 900).jpeg().toBuffer(), 'image/jpeg');
    const { bytes } = await thumbnail(mxc, 'width=96&height=48&method=crop');
    const { width, height } = await sharp(bytes).metadata();
    assert.deepEqual([width, height], [96, 48]);
  });

  it('keeps what is transparent so', async () => {
    const mxc = await upload(await picture(500, 500, 4).png().toBuffer(), 'image/png');
    const { headers, bytes } = await thumbnail(mxc, 'width=96&height=96&method=crop');
    assert.equal(headers['content-type'], 'image/png');
    assert.equal((await sharp(bytes).metadata()).hasAlpha, true);
  });

  it('answers with the picture itself where that is smaller', async () => {
    const bytes = await picture(50, 40).png().toBuffer();
    const mxc = await upload(bytes, 'image/png');
    const answer = await thumbnail(mxc, 'width=96&height=96');
    assert.ok(answer.bytes.equals(bytes));
    assert.match(String(answer.headers['content-disposition']), /^inline/);
  });

  it('does not send a small picture of a false type as it is', async () => {
    const mxc = await upload(await picture(50, 40).png().toBuffer(), 'text/html');
    const { status, headers } = await thumbnail(mxc, 'width=96&height=96');
    assert.deepEqual([status, headers['content-type']], [200, 'image/jpeg']);
  });

  it('turns photographs as their orientation says', async () => {
    const mxc = await upload(await picture(800, 400).withMetadata({ orientation: 6 }).jpeg().toBuffer(), 'image/jpeg');
    const { bytes } = await thumbnail(mxc, 'width=100&height=200&method=scale');
    const { width = 0, height = 0 } = await sharp(bytes).metadata();
    assert.ok(height > width);
  });

  it('lets animations move only where that is asked for', async () => {
    const frames = await Promise.all(
      ['#f00', '#0f0', '#00f'].map((background) =>
        sharp({ create: { width: 400, height: 300, channels: 3, background } })
          .png()
          .toBuffer(),
      ),
    );
    const gif = await sharp(frames, { join: { animated: true } })
      .gif()
      .toBuffer();
    const mxc = await upload(gif, 'image/gif');
    const moving = await thumbnail(mxc, 'width=96&height=96&animated=true');
    assert.equal(moving.headers['content-type'], 'image/webp');
    assert.equal((await sharp(moving.bytes).metadata()).pages, 3);
    for (const query of ['width=96&height=96&animated=false', 'width=96&height=96', 'width=800&height=600']) {
      const still = await thumbnail(mxc, query);
      assert.equal((await sharp(still.bytes).metadata()).pages ?? 1, 1, query);
    }
  });

  it('refuses files that are no pictures, and SVG', async () => {
    for (const [bytes, type] of [
      [randomBytes(1000), 'image/png'],
      [Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="500" height="500"/>'), 'image/svg+xml'],
      [Buffer.alloc(0), 'image/png'],
    ] as const) {
      const { status, body } = await thumbnail(await upload(bytes, type), 'width=96&height=96');
      assert.deepEqual([status, body.errcode], [400, 'M_UNKNOWN']);
    }
  });

  it('refuses sizes that are none', async () => {
    const mxc = await upload(await picture(500, 500).png().toBuffer(), 'image/png');
    for (const query of ['width=0&height=10', 'width=-1&height=10', 'width=a&height=10', 'width=1.5&height=1']) {
      assert.equal((await thumbnail(mxc, query)).status, 400, query);
    }
    assert.equal((await thumbnail(mxc, 'width=10')).body.errcode, 'M_MISSING_PARAM');
    assert.equal((await thumbnail(mxc, 'width=10&height=10&method=stretch')).status, 400);
  });

  it('refuses a bomb by its header, quickly', async () => {
    const mxc = await upload(bomb(30_000, 30_000), 'image/png');
    const start = performance.now();
    const { status, body } = await thumbnail(mxc, 'width=96&height=96');
    assert.deepEqual([status, body.errcode], [413, 'M_TOO_LARGE']);
    assert.ok(performance.now() - start < 3000);
  });

  it('makes what it can of a truncated picture', async () => {
    const whole = await picture(1200, 900).jpeg().toBuffer();
    const mxc = await upload(whole.subarray(0, Math.floor(whole.length * 0.7)), 'image/jpeg');
    assert.ok([200, 400].includes((await thumbnail(mxc, 'width=96&height=96')).status));
  });

  it('makes each thumbnail once, however many ask', async () => {
    const mxc = await upload(await picture(1000, 1000).jpeg().toBuffer(), 'image/jpeg');
    const answers = await Promise.all(Array.from({ length: 10 }, () => thumbnail(mxc, 'width=96&height=96')));
    assert.equal(new Set(answers.map(({ headers }) => headers.etag)).size, 1);
    assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
  });

  it('does not show thumbnails of new files without login', async () => {
    const mxc = await upload(await picture(500, 500).png().toBuffer(), 'image/png');
    const answer = await hs.request('GET', `/_matrix/media/v3/thumbnail/${mxc}?width=96&height=96`);
    assert.deepEqual([answer.status, answer.body.errcode], [404, 'M_NOT_FOUND']);
  });
});

it('makes the sizes of the specification when a picture comes, where that is wanted', async () => {
  await using hs = await TestServer.start({ config: { media: { thumbnails: { when: 'at_upload' } } } });
  const { accessToken: token } = await hs.register('alice');
  const body = await sharp({ create: { width: 1200, height: 900, channels: 3, background: '#123' } })
    .jpeg()
    .toBuffer();
  const uploaded = await hs.request('POST', '/_matrix/media/v3/upload', { token, body });
  assert.equal(uploaded.status, 200);
  const count = async () =>
    (await readdir(`${hs.folder}/media/files`, { recursive: true, withFileTypes: true })).filter((e) => e.isFile())
      .length;
  const deadline = performance.now() + 10_000;
  while ((await count()) < 6 && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(await count(), 6);
});

/** A valid PNG header that announces a huge picture, with next to no data. */
function bomb(width: number, height: number): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const chunk = (type: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const out = Buffer.alloc(8 + body.length);
    out.writeUInt32BE(data.length, 0);
    body.copy(out, 4);
    out.writeUInt32BE(crc32(body), 4 + body.length);
    return out;
  };
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.alloc(1_000_000))),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}
