/** Files between servers: ours for others, and those of others, also of those who mean no good. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import { signatureOf, signJson } from '../../src/protocol/crypto/index.ts';
import { parseServerName } from '../../src/protocol/ids/index.ts';
import { readOrMakeSigningKeys } from '../../src/signing-key-file.ts';
import { type Network, network } from '../../src/testing/network.ts';
import type { TestServer } from '../../src/testing/test-server.ts';
import type { TestUser } from '../../src/testing/test-user.ts';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** A server that answers as the test says. */
class OddServer implements AsyncDisposable {
  readonly #server: Server;
  handle: Handler = (_, response) => response.writeHead(500).end();
  readonly asked: string[] = [];

  private constructor(key: Buffer, cert: Buffer) {
    this.#server = createServer({ key, cert }, (request, response) => {
      this.asked.push(request.url ?? '');
      response.on('error', () => undefined);
      this.handle(request, response);
    });
  }

  static async start(caFile: string): Promise<OddServer> {
    const folder = path.dirname(caFile);
    const server = new OddServer(
      await readFile(path.join(folder, 'tls.key')),
      await readFile(path.join(folder, 'tls.crt')),
    );
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve));
    return server;
  }

  get name(): string {
    const address = this.#server.address();
    return `localhost:${typeof address === 'object' ? address?.port : ''}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

const multipart = (content: Uint8Array | string, headers = 'Content-Type: image/png') =>
  Buffer.concat([
    Buffer.from(`--b\r\nContent-Type: application/json\r\n\r\n{}\r\n--b\r\n${headers}\r\n\r\n`),
    Buffer.from(content),
    Buffer.from('\r\n--b--'),
  ]);

const MULTIPART = { 'content-type': 'multipart/mixed; boundary=b' };

interface Side {
  readonly server: TestServer;
  readonly user: TestUser;
}

async function upload({ server, user }: Side, bytes: Buffer, contentType: string, fileName = 'x'): Promise<string> {
  const query = `?filename=${encodeURIComponent(fileName)}`;
  const answer = await server.request('POST', `/_matrix/media/v3/upload${query}`, {
    token: user.accessToken,
    body: bytes,
    headers: { 'content-type': contentType },
  });
  assert.equal(answer.status, 200);
  return answer.body.content_uri;
}

const download = (user: TestUser, mxc: string, query = '') =>
  user.request('GET', `/_matrix/client/v1/media/download/${mxc.slice('mxc://'.length)}${query}`);

describe('files between servers', () => {
  const SIZE_MAX = 2_000_000;
  let net: Network;
  let one: TestServer;
  let two: TestServer;
  let alice: TestUser;
  let bob: TestUser;
  let odd: OddServer;

  before(async () => {
    const remote = { size_max: '2000000B', timeout: '3s', per_server_max: 2 };
    net = await network(2, {
      inProcess: true,
      config: { media: { remote, tidy: { remote_cache_max: '8M' } } },
    });
    const [first, second] = net.servers;
    assert(first !== undefined && second !== undefined);
    one = first.server;
    two = second.server;
    alice = await one.register('alice');
    bob = await two.register('bob');
    odd = await OddServer.start(net.caFile);
  });

  after(async () => {
    await odd[Symbol.asyncDispose]();
    await net[Symbol.asyncDispose]();
  });

  const mxcOfOdd = (): string => `mxc://${odd.name}/${randomBytes(9).toString('base64url')}`;

  async function stagedCount(server: TestServer): Promise<number> {
    return (await readdir(path.join(server.folder, 'media/incoming'))).length;
  }

  it('come byte for byte, with type and name, in both directions', async () => {
    const [hers, his] = [
      { server: one, user: alice },
      { server: two, user: bob },
    ];
    for (const [from, to] of [
      [hers, his],
      [his, hers],
    ] as const) {
      for (const bytes of [randomBytes(1_500_000), Buffer.from('\r\n--'), Buffer.alloc(0)]) {
        const mxc = await upload(from, bytes, 'application/pdf', 'Übersicht "neu".pdf');
        const got = await download(to.user, mxc);
        assert.equal(got.status, 200);
        assert.ok(got.bytes.equals(bytes));
        assert.equal(got.headers['content-type'], 'application/pdf');
        assert.equal(
          got.headers['content-disposition'],
          (await download(from.user, mxc)).headers['content-disposition'],
        );
      }
    }
  });

  it('are served in parts from the copy, which is asked for once', async () => {
    const bytes = randomBytes(500_000);
    odd.asked.length = 0;
    odd.handle = (_, response) => void sleep(100).then(() => response.writeHead(200, MULTIPART).end(multipart(bytes)));
    const mxc = mxcOfOdd();
    const all = await Promise.all(Array.from({ length: 10 }, () => download(bob, mxc)));
    assert.ok(all.every((got) => got.status === 200 && got.bytes.equals(bytes)));
    const target = `/_matrix/client/v1/media/download/${mxc.slice(6)}`;
    const headers = { range: 'bytes=100-199' };
    const part = await two.request('GET', target, { token: bob.accessToken, headers });
    assert.equal(part.status, 206);
    assert.ok(part.bytes.equals(bytes.subarray(100, 200)));
    assert.equal(odd.asked.length, 1);
  });

  it('have thumbnails, made here of the copy, and given to servers that ask for them', async () => {
    const photo = await sharp({ create: { width: 1000, height: 700, channels: 3, background: '#246' } })
      .jpeg()
      .toBuffer();
    const mxc = await upload({ server: one, user: alice }, photo, 'image/jpeg');
    const query = 'width=90&height=90&method=crop';
    const thumbnail = await bob.request('GET', `/_matrix/client/v1/media/thumbnail/${mxc.slice(6)}?${query}`);
    assert.equal(thumbnail.status, 200);
    const { width, height } = await sharp(thumbnail.bytes).metadata();
    assert.deepEqual([width, height], [96, 96]);
  });

  it('have no thumbnails where they are too large: 502, for it is the other server that has them so', async () => {
    const width = 8000;
    const pixels = sharp({ create: { width, height: 6300, channels: 3, background: '#135' } });
    const mxc = await upload({ server: one, user: alice }, await pixels.png().toBuffer(), 'image/png');
    const thumbnail = `/_matrix/client/v1/media/thumbnail/${mxc.slice('mxc://'.length)}?width=96&height=96`;
    const [here, there] = [await alice.request('GET', thumbnail), await bob.request('GET', thumbnail)];
    assert.deepEqual([here.status, here.body.errcode], [413, 'M_TOO_LARGE']);
    assert.deepEqual([there.status, there.body.errcode], [502, 'M_TOO_LARGE']);
  });

  it('wait for announced ones as long as the client says', async () => {
    const created = await alice.request('POST', '/_matrix/media/v1/create');
    const mxc: string = created.body.content_uri;
    const early = await download(bob, mxc, '?timeout_ms=100');
    assert.equal(early.status, 504);
    assert.equal(early.body.errcode, 'M_NOT_YET_UPLOADED');
    const waiting = download(bob, mxc, '?timeout_ms=2500');
    await sleep(200);
    const target = `/_matrix/media/v3/upload/${mxc.slice(6)}`;
    await one.request('PUT', target, { token: alice.accessToken, body: Buffer.from('late') });
    assert.equal((await waiting).bytes.toString(), 'late');
  });

  it('are given to servers with their signature, also as thumbnails', async () => {
    const photo = await sharp({ create: { width: 500, height: 400, channels: 3, background: '#642' } })
      .png()
      .toBuffer();
    const mxc = await upload({ server: one, user: alice }, photo, 'image/png', 'a.png');
    const [key] = readOrMakeSigningKeys(path.join(two.folder, 'signing.key'));
    const [origin, destination] = net.servers.map(({ name }) => parseServerName(name)).reverse();
    assert(origin !== undefined && destination !== undefined);
    const ask = (target: string) => {
      const uri = `/_matrix/federation/v1/media/${target}`;
      const signed = signJson({ method: 'GET', uri, origin, destination }, origin, key);
      const signature = signatureOf(signed, origin, key.keyId) ?? '';
      const authorization = `X-Matrix origin="${origin}",destination="${destination}",key="${key.keyId}",sig="${signature}"`;
      return one.request('GET', uri, { headers: { authorization } });
    };
    const id = mxc.split('/').at(-1);
    const file = await ask(`download/${id}`);
    assert.match(file.headers['content-type'] ?? '', /^multipart\/mixed; boundary=/);
    assert.ok(file.bytes.includes(photo));
    assert.ok(file.bytes.includes('Content-Type: image/png\r\nContent-Disposition: inline; filename="a.png"\r\n\r\n'));
    const thumbnail = await ask(`thumbnail/${id}?width=32&height=32&method=crop`);
    assert.equal(thumbnail.status, 200);
    assert.ok(thumbnail.bytes.includes('Content-Type: image/jpeg'));
    assert.equal((await ask('download/nothing')).status, 404);
    const created: string = (await alice.request('POST', '/_matrix/media/v1/create')).body.content_uri;
    const early = await ask(`download/${created.split('/').at(-1)}?timeout_ms=50`);
    assert.deepEqual([early.status, early.body.errcode], [504, 'M_NOT_YET_UPLOADED']);
  });

  it('are given to no server without a signature', async () => {
    const mxc = await upload({ server: one, user: alice }, randomBytes(10), 'text/plain');
    const id = mxc.split('/').at(-1);
    for (const target of [`download/${id}`, `thumbnail/${id}?width=10&height=10`]) {
      const answer = await one.request('GET', `/_matrix/federation/v1/media/${target}`);
      assert.equal(answer.status, 401);
    }
  });

  it('are not there where they are not there, and that is remembered for a while', async () => {
    odd.asked.length = 0;
    odd.handle = (_, response) => response.writeHead(404).end('{"errcode":"M_NOT_FOUND","error":"no"}');
    const mxc = mxcOfOdd();
    for (let count = 0; count < 3; count++) assert.equal((await download(bob, mxc)).body.errcode, 'M_NOT_FOUND');
    assert.equal(odd.asked.length, 1);
    assert.equal((await download(bob, `mxc://${net.servers[0]?.name}/nothing`)).status, 404);
  });

  it('come over the old paths from servers that know no others', async () => {
    const bytes = randomBytes(1000);
    odd.asked.length = 0;
    odd.handle = ({ url = '', headers }, response) => {
      if (!url.startsWith('/_matrix/media/r0/')) {
        response.writeHead(404).end('{"errcode":"M_UNRECOGNIZED","error":"?"}');
        return;
      }
      assert.equal(headers.authorization, undefined);
      const disposition = "attachment; filename*=utf-8''%C3%A9t%C3%A9.bin";
      response.writeHead(200, { 'content-type': 'x y', 'content-disposition': disposition }).end(bytes);
    };
    const got = await download(bob, mxcOfOdd());
    assert.ok(got.bytes.equals(bytes));
    assert.equal(got.headers['content-type'], 'application/octet-stream', 'a type that is none');
    assert.match(got.headers['content-disposition'] ?? '', /filename\*=UTF-8''%C3%A9t%C3%A9\.bin/);
    assert.equal(odd.asked.length, 3);
    assert.match(odd.asked[1] ?? '', /^\/_matrix\/media\/v3\/download\/localhost%3A\d+\/[\w-]+\?allow_remote=false/);
  });

  it('come from where a server points to', async () => {
    const bytes = randomBytes(1000);
    odd.handle = ({ url = '', headers }, response) => {
      if (url === '/elsewhere') response.writeHead(302, { location: '/there' }).end();
      else if (url === '/there') {
        assert.equal(headers.authorization, undefined, 'no signature for strangers');
        response.writeHead(200, { 'content-type': 'image/webp' }).end(bytes);
      } else response.writeHead(200, MULTIPART).end(multipart('', `Location: https://${odd.name}/elsewhere`));
    };
    const got = await download(bob, mxcOfOdd());
    assert.ok(got.bytes.equals(bytes));
    assert.equal(got.headers['content-type'], 'image/webp');
  });

  describe('of a server that means no good', () => {
    const zeros = Buffer.alloc(65_536);
    const endlessly = (response: ServerResponse): void => {
      if (!response.destroyed && response.write(zeros)) setImmediate(endlessly, response);
      else response.once('drain', () => endlessly(response));
    };
    const cases: Readonly<Record<string, { readonly handle: Handler; readonly errcode?: string }>> = {
      'garbage instead of parts': { handle: (_, r) => r.writeHead(200, MULTIPART).end(randomBytes(200_000)) },
      'no parts at all': { handle: (_, r) => r.writeHead(200, { 'content-type': 'image/png' }).end('x') },
      'another boundary than it says': {
        handle: (_, r) => r.writeHead(200, { 'content-type': 'multipart/mixed; boundary=c' }).end(multipart('x')),
      },
      'a file that is cut off': {
        handle: (_, r) => r.writeHead(200, MULTIPART).end(multipart(randomBytes(300_000)).subarray(0, 200_000)),
      },
      'a connection that breaks': {
        handle: (_, r) => {
          r.writeHead(200, MULTIPART).write(multipart(randomBytes(300_000)).subarray(0, 200_000));
          setTimeout(() => r.destroy(), 50);
        },
      },
      'an endless preamble': { handle: (_, r) => endlessly(r.writeHead(200, MULTIPART)) },
      'an endless file': {
        handle: (_, r) => {
          r.writeHead(200, MULTIPART).write(multipart('').subarray(0, -7));
          endlessly(r);
        },
        errcode: 'M_TOO_LARGE',
      },
      'a file that is announced as too large': {
        handle: ({ url = '' }, r) => {
          if (url.startsWith('/_matrix/media/v3')) r.writeHead(200, { 'content-length': SIZE_MAX + 1 }).write('x');
          else r.writeHead(404).end();
        },
        errcode: 'M_TOO_LARGE',
      },
      'a slow trickle': {
        handle: (_, r) => {
          r.writeHead(200, MULTIPART).write(multipart('').subarray(0, -7));
          const timer = setInterval(() => r.write('x'), 50);
          r.once('close', () => clearInterval(timer));
        },
      },
      'a redirect in circles': {
        handle: ({ url = '' }, r) => {
          if (url === '/loop') r.writeHead(302, { location: '/loop' }).end();
          else r.writeHead(200, MULTIPART).end(multipart('', `Location: https://${odd.name}/loop`));
        },
      },
      'a way to plain http': {
        handle: (_, r) => r.writeHead(200, MULTIPART).end(multipart('', 'Location: http://127.0.0.1/x')),
      },
      'a way to nowhere': {
        handle: (_, r) => r.writeHead(200, MULTIPART).end(multipart('', 'Location: file:///etc/passwd')),
      },
    };

    for (const [name, { handle, errcode = 'M_UNKNOWN' }] of Object.entries(cases)) {
      it(`${name} gives 502 and leaves nothing behind`, async () => {
        odd.handle = handle;
        const before = performance.now();
        const got = await download(bob, mxcOfOdd());
        assert.equal(got.status, 502, got.bytes.toString());
        assert.equal(got.body.errcode, errcode);
        assert.ok(performance.now() - before < 6_000);
        assert.equal(await stagedCount(two), 0);
        // The server is left in peace after some of these; here it is to be asked again.
        odd.handle = (_, r) => r.writeHead(404).end('{"errcode":"M_NOT_FOUND"}');
      });
    }

    it('never more at once than configured', async () => {
      let running = 0;
      let most = 0;
      odd.handle = (_, response) => {
        running++;
        most = Math.max(most, running);
        void sleep(60).then(() => {
          running--;
          response.writeHead(200, MULTIPART).end(multipart('x'));
        });
      };
      const all = await Promise.all(Array.from({ length: 8 }, () => download(bob, mxcOfOdd())));
      assert.ok(all.every(({ status }) => status === 200));
      assert.equal(most, 2);
    });

    it('no id leads to another path', async () => {
      odd.asked.length = 0;
      for (const id of ['..%2f..%2fadmin', '..', '%2e%2e', 'a%00b', 'a%2Fb']) {
        const got = await bob.request('GET', `/_matrix/client/v1/media/download/${odd.name}/${id}`);
        assert.ok(got.status === 400 || got.status === 404);
      }
      assert.deepEqual(odd.asked, []);
    });
  });

  it('are not fetched for those who are not logged in', async () => {
    odd.asked.length = 0;
    const got = await two.request('GET', `/_matrix/media/v3/download/${mxcOfOdd().slice(6)}`);
    assert.equal(got.status, 404);
    assert.deepEqual(odd.asked, []);
  });

  it('never take more room than configured; the ones unused longest go', async () => {
    odd.handle = (_, response) => response.writeHead(200, MULTIPART).end(multipart(randomBytes(1_500_000)));
    const first = mxcOfOdd();
    await download(bob, first);
    for (let count = 0; count < 7; count++) assert.equal((await download(bob, mxcOfOdd())).status, 200);
    const folder = path.join(two.folder, 'media/files');
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    const sizes = await Promise.all(
      entries
        .filter((entry) => entry.isFile())
        .map(async (entry) => (await readFile(path.join(entry.parentPath, entry.name))).length),
    );
    const total = sizes.reduce((sum, size) => sum + size, 0);
    // What bob uploaded himself, and thumbnails, don't count.
    assert.ok(total < 8 * 1024 ** 2 + 1_700_000, `${total} bytes`);
    odd.asked.length = 0;
    await download(bob, first);
    assert.equal(odd.asked.length, 1, 'it was fetched again');
  });
});

