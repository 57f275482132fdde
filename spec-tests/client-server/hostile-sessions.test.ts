/** What a token is still good for once its session is over. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { ClientResponse } from '../../src/testing/http-client.ts';
import { TestServer } from '../../src/testing/test-server.ts';
import type { TestUser } from '../../src/testing/test-user.ts';
import { createRoom, isPending, join, ok, say, sync, syncPath, V3 } from './sync-client.ts';

const WAIT_MS = 20_000;

/** Who waits, and how to tell that it is this user. */
interface Waiter {
  readonly user: TestUser;
  readonly auth: object;
}

describe('a sync that waits while its session ends', () => {
  let server: TestServer;
  let admin: TestUser;
  let alice: TestUser;
  let roomId: string;

  before(async () => {
    server = await TestServer.start({ inProcess: true, config: { presence: { enabled: false } } });
    admin = await server.register('root', { admin: true });
    alice = await server.register('alice');
    roomId = await createRoom(alice);
  });
  after(() => server[Symbol.asyncDispose]());

  /** A new user's sync that waits while `end` is done; what happens in the room afterwards is none of its business. */
  async function syncDuring(name: string, end: (waiter: Waiter) => Promise<unknown>, path?: string) {
    const user = await server.register(name);
    await join(user, roomId);
    const { next_batch: since } = await sync(user);
    const waiting = user.request('GET', path ?? V3 + syncPath({ since, timeout: WAIT_MS }));
    assert.ok(await isPending(waiting, 40), 'there was news already');
    const identifier = { type: 'm.id.user', user: name };
    await end({ user, auth: { type: 'm.login.password', identifier, password: `password-${name}` } });
    await say(alice, roomId, 'nobody who has left may read this');
    const started = performance.now();
    const answer = await waiting;
    assert.ok(performance.now() - started < WAIT_MS / 4, 'it waited on');
    return answer;
  }

  function assertRefused({ status, body }: ClientResponse, errcode = 'M_UNKNOWN_TOKEN'): void {
    assert.deepEqual([status, body.errcode], [401, errcode]);
  }

  it('is refused after a log-out', async () => {
    assertRefused(await syncDuring('logout', ({ user }) => ok(user, 'POST', '/logout', {})));
  });

  it('is refused after a log-out everywhere', async () => {
    assertRefused(await syncDuring('everywhere', ({ user }) => ok(user, 'POST', '/logout/all', {})));
  });

  it('is refused after its device was deleted', async () => {
    const end = ({ user, auth }: Waiter) => ok(user, 'DELETE', `/devices/${user.deviceId}`, { auth });
    assertRefused(await syncDuring('deleted', end));
  });

  it('is refused after another log-in took its device over', async () => {
    const end = async ({ user, auth }: Waiter) => {
      const body = { ...auth, device_id: user.deviceId };
      assert.equal((await server.request('POST', `${V3}/login`, { body })).status, 200);
    };
    assertRefused(await syncDuring('taken', end));
  });

  it('is refused after the account was deactivated', async () => {
    assertRefused(await syncDuring('gone', ({ user, auth }) => ok(user, 'POST', '/account/deactivate', { auth })));
  });

  it('is refused after the account was locked', async () => {
    const end = ({ user }: Waiter) =>
      admin.request('PUT', `/_matrix/client/v1/admin/lock/${user.userId}`, { locked: true });
    assertRefused(await syncDuring('locked', end), 'M_USER_LOCKED');
  });

  it('is refused in its older form too', async () => {
    const end = ({ user }: Waiter) => ok(user, 'POST', '/logout', {});
    assertRefused(await syncDuring('old', end, `${V3}/events?timeout=${WAIT_MS}`));
    assertRefused(await syncDuring('peek', end, `${V3}/events?timeout=${WAIT_MS}&room_id=${roomId}`));
  });

  it('is answered where another device of the user logs out', async () => {
    const end = async ({ user, auth }: Waiter) => {
      const other = await server.request('POST', `${V3}/login`, { body: auth });
      await server.request('POST', `${V3}/logout`, { token: other.body.access_token, body: {} });
      assert.equal((await user.request('GET', `${V3}/account/whoami`)).status, 200);
    };
    const { status, body } = await syncDuring('other', end);
    assert.equal(status, 200);
    assert.equal(typeof body.next_batch, 'string');
  });
});
