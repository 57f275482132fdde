import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { TestServer } from '../../src/testing/test-server.ts';
import { TestUser } from '../../src/testing/test-user.ts';
import { createRoom, join, say, V1, V3 } from './helpers.ts';

const RTC = { type: 'livekit', livekit_service_url: 'https://livekit.example.org' };

describe('small modules', () => {
  let hs: TestServer;
  let alice: TestUser;
  let bob: TestUser;
  let admin: TestUser;
  before(async () => {
    hs = await TestServer.start({
      inProcess: true,
      config: {
        calls: { turn: { uris: ['turn:turn.example.org'], shared_secret: 'turn-secret' }, rtc_transports: [RTC] },
      },
    });
    alice = await hs.register('alice');
    bob = await hs.register('bob');
    admin = await hs.register('root', { admin: true });
  });
  after(() => hs[Symbol.asyncDispose]());

  it('OpenID tokens prove who somebody is, and nothing else', async () => {
    const target = `${V3}/user/${alice.userId}/openid/request_token`;
    const { status, body } = await alice.request('POST', target, {});
    assert.equal(status, 200);
    assert.equal(body.matrix_server_name, 'example.org');
    assert.equal(body.token_type, 'Bearer');
    const info = await hs.request('GET', `/_matrix/federation/v1/openid/userinfo?access_token=${body.access_token}`);
    assert.deepEqual(info.body, { sub: alice.userId });
    const whoami = await hs.request('GET', `${V3}/account/whoami`, { token: body.access_token });
    assert.equal(whoami.body.errcode, 'M_UNKNOWN_TOKEN');
    assert.equal((await bob.request('POST', target, {})).status, 403);
    const unknown = await hs.request('GET', '/_matrix/federation/v1/openid/userinfo?access_token=nope');
    assert.equal(unknown.status, 401);
    assert.equal((await hs.request('GET', '/_matrix/federation/v1/openid/userinfo')).status, 401);
  });

  it('TURN credentials are those that coturn computes from the shared secret', async () => {
    const { body } = await alice.request('GET', `${V3}/voip/turnServer`);
    assert.deepEqual(body.uris, ['turn:turn.example.org']);
    assert.equal(body.ttl, 86_400);
    assert.match(body.username, new RegExp(`^\\d+:${alice.userId}$`));
    assert.equal(body.password, createHmac('sha1', 'turn-secret').update(body.username).digest('base64'));
  });

  it('RTC transports come from the configuration', async () => {
    for (const path of [`${V1}/rtc/transports`, '/_matrix/client/unstable/org.matrix.msc4143/rtc/transports']) {
      assert.deepEqual((await alice.request('GET', path)).body, { rtc_transports: [RTC] });
    }
  });

  it('there are no other networks', async () => {
    assert.deepEqual((await alice.request('GET', `${V3}/thirdparty/protocols`)).body, {});
    assert.equal((await alice.request('GET', `${V3}/thirdparty/protocol/irc`)).status, 404);
    assert.deepEqual((await alice.request('GET', `${V3}/thirdparty/location/irc?channel=x`)).body, []);
    assert.deepEqual((await alice.request('GET', `${V3}/thirdparty/user?userid=@x:y`)).body, []);
  });

  it('a login token logs its user in once', async () => {
    const challenge = await alice.request('POST', `${V1}/login/get_token`, {});
    assert.equal(challenge.status, 401);
    const identifier = { type: 'm.id.user', user: 'alice' };
    const auth = { type: 'm.login.password', identifier, password: 'password-alice', session: challenge.body.session };
    const { body } = await alice.request('POST', `${V1}/login/get_token`, { auth });
    assert.equal(body.expires_in_ms, 120_000);
    const login = { type: 'm.login.token', token: body.login_token };
    const first = await hs.request('POST', `${V3}/login`, { body: login });
    assert.equal(TestUser.from(hs.client, first).userId, alice.userId);
    const second = await hs.request('POST', `${V3}/login`, { body: login });
    assert.equal(second.body.errcode, 'M_FORBIDDEN');
    const { flows } = (await hs.request('GET', `${V3}/login`)).body;
    assert.ok(flows.some((flow: { type: string; get_login_token?: boolean }) => flow.get_login_token === true));
  });

  it('account data can be deleted, and sync tells it', async () => {
    const path = `/user/${alice.userId}/account_data/org.example.x`;
    await alice.request('PUT', `${V3}${path}`, { a: 1 });
    const { next_batch: since } = (await alice.request('GET', `${V3}/sync`)).body;
    const unstable = `/_matrix/client/unstable/org.matrix.msc3391${path}`;
    assert.equal((await alice.request('DELETE', unstable)).status, 200);
    assert.equal((await alice.request('GET', `${V3}${path}`)).status, 404);
    const after = (await alice.request('GET', `${V3}/sync?since=${since}`)).body;
    assert.deepEqual(after.account_data.events, [{ type: 'org.example.x', content: {} }]);
    const initial = (await alice.request('GET', `${V3}/sync`)).body;
    assert.ok(!JSON.stringify(initial.account_data).includes('org.example.x'));
  });

  it('users can be reported, and rooms and events with a copy of the event', async () => {
    const roomId = await createRoom(alice);
    const eventId = await say(alice, roomId, 'bad words');
    await join(bob, roomId);
    const room = `${V3}/rooms/${encodeURIComponent(roomId)}`;
    assert.equal((await bob.request('POST', `${room}/report/${eventId}`, { reason: 'spam' })).status, 200);
    assert.equal((await bob.request('POST', `${room}/report`, { reason: 'all of it' })).status, 200);
    const unseen = await admin.request('POST', `${room}/report/${eventId}`, { reason: 'not in the room' });
    assert.equal(unseen.body.errcode, 'M_NOT_FOUND');
    assert.equal((await bob.request('POST', `${V3}/users/${alice.userId}/report`, { reason: 'x' })).status, 200);
    assert.equal((await bob.request('POST', `${V3}/users/@nobody:example.org/report`, { reason: 'x' })).status, 200);
    assert.equal((await bob.request('POST', `${V3}/rooms/!nothing:example.org/report`, { reason: '' })).status, 200);
  });

  it('administrators suspend and lock accounts, and see where somebody is logged in', async () => {
    const target = encodeURIComponent(bob.userId);
    assert.equal((await alice.request('GET', `${V1}/admin/suspend/${target}`)).status, 403);
    assert.deepEqual((await admin.request('GET', `${V1}/admin/suspend/${target}`)).body, { suspended: false });
    assert.equal((await admin.request('PUT', `${V1}/admin/suspend/${target}`, {})).status, 400);
    await admin.request('PUT', `${V1}/admin/suspend/${target}`, { suspended: true });
    const refused = await bob.request('POST', `${V3}/createRoom`, {});
    assert.equal(refused.body.errcode, 'M_USER_SUSPENDED');
    await admin.request('PUT', `${V1}/admin/suspend/${target}`, { suspended: false });
    await admin.request('PUT', `${V1}/admin/lock/${target}`, { locked: true });
    assert.equal((await bob.request('GET', `${V3}/joined_rooms`)).body.errcode, 'M_USER_LOCKED');
    await admin.request('PUT', `${V1}/admin/lock/${target}`, { locked: false });
    assert.equal((await bob.request('GET', `${V3}/joined_rooms`)).status, 200);
    const own = await admin.request('PUT', `${V1}/admin/lock/${encodeURIComponent(admin.userId)}`, { locked: true });
    assert.equal(own.status, 403);
    assert.equal((await admin.request('GET', `${V1}/admin/lock/@x:elsewhere.org`)).body.errcode, 'M_INVALID_PARAM');
    assert.equal((await admin.request('GET', `${V1}/admin/lock/@nobody:example.org`)).status, 404);
    const capabilities = async (user: TestUser) => (await user.request('GET', `${V3}/capabilities`)).body.capabilities;
    assert.deepEqual((await capabilities(admin))['m.account_moderation'], { suspend: true, lock: true });
    assert.equal((await capabilities(alice))['m.account_moderation'], undefined);
    const whois = (await admin.request('GET', `${V3}/admin/whois/${target}`)).body;
    assert.equal(whois.devices[bob.deviceId].sessions[0].connections[0].ip, '127.0.0.1');
    assert.equal((await alice.request('GET', `${V3}/admin/whois/${target}`)).status, 403);
  });

  it('who wants no invites gets none', async () => {
    const carol = await hs.register('carol');
    const invite = async (invitee: TestUser) => {
      const roomId = await createRoom(alice, { preset: 'private_chat' });
      const target = `${V3}/rooms/${encodeURIComponent(roomId)}/invite`;
      return alice.request('POST', target, { user_id: invitee.userId });
    };
    const config = (type: string, content: object) =>
      carol.request('PUT', `${V3}/user/${carol.userId}/account_data/${type}`, content);
    assert.equal((await invite(carol)).status, 200);
    await config('m.invite_permission_config', { default_action: 'block' });
    assert.equal((await invite(carol)).body.errcode, 'M_INVITE_BLOCKED');
    await config('m.invite_permission_config', {});
    assert.equal((await invite(carol)).status, 200);
    const unstable = 'org.matrix.msc4155.invite_permission_config';
    await config(unstable, { enabled: true, blocked_users: ['@al*:example.org'] });
    assert.equal((await invite(carol)).body.errcode, 'M_INVITE_BLOCKED');
    await config(unstable, { enabled: true, allowed_users: [alice.userId], blocked_servers: ['*'] });
    assert.equal((await invite(carol)).status, 200);
    const shown = async () => Object.keys((await carol.request('GET', `${V3}/sync`)).body.rooms?.invite ?? {}).length;
    assert.equal(await shown(), 3);
    await config(unstable, { enabled: true, ignored_users: [alice.userId] });
    assert.equal((await invite(carol)).status, 200, 'who invites is not told');
    assert.equal(await shown(), 0);
    await config('m.invite_permission_config', { default_action: 'block' });
    await config(unstable, {});
    assert.equal(await shown(), 0);
  });

  it('the endpoints from before sync still work', async () => {
    const roomId = await createRoom(alice, { name: 'old' });
    const eventId = await say(alice, roomId, 'one');
    const initial = (await alice.request('GET', `${V3}/initialSync?limit=3`)).body;
    const room = initial.rooms.find((one: { room_id: string }) => one.room_id === roomId);
    assert.equal(room.membership, 'join');
    assert.equal(room.messages.chunk.at(-1).event_id, eventId);
    assert.equal((await alice.request('GET', `${V3}/events/${eventId}`)).body.content.body, 'one');
    const waiting = alice.request('GET', `${V3}/events?from=${initial.end}&timeout=5000`);
    const second = await say(alice, roomId, 'two');
    let { chunk, end } = (await waiting).body;
    // Other news, such as presence, may come first.
    const isSecond = (event: { event_id?: string; room_id?: string }) =>
      event.event_id === second && event.room_id === roomId;
    for (let i = 0; i < 5 && !chunk.some(isSecond); i++) {
      ({ chunk, end } = (await alice.request('GET', `${V3}/events?from=${end}&timeout=1000`)).body);
    }
    assert.ok(chunk.some(isSecond));
    const one = (await alice.request('GET', `${V3}/rooms/${encodeURIComponent(roomId)}/initialSync`)).body;
    assert.equal(one.messages.chunk.at(-1).event_id, second);
    assert.ok(one.state.length > 3);
    assert.equal((await bob.request('GET', `${V3}/rooms/${encodeURIComponent(roomId)}/initialSync`)).status, 403);
  });

  it('strangers can follow a room that the world may read', async () => {
    const history = { type: 'm.room.history_visibility', content: { history_visibility: 'world_readable' } };
    const roomId = await createRoom(alice, { initial_state: [history] });
    const target = `${V3}/events?room_id=${encodeURIComponent(roomId)}`;
    const waiting = bob.request('GET', `${target}&timeout=5000`);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const eventId = await say(alice, roomId, 'peek');
    const { chunk, end } = (await waiting).body;
    assert.deepEqual(
      chunk.map((event: { event_id: string }) => event.event_id),
      [eventId],
    );
    assert.deepEqual((await bob.request('GET', `${target}&from=${end}&timeout=1`)).body.chunk, []);
    const closed = await createRoom(alice, { preset: 'private_chat' });
    assert.equal((await bob.request('GET', `${V3}/events?room_id=${encodeURIComponent(closed)}`)).status, 403);
  });
});
