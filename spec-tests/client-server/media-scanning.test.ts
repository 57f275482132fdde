/** What a scanner refuses is not kept. The scanner here is a server that speaks its protocol; see spec-tests/scanning for the real one. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { ConfigInput } from '../../src/config/index.ts';
import { network } from '../../src/testing/network.ts';
import { TestServer } from '../../src/testing/test-server.ts';

/** Finds the word "harmful", hangs at "hang", hangs up at "crash", is confused by "confuse". */
function startScanner(where: string): Promise<Server> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    let bytes = Buffer.alloc(0);
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      const text = bytes.toString('latin1');
      if (!text.endsWith('\0\0\0\0')) return;
      assert.ok(text.startsWith('zINSTREAM\0'));
      if (text.includes('hang')) return;
      if (text.includes('crash')) socket.destroy();
      else if (text.includes('confuse')) socket.end('INSTREAM size limit exceeded. ERROR\0');
      else
        socket.end(
          text.includes('harmful') || (knowsMore && text.includes('sneaky'))
            ? 'stream: Test.Harmful FOUND\0'
            : 'stream: OK\0',
        );
    });
  });
  return new Promise((resolve) => server.listen(where, () => resolve(server)));
}

/** Whether the scanner finds "sneaky" too. */
let knowsMore = false;

async function uploadTo(hs: TestServer, token: string, text: string) {
  const answer = await hs.request('POST', '/_matrix/media/v3/upload', { token, body: Buffer.from(text) });
  return { status: answer.status, body: answer.body };
}

async function fileCount(hs: TestServer): Promise<number> {
  const entries = await readdir(path.join(hs.folder, 'media'), { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile() && entry.name !== 'journal').length;
}

describe('scanning', () => {
  const socket = path.join(tmpdir(), `inglenook-scanner-${randomBytes(6).toString('hex')}`);
  let scanner: Server;

  before(async () => {
    scanner = await startScanner(socket);
  });
  after(() => scanner.close());

  const start = (scan: object) =>
    TestServer.start({ inProcess: true, config: { media: { scan: { clamd: socket, timeout: '300ms', ...scan } } } });

  it('keeps what is harmless and refuses what is not, leaving nothing behind', async () => {
    await using hs = await start({});
    const { accessToken } = await hs.register('alice');
    assert.equal((await uploadTo(hs, accessToken, 'good')).status, 200);
    const refused = await uploadTo(hs, accessToken, 'a harmful file');
    assert.deepEqual([refused.status, refused.body.errcode], [403, 'M_FORBIDDEN']);
    assert.equal(await fileCount(hs), 1);
    const created = (await hs.request('POST', '/_matrix/media/v1/create', { token: accessToken })).body.content_uri;
    const target = `/_matrix/media/v3/upload/${created.slice(6)}`;
    const body = Buffer.from('harmful');
    assert.equal((await hs.request('PUT', target, { token: accessToken, body })).status, 403);
  });

  it('leaves harmful pictures of links out of their previews', async () => {
    const site = createHttpServer((request, response) => {
      const isPage = !request.url?.endsWith('.png');
      response.setHeader('content-type', isPage ? 'text/html' : 'image/png');
      response.end(
        isPage ? `<title>A page</title><meta property="og:image" content="${request.url}.png">` : request.url,
      );
    }).listen(0, '127.0.0.1');
    await once(site, 'listening');
    const address = site.address();
    const base = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
    const previews = { allowed_addresses: ['127.0.0.1'] };
    await using hs = await TestServer.start({
      inProcess: true,
      config: { media: { scan: { clamd: socket }, previews } },
    });
    const alice = await hs.register('alice');
    const preview = async (page: string) =>
      (await alice.request('GET', `/_matrix/client/v1/media/preview_url?url=${encodeURIComponent(base + page)}`)).body;
    const filesBefore = await fileCount(hs);
    assert.deepEqual(await preview('/harmful'), { 'og:title': 'A page' });
    assert.equal(await fileCount(hs), filesBefore);
    assert.equal((await preview('/fine'))['og:image:type'], 'image/png');
    site.closeAllConnections();
    site.close();
  });

  it('refuses for now where there is no verdict', async () => {
    await using hs = await start({});
    const { accessToken } = await hs.register('alice');
    for (const text of ['hang', 'crash', 'confuse']) {
      const refused = await uploadTo(hs, accessToken, text);
      assert.deepEqual([refused.status, refused.body.errcode], [503, 'M_UNKNOWN']);
    }
    assert.equal(await fileCount(hs), 0);
  });

  it('takes files without a verdict where the configuration says so', async () => {
    await using hs = await start({ unreachable: 'allow', clamd: `${socket}-nobody` });
    const { accessToken } = await hs.register('alice');
    assert.equal((await uploadTo(hs, accessToken, 'harmful')).status, 200);
  });

  it('treats files that are too large for the scanner as configured', async () => {
    const large = `harmful ${'x'.repeat(2000)}`;
    for (const [too_large, status] of [
      ['allow', 200],
      ['refuse', 403],
    ] as const) {
      await using hs = await start({ size_max: '1K', too_large });
      const { accessToken } = await hs.register('alice');
      assert.equal((await uploadTo(hs, accessToken, large)).status, status);
    }
  });

  it('refuses harmful files of other servers before anybody gets them, and does not fetch them again', async () => {
    const config: ConfigInput = { media: { scan: { clamd: socket } } };
    await using net = await network(2, { inProcess: true, config });
    const [one, two] = net.servers;
    assert(one !== undefined && two !== undefined);
    const alice = await one.server.register('alice');
    const bob = await two.server.register('bob');
    const [first, second] = await Promise.all([
      uploadTo(one.server, alice.accessToken, 'sneaky 1'),
      uploadTo(one.server, alice.accessToken, 'sneaky 2'),
    ]);
    const download = (mxc: string) => bob.request('GET', `/_matrix/client/v1/media/download/${mxc.slice(6)}`);
    assert.equal((await download(first.body.content_uri)).bytes.toString(), 'sneaky 1');
    knowsMore = true;
    assert.equal((await download(second.body.content_uri)).status, 404);
    knowsMore = false;
    assert.equal((await download(second.body.content_uri)).status, 404, 'it is remembered');
    assert.equal(await fileCount(two.server), 1);
  });
});
