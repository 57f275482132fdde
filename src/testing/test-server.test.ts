import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TestServer } from './test-server.ts';

describe('TestServer', () => {
  it('runs in a process of its own, and goes on on the same port after it was killed', async () => {
    await using server = await TestServer.start();
    const first = server.pid;
    assert.deepEqual((await server.request('GET', '/health')).body, { status: 'ok' });
    await server.kill();
    await assert.rejects(server.request('GET', '/health'));
    await server.restart();
    assert.notEqual(server.pid, first);
    assert.equal((await server.request('GET', '/health')).status, 200);
  });

  it('runs in the process of the test, with its routes to look at', async () => {
    await using server = await TestServer.start({ inProcess: true });
    assert.ok(server.homeserver.routes.length > 0);
    assert.equal((await server.request('GET', '/health')).status, 200);
    await server.restart();
    assert.equal((await server.request('GET', '/_matrix/client/v3/nothing')).status, 404);
  });
});
