import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { TestServer } from '../../src/testing/test-server.ts';
import type { TestUser } from '../../src/testing/test-user.ts';

const UPLOAD_BYTES_MAX = 4 * 1024 * 1024;

describe('files', () => {
  let hs: TestServer;
  let alice: TestUser;
  let bob: TestUser;
  before(async () => {
    hs = await TestServer.start({
      config: { media: { upload_size_max: '4M', blocked_types: ['application/x-msdownload'], pending_uploads_max: 3 } },
    });
    alice = await hs.register('alice');
    bob = await hs.register('bob');
  });
  after(() => hs[Symbol.asyncDispose]());

  const upload = (bytes: Buffer, { type = 'application/octet-stream', name = '', user = alice } = {}) =>
    hs.request('POST', `/_matrix/media/v3/upload${name === '' ? '' : `?filename=${encodeURIComponent(name)}`}`, {
      token: user.accessToken,
      body: bytes,
      headers: { 'content-type': type },
    });
  const idOf = (body: { readonly content_uri: string }): string =>
    body.content_uri.replace(/^mxc:\/\/example\.org\//, '');
  const download = (rest: string, headers: Record<string, string> = {}) =>
    hs.request('GET', `/_matrix/client/v1/media/download/example.org/${rest}`, { token: bob.accessToken, headers });

  it('gives back what was uploaded, with type, name and the headers that keep browsers from running it', async () => {
    const bytes = randomBytes(300_000);
    const { status, body } = await upload(bytes, { type: 'image/png', name: 'War and Peace.png' });
    assert.equal(status, 200);
    const answer = await download(idOf(body));
    assert.equal(answer.status, 200);
    assert.ok(answer.bytes.equals(bytes));
    assert.equal(answer.headers['content-type'], 'image/png');
    assert.equal(answer.headers['content-length'], '300000');
    assert.equal(answer.headers['content-disposition'], 'inline; filename="War and Peace.png"');
    assert.match(String(answer.headers['content-security-policy']), /^sandbox; default-src 'none'; script-src 'none'/);
    assert.equal(answer.headers['cross-origin-resource-policy'], 'cross-origin');
    assert.equal(answer.headers['x-content-type-options'], 'nosniff');
    assert.equal(answer.headers['access-control-allow-origin'], '*');
    assert.match(answer.headers['cache-control'] ?? '', /^private/);
  });

  it('shows only the listed types in place', async () => {
    const { body } = await upload(Buffer.from('<script>alert(1)</script>'), { type: 'text/html', name: 'a.html' });
    const answer = await download(idOf(body));
    assert.equal(answer.headers['content-type'], 'text/html');
    assert.equal(answer.headers['content-disposition'], 'attachment; filename="a.html"');
  });

  it('takes files without a type or a name', async () => {
    const { body } = await hs.request('POST', '/_matrix/media/v3/upload', { token: alice.accessToken, body: 'x' });
    const answer = await download(idOf(body));
    assert.equal(answer.headers['content-type'], 'application/octet-stream');
    assert.equal(answer.headers['content-disposition'], 'attachment');
  });

  it('takes an empty file', async () => {
    const { status, body } = await upload(Buffer.alloc(0));
    assert.equal(status, 200);
    const answer = await download(idOf(body));
    assert.equal(answer.status, 200);
    assert.equal(answer.bytes.length, 0);
  });

  it('gives the name that the path asks for, cleaned and quoted', async () => {
    const id = idOf((await upload(Buffer.from('x'), { name: 'old.txt' })).body);
    const named = await download(`${id}/${encodeURIComponent('../été "1".txt')}`);
    assert.equal(
      named.headers['content-disposition'],
      `attachment; filename="..__t_ \\"1\\".txt"; filename*=UTF-8''.._%C3%A9t%C3%A9%20%221%22.txt`,
    );
  });

  it('answers ranges', async () => {
    const bytes = randomBytes(100_000);
    const id = idOf((await upload(bytes)).body);
    const part = await download(id, { range: 'bytes=1000-1999' });
    assert.equal(part.status, 206);
    assert.equal(part.headers['content-range'], 'bytes 1000-1999/100000');
    assert.ok(part.bytes.equals(bytes.subarray(1000, 2000)));
    const end = await download(id, { range: 'bytes=-10' });
    assert.ok(end.bytes.equals(bytes.subarray(-10)));
    const beyond = await download(id, { range: 'bytes=100000-' });
    assert.equal(beyond.status, 416);
    assert.equal(beyond.headers['content-range'], 'bytes */100000');
  });

  it('answers 304 to who has the file', async () => {
    const id = idOf((await upload(Buffer.from('again'))).body);
    const { etag = '' } = (await download(id)).headers;
    assert.notEqual(etag, '');
    const again = await download(id, { 'if-none-match': etag });
    assert.equal(again.status, 304);
    assert.equal(again.bytes.length, 0);
    const stale = await download(id, { 'if-range': '"other"', range: 'bytes=0-1' });
    assert.equal(stale.status, 200);
  });

  it('answers HEAD with the length and no bytes', async () => {
    const id = idOf((await upload(Buffer.from('12345'))).body);
    const target = `/_matrix/client/v1/media/download/example.org/${id}`;
    const { status, headers, bytes } = await hs.request('HEAD', target, { token: bob.accessToken });
    assert.deepEqual([status, headers['content-length'], bytes.length], [200, '5', 0]);
  });

  it('keeps equal files once', async () => {
    const before = await countFiles(hs);
    const bytes = randomBytes(5000);
    const ids = await Promise.all([upload(bytes), upload(bytes, { user: bob }), upload(bytes)]);
    assert.equal(new Set(ids.map(({ body }) => idOf(body))).size, 3);
    assert.equal((await countFiles(hs)) - before, 1);
  });

  it('does not serve new files without login', async () => {
    const id = idOf((await upload(Buffer.from('secret'))).body);
    for (const old of ['v3', 'r0', 'v1']) {
      const answer = await hs.request('GET', `/_matrix/media/${old}/download/example.org/${id}`);
      assert.deepEqual([answer.status, answer.body.errcode], [404, 'M_NOT_FOUND']);
    }
    const nobody = await hs.request('GET', `/_matrix/client/v1/media/download/example.org/${id}`);
    assert.deepEqual([nobody.status, nobody.body.errcode], [401, 'M_MISSING_TOKEN']);
  });

  it('refuses what is too large: as announced, and as it comes', async () => {
    const announced = await upload(Buffer.alloc(UPLOAD_BYTES_MAX + 1));
    assert.deepEqual([announced.status, announced.body.errcode], [413, 'M_TOO_LARGE']);
    const chunked = await sendChunked(hs, alice, UPLOAD_BYTES_MAX + 1);
    assert.equal(chunked, 413);
    assert.equal((await upload(Buffer.alloc(UPLOAD_BYTES_MAX))).status, 200);
    const config = await hs.request('GET', '/_matrix/client/v1/media/config', { token: alice.accessToken });
    assert.equal(config.body['m.upload.size'], UPLOAD_BYTES_MAX);
  });

  it('keeps nothing of an upload that is cut off', async () => {
    const before = await countFiles(hs);
    const socket = connect(Number(new URL(hs.baseUrl).port), '127.0.0.1');
    socket.write(
      `POST /_matrix/media/v3/upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${alice.accessToken}\r\nContent-Length: 100000\r\n\r\n`,
    );
    socket.write(Buffer.alloc(50_000));
    await new Promise((resolve) => setTimeout(resolve, 100));
    socket.destroy();
    await once(socket, 'close');
    await untilEmpty(path.join(hs.folder, 'media/incoming'));
    assert.equal(await countFiles(hs), before);
  });

  it('refuses blocked types', async () => {
    const { status, body } = await upload(Buffer.from('MZ'), { type: 'Application/X-MSDownload; a=b' });
    assert.deepEqual([status, body.errcode], [403, 'M_FORBIDDEN']);
  });

  it('refuses ids that are none, and has none of servers that are not there', async () => {
    for (const id of ['..%2f..%2fetc%2fpasswd', '%2e%2e', 'a%00b', 'a.b']) {
      assert.equal((await download(id)).status, 400, id);
    }
    assert.equal((await download('unknown')).status, 404);
    const token = bob.accessToken;
    const other = await hs.request('GET', '/_matrix/client/v1/media/download/localhost:1/abc', { token });
    assert.deepEqual([other.status, other.body.errcode], [502, 'M_UNKNOWN']);
    const path = '/_matrix/client/v1/media/download/127.0.0.1%2f..%2f../abc';
    assert.equal((await hs.request('GET', path, { token })).status, 400);
  });

  describe('announced uploads', () => {
    const create = (user = alice) => hs.request('POST', '/_matrix/media/v1/create', { token: user.accessToken });
    const put = (id: string, bytes: Buffer, user = alice) =>
      hs.request('PUT', `/_matrix/media/v3/upload/example.org/${id}`, {
        token: user.accessToken,
        body: bytes,
        headers: { 'content-type': 'text/plain' },
      });

    it('waits for the file, and serves it as soon as it is there', async () => {
      const { status, body } = await create();
      assert.equal(status, 200);
      assert.ok(body.unused_expires_at > Date.now());
      const early = await download(`${idOf(body)}?timeout_ms=50`);
      assert.deepEqual([early.status, early.body.errcode], [504, 'M_NOT_YET_UPLOADED']);
      const waiting = download(`${idOf(body)}?timeout_ms=20000`);
      await new Promise((resolve) => setTimeout(resolve, 50));
      assert.equal((await put(idOf(body), Buffer.from('late'))).status, 200);
      const answer = await waiting;
      assert.deepEqual([answer.status, answer.bytes.toString()], [200, 'late']);
    });

    it('takes one file for each, from its own user', async () => {
      const id = idOf((await create()).body);
      const stranger = await put(id, Buffer.from('x'), bob);
      assert.deepEqual([stranger.status, stranger.body.errcode], [403, 'M_FORBIDDEN']);
      assert.equal((await put(id, Buffer.from('x'))).status, 200);
      const again = await put(id, Buffer.from('y'));
      assert.deepEqual([again.status, again.body.errcode], [409, 'M_CANNOT_OVERWRITE_MEDIA']);
      const unknown = await put('neverCreated', Buffer.from('y'));
      assert.deepEqual([unknown.status, unknown.body.errcode], [404, 'M_NOT_FOUND']);
    });

    it('lets one of two files win that come at once', async () => {
      const id = idOf((await create()).body);
      const answers = await Promise.all([put(id, Buffer.from('one')), put(id, Buffer.from('two'))]);
      assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 409]);
      const winner = answers[0]?.status === 200 ? 'one' : 'two';
      assert.equal((await download(id)).bytes.toString(), winner);
    });

    it('limits how many may be open', async () => {
      const carol = await hs.register('carol');
      for (let i = 0; i < 3; i++) assert.equal((await create(carol)).status, 200);
      const fourth = await create(carol);
      assert.deepEqual([fourth.status, fourth.body.errcode], [429, 'M_LIMIT_EXCEEDED']);
    });
  });
});

