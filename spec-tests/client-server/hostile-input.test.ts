/** JSON that passes every schema and that yet nothing can be made of. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { TestServer } from '../../src/testing/test-server.ts';
import type { TestUser } from '../../src/testing/test-user.ts';
import { createRoom, join, V3 } from './sync-client.ts';

const LONE_SURROGATE = '"\\ud800"';
const INFINITY = '1e400';

describe('a value that has no canonical JSON is refused, not a failure of ours', () => {
  let server: TestServer;
  let alice: TestUser;
  let bob: TestUser;
  let room: string;

  before(async () => {
    server = await TestServer.start({ inProcess: true, config: { presence: { enabled: false } } });
    alice = await server.register('alice');
    bob = await server.register('bob');
    const roomId = await createRoom(alice);
    await join(bob, roomId);
    room = `/rooms/${encodeURIComponent(roomId)}`;
  });
  after(() => server[Symbol.asyncDispose]());

  /** `body` is sent as it is: `JSON.stringify` would mend it. */
  async function isRefused(method: string, path: string, body?: string): Promise<void> {
    const answer = await server.request(method, V3 + path, { token: alice.accessToken, body });
    assert.deepEqual([answer.status, answer.body.errcode], [400, 'M_BAD_JSON'], `${path} ${body}`);
  }

  for (const value of [LONE_SURROGATE, INFINITY]) {
    it(`in a filter: ${value}`, async () => {
      const filters = `/user/${encodeURIComponent(alice.userId)}/filter`;
      await isRefused('POST', filters, `{"room":{"timeline":{"x.y":${value}}}}`);
    });

    it(`in a membership: ${value}`, async () => {
      const member = `${room}/state/m.room.member/${encodeURIComponent(alice.userId)}`;
      await isRefused('PUT', member, `{"membership":"join","x.y":${value}}`);
    });

    it(`in the content of state that is there: ${value}`, async () => {
      const topic = { token: alice.accessToken, body: { topic: 'x' } };
      assert.equal((await server.request('PUT', `${V3}${room}/state/m.room.topic/`, topic)).status, 200);
      await isRefused('PUT', `${room}/state/m.room.topic/`, `{"topic":"x","x.y":${value}}`);
    });
  }

  it('in the reason of a ban that is repeated', async () => {
    const ban = { user_id: bob.userId };
    assert.equal((await alice.request('POST', `${V3}${room}/ban`, ban)).status, 200);
    await isRefused('POST', `${room}/ban`, `{"user_id":"${bob.userId}","reason":${LONE_SURROGATE}}`);
  });

  it('in a filter of /sync', async () => {
    const filter = encodeURIComponent(`{"room":{"timeline":{"x.y":${LONE_SURROGATE}}}}`);
    const answer = await alice.request('GET', `${V3}/sync?timeout=0&filter=${filter}`);
    assert.equal(answer.status, 400, answer.body.error);
  });
});
