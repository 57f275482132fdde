import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import { TestServer } from '../../src/testing/test-server.ts';
import type { TestUser } from '../../src/testing/test-user.ts';

describe('link previews', () => {
  let hs: TestServer;
  let alice: TestUser;
  let site: Server;
  let base: string;
  const hits = new Map<string, number>();
  before(async () => {
    const picture = await sharp({ create: { width: 64, height: 48, channels: 3, background: '#080' } })
      .png()
      .toBuffer();
    site = createServer((request, response) => {
      const path = request.url ?? '/';
      hits.set(path, (hits.get(path) ?? 0) + 1);
      if (path === '/page') {
        response.setHeader('content-type', 'text/html; charset=utf-8');
        response.end(
          '<meta property="og:title" content="Grüße"><meta property="og:image" content="/p.png"><p>Some words.</p>',
        );
      } else if (path === '/p.png') response.setHeader('content-type', 'image/png').end(picture);
      else if (path === '/video') {
        response.setHeader('content-type', 'text/html');
        response.end('<link rel="alternate" type="application/json+oembed" href="/oembed"><title>Site</title>');
      } else if (path === '/oembed') {
        response.setHeader('content-type', 'application/json');
        response.end('{"title":"A film","provider_name":"Films","thumbnail_url":"/p.png"}');
      } else if (path === '/inside') response.writeHead(302, { location: 'http://127.0.0.2/' }).end();
      else if (path === '/file.zip') response.setHeader('content-type', 'application/zip').end('PK');
      else response.writeHead(404).end();
    }).listen(0, '127.0.0.1');
    await once(site, 'listening');
    const address = site.address();
    base = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
    hs = await TestServer.start({
      config: { media: { previews: { allowed_addresses: ['127.0.0.1'], denied_hosts: ['*.denied.example'] } } },
    });
    alice = await hs.register('alice');
  });
  after(async () => {
    site.closeAllConnections();
    site.close();
    await hs[Symbol.asyncDispose]();
  });

  const preview = (url: string, where = '/_matrix/client/v1/media') =>
    alice.request('GET', `${where}/preview_url?url=${encodeURIComponent(url)}`);

  it('says what a page says about itself, its picture from our own repository', async () => {
    const { status, body } = await preview(`${base}/page`);
    assert.equal(status, 200);
    assert.equal(body['og:title'], 'Grüße');
    assert.equal(body['og:description'], 'Some words.');
    assert.equal(body['og:image:type'], 'image/png');
    assert.deepEqual([body['og:image:width'], body['og:image:height']], [64, 48]);
    const mxc = body['og:image'].slice('mxc://'.length);
    const image = await alice.request('GET', `/_matrix/client/v1/media/download/${mxc}`);
    assert.equal(image.bytes.length, body['matrix:image:size']);
  });

  it('asks a page once, whatever path and however many ask', async () => {
    await Promise.all([
      preview(`${base}/page#a`),
      preview(`${base}/page#b`),
      preview(`${base}/page`, '/_matrix/media/v3'),
    ]);
    assert.equal(hits.get('/page'), 1);
    assert.equal(hits.get('/p.png'), 1);
  });

  it('uses the description for embedding where the page has no picture', async () => {
    const { body } = await preview(`${base}/video`);
    assert.equal(body['og:title'], 'Site');
    assert.equal(body['og:site_name'], 'Films');
    assert.match(body['og:image'], /^mxc:\/\/example\.org\//);
  });

  it('shows a picture as its own preview, and nothing of other files', async () => {
    const picture = await preview(`${base}/p.png`);
    assert.equal(picture.body['og:title'], 'p.png');
    assert.match(picture.body['og:image'], /^mxc:/);
    assert.deepEqual((await preview(`${base}/file.zip`)).body, {});
  });

  it('refuses what leads inside, what is denied, and what is no address', async () => {
    for (const url of [
      `${base}/inside`,
      'http://localhost.denied.example/',
      'http://[::1]/',
      'http://10.0.0.1/',
      'ftp://x/',
    ]) {
      const { status, body } = await preview(url);
      assert.deepEqual([status, body.errcode], [403, 'M_FORBIDDEN'], url);
    }
    assert.equal((await preview('not a url')).status, 400);
    assert.equal((await alice.request('GET', '/_matrix/client/v1/media/preview_url')).body.errcode, 'M_MISSING_PARAM');
  });

  it('answers 502 for what does not answer, and does not ask it again at once', async () => {
    for (let i = 0; i < 2; i++) assert.equal((await preview(`${base}/missing`)).status, 502);
    assert.equal(hits.get('/missing'), 1);
  });

  it('makes none for guests and strangers', async () => {
    const target = `/_matrix/client/v1/media/preview_url?url=${encodeURIComponent(`${base}/page`)}`;
    assert.equal((await hs.request('GET', target)).status, 401);
  });
});

it('keeps only the newest picture of a page', async () => {
  let count = 0;
  const site = createServer(async (request, response) => {
    const isPage = request.url === '/page';
    response.setHeader('content-type', isPage ? 'text/html' : 'image/png');
    const size = { width: 60 + count++, height: 40 };
    const picture = sharp({ create: { ...size, channels: 3, background: '#080' } }).png();
    response.end(isPage ? '<title>Now</title><meta property="og:image" content="/p">' : await picture.toBuffer());
  }).listen(0, '127.0.0.1');
  await once(site, 'listening');
  const address = site.address();
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/page`;
  const previews = { allowed_addresses: ['127.0.0.1'], cache: '1ms' };
  await using hs = await TestServer.start({ inProcess: true, config: { media: { previews } } });
  const alice = await hs.register('alice');
  const images: string[] = [];
  for (let round = 0; round < 3; round++) {
    const target = `/_matrix/client/v1/media/preview_url?url=${encodeURIComponent(url)}`;
    images.push((await alice.request('GET', target)).body['og:image']);
    await sleep(5);
  }
  const statuses = images.map(async (mxc) => {
    return (await alice.request('GET', `/_matrix/client/v1/media/download/${mxc.slice('mxc://'.length)}`)).status;
  });
  assert.deepEqual(await Promise.all(statuses), [404, 404, 200]);
  const files = await readdir(path.join(hs.folder, 'media/files'), { recursive: true, withFileTypes: true });
  assert.equal(files.filter((entry) => entry.isFile()).length, 1);
  site.closeAllConnections();
  site.close();
});

it('makes no previews where they are off', async () => {
  await using hs = await TestServer.start({ config: { media: { previews: { enabled: false } } } });
  const alice = await hs.register('alice');
  const { status } = await alice.request('GET', '/_matrix/client/v1/media/preview_url?url=http%3A%2F%2Fexample.com');
  assert.equal(status, 403);
});
