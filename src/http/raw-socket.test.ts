import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startSampleHttp } from '../testing/sample-http.ts';

/** Writes the parts with a pause between them, and gives all that comes back until the server closes or `untilMs` passed. */
async function talk(port: number, parts: readonly string[], untilMs = 300): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  let seen = '';
  socket.on('data', (chunk) => {
    seen += chunk.toString('utf8');
  });
  socket.on('error', () => undefined);
  for (const part of parts) {
    socket.write(part);
    await sleep(10);
  }
  await Promise.race([closed, sleep(untilMs)]);
  socket.destroy();
  return seen;
}

const statuses = (text: string) => [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status));
const get = (path: string) => `GET ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer user\r\n\r\n`;
const put = (headers: string, body: string) =>
  `PUT /_matrix/client/v3/rooms/!r:x/send/m/1 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer user\r\n${headers}\r\n\r\n${body}`;
const WHOAMI = '/_matrix/client/v3/account/whoami';

describe('odd things on the wire', () => {
  it('answers pipelined requests in order', async () => {
    await using http = await startSampleHttp();
    const body = '{"msgtype":"m"}';
    const text = await talk(http.port, [
      get(WHOAMI) + put(`content-length: ${body.length}`, body) + get('/_matrix/nope') + get(WHOAMI),
    ]);
    assert.deepEqual(statuses(text), [200, 200, 404, 200]);
  });

  it('never fails on paths that are no valid percent-encoding or not even paths', async () => {
    await using http = await startSampleHttp();
    const targets = [
      '/%zz',
      '/_matrix/client/v3/rooms/%E0%A4/state/m',
      '/_matrix/%',
      '*',
      '//',
      '/../../etc/passwd',
      'http://[/',
      '/_matrix/client/v3/rooms//state/m',
      `/_matrix/client/v3/rooms/${'%41'.repeat(5000)}/state/m`,
    ];
    for (const target of targets) {
      const [status] = statuses(await talk(http.port, [get(target)], 100));
      assert.ok(status === 400 || status === 404, `${target.slice(0, 50)}: ${status}`);
    }
    assert.match(await talk(http.port, [get('/%zz')], 100), /400.*M_UNRECOGNIZED/s);
  });

  it('takes keys that name parts of JavaScript for what they are', async () => {
    await using http = await startSampleHttp();
    const path = '/_matrix/client/v3/rooms/__proto__/state/constructor/toString?__proto__=1&constructor=2';
    assert.match(
      await talk(http.port, [get(path)], 100),
      /"roomId":"__proto__","eventType":"constructor","stateKey":"toString"/,
    );
    const body = '{"msgtype":"m","__proto__":{"x":1},"constructor":1}';
    const text = await talk(http.port, [put(`content-length: ${body.length}`, body)], 100);
    assert.deepEqual(statuses(text), [200]);
  });

  it('reads bodies that come slowly, and gives up on those that never end', async () => {
    await using http = await startSampleHttp({ bodyTimeoutMs: 100 });
    const slowly = [put('content-length: 15', '{"msg'), 'type', '":"m"}'];
    assert.deepEqual(statuses(await talk(http.port, slowly, 80)), [200]);
    const never = await talk(http.port, [put('content-length: 15', '{"msg')], 3000);
    assert.deepEqual(statuses(never), [408]);
  });

  it('survives bodies that are cut off', async () => {
    await using http = await startSampleHttp();
    await talk(http.port, [put('content-length: 1000', '{"msgtype":')], 20);
    await talk(http.port, [put('transfer-encoding: chunked', '5\r\n{"msg\r\n')], 20);
    assert.equal((await http.client.request('GET', WHOAMI, { token: 'user' })).status, 200);
  });

  it('refuses an endless chunked body when it passes the limit, and closes the connection', async () => {
    await using http = await startSampleHttp();
    const chunk = `10000\r\n${'x'.repeat(65536)}\r\n`;
    const text = await talk(
      http.port,
      [put('transfer-encoding: chunked', ''), chunk, chunk, chunk, chunk, chunk],
      3000,
    );
    assert.match(text, /^HTTP\/1\.1 413 .*connection: close.*M_TOO_LARGE/is);
  });

  it('keeps the connection after a refusal that left a short body unread', async () => {
    await using http = await startSampleHttp();
    const body = '{"msgtype":"m"}';
    const refused = put(`content-length: ${body.length}`, body).replace('Bearer user', 'Bearer wrong');
    assert.deepEqual(statuses(await talk(http.port, [refused, get(WHOAMI)])), [401, 200]);
  });

  it('refuses a flood of headers and what is not HTTP', async () => {
    await using http = await startSampleHttp();
    const flood = `GET / HTTP/1.1\r\nhost: x\r\n${'x-a: '.concat('b'.repeat(1000), '\r\n').repeat(60)}\r\n`;
    assert.match(await talk(http.port, [flood]), /^HTTP\/1\.1 431 .*errcode/s);
    assert.match(await talk(http.port, ['\u0016\u0003\u0001 hello\r\n\r\n']), /^HTTP\/1\.1 400 /);
    assert.match(await talk(http.port, ['GET / HTTP/1.1\r\n\r\n']), /^HTTP\/1\.1 400 /);
    const smuggled = put('content-length: 5\r\ntransfer-encoding: chunked', '0\r\n\r\n');
    assert.match(await talk(http.port, [smuggled]), /^HTTP\/1\.1 400 /);
  });
});
