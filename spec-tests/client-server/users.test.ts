import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { TestServer } from '../../src/testing/test-server.ts';
import type { TestUser } from '../../src/testing/test-user.ts';
import { createRoom, eventually, join, V1, V3 } from './helpers.ts';

describe('the user directory', () => {
  let hs: TestServer;
  let alice: TestUser;
  let bob: TestUser;
  let carol: TestUser;
  before(async () => {
    hs = await TestServer.start({ inProcess: true });
    alice = await hs.register('alice');
    bob = await hs.register('bobby-tables');
    carol = await hs.register('carol');
    await bob.request('PUT', `${V3}/profile/${bob.userId}/displayname`, { displayname: '王小明 Robert' });
  });
  after(() => hs[Symbol.asyncDispose]());

  async function found(user: TestUser, term: string, limit = 10) {
    const { status, body } = await user.request('POST', `${V3}/user_directory/search`, { search_term: term, limit });
    assert.equal(status, 200, JSON.stringify(body));
    return body.results.map((one: { user_id: string }) => one.user_id);
  }

  it('shows users of shared rooms, by the beginning of id or name and by CJK names, and no others', async () => {
    assert.deepEqual(await found(alice, 'robert'), []);
    const roomId = await createRoom(alice, { preset: 'private_chat', invite: [bob.userId] });
    await join(bob, roomId);
    await eventually(async () => assert.deepEqual(await found(alice, 'robert'), [bob.userId]));
    for (const term of ['bob', 'tables', 'ROB', '小明', '王', bob.userId, 'bobby-tab']) {
      assert.deepEqual(await found(alice, term), [bob.userId], term);
    }
    assert.deepEqual(await found(carol, 'robert'), []);
    assert.deepEqual(await found(alice, 'nobody'), []);
    assert.deepEqual(await found(alice, ''), []);
  });

  it('shows those who are in public rooms, and forgets who is gone', async () => {
    const dave = await hs.register('dave');
    await createRoom(dave);
    await eventually(async () => assert.deepEqual(await found(carol, 'dave'), [dave.userId]));
    const auth = {
      type: 'm.login.password',
      identifier: { type: 'm.id.user', user: 'dave' },
      password: 'password-dave',
    };
    assert.equal((await dave.request('POST', `${V3}/account/deactivate`, { auth })).status, 200);
    await eventually(async () => assert.deepEqual(await found(carol, 'dave'), []));
  });

  it('says where there are more', async () => {
    for (const name of ['zed1', 'zed2', 'zed3']) await createRoom(await hs.register(name));
    await eventually(async () => assert.equal((await found(alice, 'zed')).length, 3));
    const { body } = await alice.request('POST', `${V3}/user_directory/search`, { search_term: 'zed', limit: 2 });
    assert.equal(body.results.length, 2);
    assert.equal(body.limited, true);
  });

  it('tells the rooms that two users share', async () => {
    const roomId = await createRoom(alice);
    await join(carol, roomId);
    const { status, body } = await alice.request(
      'GET',
      `${V1}/mutual_rooms?user_id=${encodeURIComponent(carol.userId)}`,
    );
    assert.equal(status, 200);
    assert.deepEqual(body, { joined: [roomId], count: 1 });
    const own = await alice.request('GET', `${V1}/mutual_rooms?user_id=${encodeURIComponent(alice.userId)}`);
    assert.equal(own.body.errcode, 'M_INVALID_PARAM');
    const unknown = await alice.request('GET', `${V1}/mutual_rooms?user_id=@nobody:example.org`);
    assert.deepEqual(unknown.body, { joined: [], count: 0 });
    assert.equal((await alice.request('GET', `${V1}/mutual_rooms`)).status, 400);
  });
});
