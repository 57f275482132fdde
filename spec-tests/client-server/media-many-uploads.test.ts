/** Uploads that come at once, come slowly or break off don't harm each other. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import path from 'node:path';
import { it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestServer } from '../../src/testing/test-server.ts';

const BODY_BYTES = 900_000;

/** Begins an upload of `BODY_BYTES` by hand. */
function begin(hs: TestServer, token: string): Socket {
  const socket = connect(Number(new URL(hs.baseUrl).port), '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write(
    `POST /_matrix/media/v3/upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Length: ${BODY_BYTES}\r\n\r\n`,
  );
  return socket;
}

it('keeps whole what comes whole, of 50 uploads of which a third breaks off and one is slow', async () => {
  await using hs = await TestServer.start();
  const { accessToken: token } = await hs.register('alice');
  const slow = begin(hs, token);
  const trickle = setInterval(() => slow.write(randomBytes(10_000)), 20);
  const kept = new Map<string, Buffer>();
  await Promise.all(
    Array.from({ length: 50 }, async (_, i) => {
      const body = randomBytes(BODY_BYTES);
      if (i % 3 === 0) {
        const socket = begin(hs, token);
        socket.write(body.subarray(0, 600_000));
        await sleep(i * 2);
        socket.destroy();
        return;
      }
      const answer = await hs.request('POST', '/_matrix/media/v3/upload', { token, body });
      assert.equal(answer.status, 200);
      kept.set(answer.body.content_uri, body);
    }),
  );
  const answer = String((await once(slow, 'data'))[0]);
  clearInterval(trickle);
  slow.destroy();
  assert.match(answer, /^HTTP\/1.1 200 /);
  while ((await readdir(path.join(hs.folder, 'media/incoming'))).length > 0) await sleep(10);
  assert.equal(kept.size, 33);
  for (const [mxc, body] of kept) {
    const target = `/_matrix/client/v1/media/download/${mxc.slice('mxc://'.length)}`;
    assert.ok((await hs.request('GET', target, { token })).bytes.equals(body));
  }
});
