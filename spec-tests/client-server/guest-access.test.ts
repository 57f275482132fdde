/** Spec: client-server-api/#guest-access */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { TestServer } from '../../src/testing/test-server.ts';
import { TestUser } from '../../src/testing/test-user.ts';
import { signature } from '../compliance.ts';
import { createRoom, eventually, say, V3 } from './helpers.ts';

/** What the specification opens to guests. */
const OPEN_TO_GUESTS = [
  'GET /_matrix/client/v3/rooms/{}/state',
  'GET /_matrix/client/v3/rooms/{}/context/{}',
  'GET /_matrix/client/v3/rooms/{}/event/{}',
  'GET /_matrix/client/v3/rooms/{}/state/{}/{}',
  'GET /_matrix/client/v3/rooms/{}/messages',
  'GET /_matrix/client/v3/rooms/{}/members',
  'GET /_matrix/client/v3/rooms/{}/initialSync',
  'GET /_matrix/client/v3/sync',
  'GET /_matrix/client/v3/events',
  'GET /_matrix/client/v1/media/download/{}/{}',
  'GET /_matrix/client/v1/media/download/{}/{}/{}',
  'GET /_matrix/client/v1/media/thumbnail/{}/{}',
  'POST /_matrix/client/v3/rooms/{}/join',
  'POST /_matrix/client/v3/rooms/{}/leave',
  'PUT /_matrix/client/v3/rooms/{}/send/{}/{}',
  'PUT /_matrix/client/v3/rooms/{}/state/{}/{}',
  'PUT /_matrix/client/v3/sendToDevice/{}/{}',
  'PUT /_matrix/client/v3/profile/{}/{}',
  'DELETE /_matrix/client/v3/profile/{}/{}',
  'GET /_matrix/client/v3/devices',
  'GET /_matrix/client/v3/devices/{}',
  'PUT /_matrix/client/v3/devices/{}',
  'GET /_matrix/client/v3/account/whoami',
  'POST /_matrix/client/v3/keys/upload',
  'POST /_matrix/client/v3/keys/query',
  'POST /_matrix/client/v3/keys/claim',
];

describe('guests', () => {
  let server: TestServer;
  let alice: TestUser;
  before(async () => {
    server = await TestServer.start({
      inProcess: true,
      config: { registration: { open_to: 'everyone', guests: true } },
    });
    alice = await server.register('alice');
  });
  after(() => server[Symbol.asyncDispose]());

  const newGuest = async () =>
    TestUser.from(server.client, await server.request('POST', `${V3}/register?kind=guest`, { body: {} }));

  it('may call what the specification opens to them', () => {
    const open = new Map(
      server.homeserver.routes.flatMap(({ method, paths, auth }) => paths.map((at) => [signature(method, at), auth])),
    );
    assert.deepEqual(
      OPEN_TO_GUESTS.filter((one) => open.get(one) !== 'guest'),
      [],
    );
  });

  it('join where the room lets them, and go when it no longer does', async () => {
    const guest = await newGuest();
    const roomId = await createRoom(alice);
    const join = () => guest.request('POST', `${V3}/rooms/${roomId}/join`, {});
    assert.equal((await join()).body.errcode, 'M_GUEST_ACCESS_FORBIDDEN');
    const setAccess = (guest_access: string) =>
      alice.request('PUT', `${V3}/rooms/${roomId}/state/m.room.guest_access`, { guest_access });
    await setAccess('can_join');
    assert.equal((await join()).status, 200);
    await say(guest, roomId, 'hello');
    await setAccess('forbidden');
    await eventually(async () => {
      const member = await alice.request('GET', `${V3}/rooms/${roomId}/state/m.room.member/${guest.userId}`);
      assert.equal(member.body.membership, 'leave');
    });
  });

  it('change their display name, and nothing else of their profile', async () => {
    const guest = await newGuest();
    const change = (method: string, key: string, body?: object) =>
      guest.request(method, `${V3}/profile/${guest.userId}/${key}`, body);
    assert.equal((await change('PUT', 'displayname', { displayname: 'Visitor' })).status, 200);
    const refused = [
      await change('PUT', 'avatar_url', { avatar_url: 'mxc://example.org/cat' }),
      await change('DELETE', 'm.tz'),
    ];
    for (const { status, body } of refused) assert.deepEqual([status, body.errcode], [403, 'M_GUEST_ACCESS_FORBIDDEN']);
    assert.equal((await change('DELETE', 'displayname')).status, 200);
  });

  it('become users by registering, and keep name, rooms and session', async () => {
    const guest = await newGuest();
    const username = guest.userId.slice(1, guest.userId.indexOf(':'));
    const auth = { type: 'm.login.dummy' };
    const register = (body: object) => server.request('POST', `${V3}/register`, { body: { auth, ...body } });
    const own = { password: 'a-long-password', guest_access_token: guest.accessToken };

    assert.equal((await register(own)).body.errcode, 'M_MISSING_PARAM');
    assert.equal((await register({ ...own, username: 'someone.else' })).body.errcode, 'M_INVALID_USERNAME');
    const stolen = await register({ ...own, username: 'alice', guest_access_token: alice.accessToken });
    assert.deepEqual([stolen.status, stolen.body.errcode], [403, 'M_FORBIDDEN']);

    const made = await register({ ...own, username });
    assert.deepEqual([made.status, made.body.user_id], [200, guest.userId]);
    for (const accessToken of [guest.accessToken, made.body.access_token]) {
      const who = await server.request('GET', `${V3}/account/whoami`, { token: accessToken });
      assert.equal(who.body.is_guest, false);
    }
    await createRoom(guest);
    const login = { type: 'm.login.password', identifier: { type: 'm.id.user', user: username } };
    const again = await server.request('POST', `${V3}/login`, { body: { ...login, password: own.password } });
    assert.equal(again.body.user_id, guest.userId);
    assert.equal((await register({ ...own, username })).body.errcode, 'M_FORBIDDEN', 'no guest any more');
  });
});
