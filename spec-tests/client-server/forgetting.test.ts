/** Spec: client-server-api/#mforget_forced_upon_leave-capability (MSC4267) */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { TestServer } from '../../src/testing/test-server.ts';
import type { TestUser } from '../../src/testing/test-user.ts';
import { createRoom, join, V3 } from './helpers.ts';

const WITH_LEFT = encodeURIComponent(JSON.stringify({ room: { include_leave: true } }));

async function forgetsOnLeave(user: TestUser): Promise<boolean> {
  return (await user.request('GET', `${V3}/capabilities`)).body.capabilities['m.forget_forced_upon_leave'].enabled;
}

describe('a server that forgets what users leave', () => {
  let hs: TestServer;
  let alice: TestUser;
  let bob: TestUser;
  before(async () => {
    hs = await TestServer.start({ inProcess: true, config: { rooms: { forget_on_leave: true } } });
    alice = await hs.register('alice');
    bob = await hs.register('bob');
  });
  after(() => hs[Symbol.asyncDispose]());

  it('says so', async () => assert.equal(await forgetsOnLeave(bob), true));

  const endings: Record<string, (roomId: string) => readonly [TestUser, string, object]> = {
    leave: (roomId) => [bob, `${V3}/rooms/${roomId}/leave`, {}],
    kick: (roomId) => [alice, `${V3}/rooms/${roomId}/kick`, { user_id: bob.userId }],
    ban: (roomId) => [alice, `${V3}/rooms/${roomId}/ban`, { user_id: bob.userId }],
  };
  for (const [name, ending] of Object.entries(endings)) {
    it(`tells of a ${name}, and shows nothing of the room any more`, async () => {
      const roomId = await createRoom(alice);
      await join(bob, roomId);
      const since = (await bob.request('GET', `${V3}/sync`)).body.next_batch;
      const [user, path, body] = ending(roomId);
      assert.equal((await user.request('POST', path, body)).status, 200);
      const { rooms } = (await bob.request('GET', `${V3}/sync?since=${since}`)).body;
      const [member] = rooms.leave[roomId].timeline.events.slice(-1);
      assert.equal(member.state_key, bob.userId);
      assert.equal((await bob.request('GET', `${V3}/rooms/${roomId}/messages?dir=b`)).status, 403);
      const all = (await bob.request('GET', `${V3}/sync?filter=${WITH_LEFT}`)).body;
      assert.equal(all.rooms?.leave?.[roomId], undefined);
    });
  }

  it('shows the room again to who comes back', async () => {
    const roomId = await createRoom(alice);
    await join(bob, roomId);
    await bob.request('POST', `${V3}/rooms/${roomId}/leave`, {});
    await join(bob, roomId);
    assert.equal((await bob.request('GET', `${V3}/rooms/${roomId}/messages?dir=b`)).status, 200);
  });
});

describe('any other server', () => {
  it('shows what users have left until they forget it', async () => {
    await using hs = await TestServer.start({ inProcess: true });
    const alice = await hs.register('alice');
    const bob = await hs.register('bob');
    assert.equal(await forgetsOnLeave(bob), false);
    const roomId = await createRoom(alice);
    await join(bob, roomId);
    await bob.request('POST', `${V3}/rooms/${roomId}/leave`, {});
    const left = async () => (await bob.request('GET', `${V3}/sync?filter=${WITH_LEFT}`)).body.rooms?.leave?.[roomId];
    assert.notEqual(await left(), undefined);
    await bob.request('POST', `${V3}/rooms/${roomId}/forget`, {});
    assert.equal(await left(), undefined);
  });
});