describe('files with other settings', () => {
  it('serves without login what came while that was allowed, also later', async () => {
    await using hs = await TestServer.start({ config: { media: { unauthenticated_downloads: true } } });
    const { accessToken: token } = await hs.register('alice');
    const { body } = await hs.request('POST', '/_matrix/media/v3/upload', { token, body: 'open' });
    const answer = await hs.request('GET', `/_matrix/media/v3/download/${body.content_uri.slice('mxc://'.length)}`);
    assert.deepEqual([answer.status, answer.bytes.toString()], [200, 'open']);
    assert.match(answer.headers['cache-control'] ?? '', /^public/);
  });

  it('refuses what exceeds the quota of a user, announced or not', async () => {
    await using hs = await TestServer.start({ config: { media: { user_quota: '10K' } } });
    const alice = await hs.register('alice');
    const token = alice.accessToken;
    const upload = (bytes: number) =>
      hs.request('POST', '/_matrix/media/v3/upload', { token, body: randomBytes(bytes) });
    assert.equal((await upload(6000)).status, 200);
    const second = await upload(6000);
    assert.deepEqual([second.status, second.body.errcode], [403, 'M_FORBIDDEN']);
    assert.equal(await sendChunked(hs, alice, 6000), 403);
    assert.equal((await upload(4000)).status, 200);
  });

  it('serves an upload byte for byte after a restart', async () => {
    await using hs = await TestServer.start();
    const { accessToken: token } = await hs.register('alice');
    const bytes = randomBytes(2_000_000);
    const { body } = await hs.request('POST', '/_matrix/media/v3/upload', { token, body: bytes });
    await hs.kill();
    await hs.restart();
    const target = `/_matrix/client/v1/media/download/${body.content_uri.slice('mxc://'.length)}`;
    const { bytes: got } = await hs.request('GET', target, { token });
    const digest = (data: Buffer) => createHash('sha256').update(data).digest('hex');
    assert.equal(digest(got), digest(bytes));
  });
});

/** Sends `size` bytes without announcing them; resolves with the status. */
async function sendChunked(hs: TestServer, user: TestUser, size: number): Promise<number> {
  const request = httpRequest(`${hs.baseUrl}/_matrix/media/v3/upload`, {
    method: 'POST',
    headers: { authorization: `Bearer ${user.accessToken}`, 'transfer-encoding': 'chunked' },
  });
  const answered = once(request, 'response');
  request.on('error', () => undefined);
  request.end(randomBytes(size));
  const [response] = await answered;
  response.resume();
  return response.statusCode;
}

async function countFiles(hs: TestServer): Promise<number> {
  const entries = await readdir(path.join(hs.folder, 'media/files'), { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).length;
}

async function untilEmpty(folder: string): Promise<void> {
  while ((await readdir(folder)).length > 0) await new Promise((resolve) => setTimeout(resolve, 10));
}
