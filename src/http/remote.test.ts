import assert from 'node:assert/strict';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { describe, it } from 'node:test';
import { createRemoteOf } from './remote.ts';

function request(address: string | undefined, headers: Record<string, string> = {}): IncomingMessage {
  const socket = new Socket();
  Object.defineProperty(socket, 'remoteAddress', { value: address });
  const message = new IncomingMessage(socket);
  Object.assign(message.headers, headers);
  return message;
}

describe('the remote end of a request', () => {
  it('is local on a loopback socket without any forwarding header', () => {
    const remoteOf = createRemoteOf([]);
    for (const address of ['127.0.0.1', '127.3.2.1', '::1', '::ffff:127.0.0.1'])
      assert.ok(remoteOf(request(address)).isLocal);
    for (const address of ['192.168.1.1', '::2', undefined]) assert.equal(remoteOf(request(address)).isLocal, false);
    for (const header of ['x-forwarded-for', 'x-forwarded-proto', 'forwarded', 'via', 'x-real-ip']) {
      assert.equal(remoteOf(request('127.0.0.1', { [header]: '127.0.0.1' })).isLocal, false);
    }
    assert.equal(
      createRemoteOf(['127.0.0.1']).call(null, request('127.0.0.1', { 'x-forwarded-for': '127.0.0.1' })).isLocal,
      false,
    );
  });

  it('is not local for web pages of other hosts, which a browser on this machine lets in', () => {
    const isLocal = (origin: string) => createRemoteOf([])(request('127.0.0.1', { origin })).isLocal;
    for (const origin of ['https://evil.example', 'http://127.evil.example', 'http://localhost.evil.example', 'null']) {
      assert.equal(isLocal(origin), false, origin);
    }
    for (const origin of ['http://localhost:8008', 'http://127.0.0.1', 'http://[::1]:3000', 'vector://vector']) {
      assert.equal(isLocal(origin), true, origin);
    }
  });

  it('believes X-Forwarded-For only from trusted proxies, from the right', () => {
    const headers = { 'x-forwarded-for': '6.6.6.6, 203.0.113.9, 10.1.2.3' };
    assert.equal(createRemoteOf([])(request('10.0.0.1', headers)).ip, '10.0.0.1');
    const remoteOf = createRemoteOf(['10.0.0.0/8', 'fd00::/8']);
    assert.equal(remoteOf(request('10.0.0.1', headers)).ip, '203.0.113.9');
    assert.equal(remoteOf(request('::ffff:10.0.0.1', headers)).ip, '203.0.113.9');
    assert.equal(remoteOf(request('fd00::1', headers)).ip, '203.0.113.9');
    assert.equal(remoteOf(request('192.0.2.1', headers)).ip, '192.0.2.1');
    assert.equal(remoteOf(request('10.0.0.1', { 'x-forwarded-for': '[2001:db8::1]:1234' })).ip, '2001:db8::1');
    assert.equal(remoteOf(request('10.0.0.1', { 'x-forwarded-for': 'nonsense' })).ip, '10.0.0.1');
    assert.equal(remoteOf(request(undefined, headers)).ip, '203.0.113.9');
  });

  it('refuses a configuration that names no address', () => {
    assert.throws(() => createRemoteOf(['10.0.0.0/99']), /Not an address/);
    assert.throws(() => createRemoteOf(['proxy.example']), /Not an address/);
  });
});
