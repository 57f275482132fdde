import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { HttpClient } from '../testing/http-client.ts';
import { startSampleHttp } from '../testing/sample-http.ts';

async function temporaryFolder() {
  const folder = await mkdtemp(path.join(tmpdir(), 'inglenook-http-'));
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}

describe('listeners', () => {
  it('serve only their own resources, on every address', async () => {
    await using http = await startSampleHttp({
      listeners: [
        { port: 0, addresses: ['127.0.0.1', '127.0.0.2'], resources: ['client'] },
        { port: 0, addresses: ['127.0.0.1'], resources: ['metrics', 'health'] },
      ],
    });
    const status = async (index: number, target: string) => {
      using client = new HttpClient(http.listeners.addresses[index]?.url ?? '');
      return (await client.request('GET', target, { token: 'user' })).status;
    };
    assert.equal(await status(0, '/_matrix/client/v3/account/whoami'), 200);
    assert.equal(await status(1, '/_matrix/client/v3/account/whoami'), 200);
    assert.equal(await status(0, '/metrics'), 404);
    assert.equal(await status(2, '/metrics'), 200);
    assert.equal(await status(2, '/_matrix/client/v3/account/whoami'), 404);
  });

  it('listen on a unix socket with the given mode, and replace one that a killed server left behind', async () => {
    await using data = await temporaryFolder();
    const file = path.join(data.folder, 'socket');
    await writeFile(file, '');
    await assert.rejects(startSampleHttp({ listeners: [{ unix_socket: '/nonexistent/socket' }] }));
    await rm(file);
    await using http = await startSampleHttp({ listeners: [{ unix_socket: file, unix_socket_mode: '600' }] });
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    assert.equal((await http.client.request('GET', '/health')).status, 200);
    await assert.rejects(startSampleHttp({ listeners: [{ unix_socket: file }] }), /EADDRINUSE/);
  });

  it('speak TLS with a self-signed certificate that is made once and names the server', async () => {
    await using data = await temporaryFolder();
    const listeners = [{ port: 0, addresses: ['127.0.0.1'], tls: true }];
    const certificates: string[] = [];
    for (let start = 0; start < 2; start++) {
      await using http = await startSampleHttp({ listeners, dataFolder: data.folder });
      assert.match(http.baseUrl, /^https:/);
      assert.equal((await http.client.request('GET', '/health')).status, 200);
      certificates.push(await readFile(path.join(data.folder, 'self-signed.crt'), 'utf8'));
    }
    assert.equal(certificates[0], certificates[1]);
    const certificate = new X509Certificate(certificates[0] ?? '');
    assert.equal(certificate.checkHost('example.org'), 'example.org');
    assert.equal(certificate.checkIP('127.0.0.1'), '127.0.0.1');
    assert.equal((await stat(path.join(data.folder, 'self-signed.key'))).mode & 0o777, 0o600);
  });

  it('end waiting requests on shutdown, answer them, and then close', async () => {
    const http = await startSampleHttp();
    const waiting = http.client.request('GET', '/_matrix/client/v3/wait');
    await sleep(50);
    const startedAt = performance.now();
    const closed = http.listeners[Symbol.asyncDispose]();
    assert.deepEqual((await waiting).body, { waited: true });
    await closed;
    assert.ok(performance.now() - startedAt < 1000);
    using late = new HttpClient(http.baseUrl);
    await assert.rejects(late.request('GET', '/health'), /ECONNREFUSED/);
  });
});