it('files of other servers never take more room than configured, however many come at once', async () => {
  const ROOM_BYTES = 3 * 1024 ** 2;
  const config = { media: { remote: { per_server_max: 8 }, tidy: { remote_cache_max: '3M' } } };
  await using net = await network(2, { inProcess: true, config });
  const [one, two] = net.servers;
  assert(one !== undefined && two !== undefined);
  const [alice, bob] = [await one.server.register('alice'), await two.server.register('bob')];
  const sizes = Array.from({ length: 16 }, (_, i) => 500_000 + i * 20_000);
  const mxcs = await Promise.all(
    sizes.map((size) => upload({ server: one.server, user: alice }, randomBytes(size), 'image/png')),
  );
  let mostBytes = 0;
  let isOver = false;
  const watching = (async () => {
    while (!isOver) {
      mostBytes = Math.max(mostBytes, await bytesIn(path.join(two.server.folder, 'media/files')));
      await sleep(2);
    }
  })();
  const got = await Promise.all(mxcs.map((mxc) => download(bob, mxc)));
  isOver = true;
  await watching;
  assert.deepEqual(
    got.map(({ status }) => status),
    sizes.map(() => 200),
  );
  assert.ok(mostBytes <= ROOM_BYTES * 1.01, `${mostBytes} bytes at most`);
  assert.ok(mostBytes > ROOM_BYTES / 2, 'and the room is used');
});

/** What the files of a folder take, whatever goes meanwhile. */
async function bytesIn(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const sizes = entries.map(async (entry) => {
    if (!entry.isFile()) return 0;
    return (await stat(path.join(entry.parentPath, entry.name)).catch(() => undefined))?.size ?? 0;
  });
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}
