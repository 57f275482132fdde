/** Thumbnails of films and music, where there is an ffmpeg: apt-get install ffmpeg. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import sharp from 'sharp';
import { TestServer } from '../../src/testing/test-server.ts';
import type { TestUser } from '../../src/testing/test-user.ts';

const skip = spawnSync('ffmpeg', ['-version']).status !== 0 && 'there is no ffmpeg: apt-get install ffmpeg';

describe('thumbnails of films and music', { skip }, () => {
  let hs: TestServer;
  let alice: TestUser;
  let folder: string;

  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'inglenook-covers-'));
    hs = await TestServer.start({ inProcess: true, config: { media: { thumbnails: { timeout: '10s' } } } });
    alice = await hs.register('alice');
  });
  after(async () => {
    await hs[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  async function generate(name: string, ...args: string[]): Promise<Buffer> {
    const file = path.join(folder, name);
    const { status, stderr } = spawnSync('ffmpeg', ['-y', '-loglevel', 'error', ...args, file]);
    assert.equal(status, 0, String(stderr));
    return readFile(file);
  }
  const testsrc = (size: string) => ['-f', 'lavfi', '-i', `testsrc=duration=1:size=${size}:rate=5`];
  const tone = ['-f', 'lavfi', '-i', 'sine=duration=1'];

  async function upload(body: Buffer, type: string, server = hs, user = alice): Promise<string> {
    const headers = { 'content-type': type };
    const answer = await server.request('POST', '/_matrix/media/v3/upload', { token: user.accessToken, body, headers });
    return answer.body.content_uri.slice('mxc://'.length);
  }
  const thumbnail = (file: string, size: number, user = alice) =>
    user.request('GET', `/_matrix/client/v1/media/thumbnail/${file}?width=${size}&height=${size}&method=scale`);
  const files = async (): Promise<number> => {
    const entries = await readdir(path.join(hs.folder, 'media/files'), { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).length;
  };

  it('show the first frame, in the sizes that are asked for', async () => {
    for (const [name, type, codec] of [
      ['a.mp4', 'video/mp4', 'mpeg4'],
      ['a.webm', 'video/webm', 'libvpx'],
    ] as const) {
      const film = await upload(await generate(name, ...testsrc('640x360'), '-c:v', codec), type);
      for (const [size, width] of [
        [90, 320],
        [300, 640],
        [2000, 640],
      ] as const) {
        const got = await thumbnail(film, size);
        assert.equal(got.status, 200, got.bytes.toString());
        const picture = await sharp(got.bytes).metadata();
        assert.equal(picture.format, 'jpeg');
        assert.equal(picture.width, width);
      }
    }
  });

  it('show the cover of music, and refuse music without one', async () => {
    const cover = path.join(folder, 'cover.jpg');
    await sharp({ create: { width: 300, height: 300, channels: 3, background: '#c00' } }).toFile(cover);
    const attached = ['-i', cover, '-map', '0:a', '-map', '1:v', '-c:v', 'copy', '-disposition:v', 'attached_pic'];
    const song = await upload(await generate('b.mp3', ...tone, ...attached), 'audio/mpeg');
    const got = await thumbnail(song, 96);
    assert.equal(got.status, 200);
    const { dominant } = await sharp(got.bytes).stats();
    assert.ok(dominant.r > 150 && dominant.g < 60);
    const bare = await upload(await generate('c.mp3', ...tone), 'audio/mpeg');
    for (let count = 0; count < 2; count++) assert.equal((await thumbnail(bare, 96)).status, 400);
  });

  it('are gone with the file', async () => {
    const before = await files();
    const film = await upload(await generate('d.mp4', ...testsrc('320x240'), '-c:v', 'mpeg4'), 'video/mp4');
    await thumbnail(film, 32);
    assert.ok((await files()) >= before + 3);
    const admin = await hs.register('admin', { admin: true });
    await admin.request('DELETE', `/_synapse/admin/v1/media/${film}`);
    assert.equal(await files(), before);
    assert.deepEqual(await readdir(path.join(hs.folder, 'media/incoming')), []);
  });

  it('lead neither into the network nor to other files', async () => {
    let askedCount = 0;
    const listener = createServer((_, response) => {
      askedCount++;
      response.end();
    });
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    const address = listener.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const other = path.join(folder, 'other.mp4');
    await writeFile(other, await generate('e.mp4', ...testsrc('64x64'), '-c:v', 'mpeg4'));
    const head = '#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n';
    for (const text of [
      `${head}http://127.0.0.1:${port}/a.ts\n`,
      `${head}${other}\n`,
      `ffconcat version 1.0\nfile ${other}\n`,
      `<MPD><BaseURL>http://127.0.0.1:${port}/</BaseURL></MPD>`,
      'garbage',
      '',
    ]) {
      assert.equal((await thumbnail(await upload(Buffer.from(text), 'video/mp4'), 96)).status, 400);
    }
    assert.equal(askedCount, 0);
    listener.close();
  });

  it('end in time', async () => {
    const slow = path.join(folder, 'slow');
    await writeFile(slow, '#!/bin/sh\nexec sleep 30\n', { mode: 0o755 });
    const thumbnails = { ffmpeg: slow, timeout: '300ms' };
    await using server = await TestServer.start({ inProcess: true, config: { media: { thumbnails } } });
    const bob = await server.register('bob');
    const film = await upload(Buffer.from('x'), 'video/mp4', server, bob);
    const startMs = performance.now();
    assert.equal((await thumbnail(film, 32, bob)).status, 400);
    assert.ok(performance.now() - startMs < 5_000);
  });

  it('are none where there is no such program', async () => {
    await using without = await TestServer.start({
      inProcess: true,
      config: { media: { thumbnails: { ffmpeg: '/nowhere/ffmpeg' } } },
    });
    const bob = await without.register('bob');
    const film = await upload(await generate('f.mp4', ...testsrc('64x64'), '-c:v', 'mpeg4'), 'video/mp4', without, bob);
    assert.equal((await thumbnail(film, 32, bob)).status, 400);
  });
});
