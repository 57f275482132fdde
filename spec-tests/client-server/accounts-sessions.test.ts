import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { TestServer } from '../../src/testing/test-server.ts';
import type { TestUser } from '../../src/testing/test-user.ts';

const V3 = '/_matrix/client/v3';

describe('sessions', () => {
  let server: TestServer;
  const clock = {
    ms: 1_800_000_000_000,
    now() {
      return this.ms;
    },
  };
  before(async () => {
    server = await TestServer.start({ inProcess: true, clock, config: { login: { access_token_lifetime: '5m' } } });
  });
  after(() => server[Symbol.asyncDispose]());

  const whoami = (token: string) => server.request('GET', `${V3}/account/whoami`, { token });
  const logIn = (user: string, more: object = {}) =>
    server.request('POST', `${V3}/login`, {
      body: {
        type: 'm.login.password',
        identifier: { type: 'm.id.user', user },
        password: `password-${user.replace(/^@|:.*$/g, '').toLowerCase()}`,
        ...more,
      },
    });
  const refresh = (token: string) => server.request('POST', `${V3}/refresh`, { body: { refresh_token: token } });
  const auth = (user: TestUser, session: string, password = `password-${user.userId.slice(1).split(':')[0]}`) => ({
    type: 'm.login.password',
    identifier: { type: 'm.id.user', user: user.userId },
    password,
    session,
  });

  it('are opened with a localpart or a whole id, in any case, and with the old key', async () => {
    await server.register('anna');
    for (const user of ['anna', '@anna:example.org', 'Anna']) assert.equal((await logIn(user)).status, 200, user);
    const old = { type: 'm.login.password', user: 'anna', password: 'password-anna' };
    assert.equal((await server.request('POST', `${V3}/login`, { body: old })).status, 200);
  });

  it('are refused alike for a wrong password and an unknown user', async () => {
    await server.register('ben');
    const wrong = await logIn('ben', { password: 'guess' });
    const unknown = await logIn('nobody');
    assert.deepEqual([wrong.status, wrong.body], [403, { errcode: 'M_FORBIDDEN', error: wrong.body.error }]);
    assert.deepEqual(unknown.body, wrong.body);
    assert.equal((await logIn('ben', { type: 'm.login.sso' })).body.errcode, 'M_UNKNOWN');
    const mail = { identifier: { type: 'm.id.thirdparty', medium: 'email', address: 'a@b.c' } };
    assert.equal((await logIn('ben', mail)).status, 403);
  });

  it('replace the earlier session of the same device', async () => {
    await server.register('cleo');
    const first = (await logIn('cleo', { device_id: 'PHONE', initial_device_display_name: 'one' })).body;
    const second = (await logIn('cleo', { device_id: 'PHONE', initial_device_display_name: 'two' })).body;
    assert.equal(first.device_id, 'PHONE');
    assert.equal((await whoami(first.access_token)).status, 401);
    const device = await server.request('GET', `${V3}/devices/PHONE`, { token: second.access_token });
    assert.equal(device.body.display_name, 'one');
  });

  it('end with logout, at once, and with their device', async () => {
    const user = await server.register('dora');
    const other = (await logIn('dora')).body;
    assert.equal((await whoami(user.accessToken)).status, 200);
    assert.equal((await user.request('POST', `${V3}/logout`)).status, 200);
    const refused = await whoami(user.accessToken);
    assert.deepEqual([refused.status, refused.body.errcode, refused.body.soft_logout], [401, 'M_UNKNOWN_TOKEN', false]);
    const left = await server.request('GET', `${V3}/devices`, { token: other.access_token });
    assert.deepEqual(
      left.body.devices.map((device: { device_id: string }) => device.device_id),
      [other.device_id],
    );
    await server.request('POST', `${V3}/logout/all`, { token: other.access_token });
    assert.equal((await whoami(other.access_token)).status, 401);
  });

  it('expire softly and are refreshed; the old refresh token works until the new session is used', async () => {
    await server.register('eli');
    const first = (await logIn('eli', { refresh_token: true })).body;
    assert.equal(first.expires_in_ms, 300_000);
    assert.equal((await whoami(first.access_token)).status, 200);
    clock.ms += 300_000;
    const expired = await whoami(first.access_token);
    assert.deepEqual([expired.body.errcode, expired.body.soft_logout], ['M_UNKNOWN_TOKEN', true]);
    const lost = await refresh(first.refresh_token);
    const second = await refresh(first.refresh_token);
    assert.deepEqual([lost.status, second.status], [200, 200]);
    assert.equal((await whoami(second.body.access_token)).body.device_id, first.device_id);
    const reused = await refresh(first.refresh_token);
    assert.deepEqual([reused.status, reused.body.errcode], [401, 'M_UNKNOWN_TOKEN']);
    assert.equal((await whoami(lost.body.access_token)).status, 401);
    const third = await refresh(second.body.refresh_token);
    const fourth = await refresh(third.body.refresh_token);
    assert.equal((await refresh(second.body.refresh_token)).status, 401);
    assert.equal((await whoami(fourth.body.access_token)).status, 200);
    assert.equal((await whoami(second.body.access_token)).status, 401);
  });

  it('are refreshed twice at once without harm: the one that is used stays', async () => {
    await server.register('fay');
    const first = (await logIn('fay', { refresh_token: true })).body;
    const both = await Promise.all([refresh(first.refresh_token), refresh(first.refresh_token)]);
    assert.deepEqual(
      both.map(({ status }) => status),
      [200, 200],
    );
    const [used, unused] = both;
    assert.equal((await whoami(used?.body.access_token)).status, 200);
    assert.equal((await whoami(unused?.body.access_token)).status, 401);
    assert.equal((await refresh(unused?.body.refresh_token)).status, 401);
    assert.equal((await refresh(used?.body.refresh_token)).status, 200);
  });

  it('are deleted by device with the password only, and for just those devices', async () => {
    const user = await server.register('gil');
    const other = (await logIn('gil', { device_id: 'OTHER' })).body;
    await logIn('gil', { device_id: 'THIRD' });
    const target = `${V3}/devices/OTHER`;
    const { session } = (await user.request('DELETE', target, {})).body;
    const wrong = await user.request('DELETE', target, { auth: auth(user, session, 'guess') });
    assert.deepEqual([wrong.status, wrong.body.errcode], [401, 'M_FORBIDDEN']);
    const moved = await user.request('DELETE', `${V3}/devices/THIRD`, { auth: auth(user, session) });
    assert.equal(moved.status, 401);
    assert.equal((await user.request('DELETE', target, { auth: auth(user, session) })).status, 200);
    assert.equal((await whoami(other.access_token)).status, 401);
    assert.equal((await user.request('GET', `${V3}/devices/THIRD`)).status, 200);
    const several = await user.request('POST', `${V3}/delete_devices`, { devices: ['THIRD', 'GONE'] });
    const body = { devices: ['GONE', 'THIRD'], auth: auth(user, several.body.session) };
    assert.equal((await user.request('POST', `${V3}/delete_devices`, body)).status, 200);
    assert.equal((await user.request('GET', `${V3}/devices/THIRD`)).status, 404);
  });

  it("are not deleted with another user's password", async () => {
    const user = await server.register('hal');
    const stranger = await server.register('ida');
    const { session } = (await user.request('DELETE', `${V3}/devices/${user.deviceId}`, {})).body;
    const refused = await user.request('DELETE', `${V3}/devices/${user.deviceId}`, { auth: auth(stranger, session) });
    assert.equal(refused.status, 401);
    assert.equal((await whoami(user.accessToken)).status, 200);
  });

  it('have devices that can be renamed', async () => {
    const user = await server.register('jo');
    const target = `${V3}/devices/${user.deviceId}`;
    assert.equal((await user.request('PUT', target, { display_name: 'Laptop' })).status, 200);
    assert.equal((await user.request('GET', target)).body.display_name, 'Laptop');
    assert.equal((await user.request('GET', target)).body.last_seen_ip, '127.0.0.1');
    assert.equal((await user.request('PUT', `${V3}/devices/NONE`, { display_name: 'x' })).status, 404);
  });

  it('end with a change of password, but for the one that changes it', async () => {
    const user = await server.register('kim');
    const other = (await logIn('kim')).body;
    const wish = { new_password: 'fresh' };
    const { session } = (await user.request('POST', `${V3}/account/password`, wish)).body;
    const swapped = { new_password: 'swapped', auth: auth(user, session) };
    assert.equal((await user.request('POST', `${V3}/account/password`, swapped)).status, 401);
    const done = await user.request('POST', `${V3}/account/password`, { ...wish, auth: auth(user, session) });
    assert.equal(done.status, 200);
    assert.equal((await whoami(user.accessToken)).status, 200);
    assert.equal((await whoami(other.access_token)).status, 401);
    assert.equal((await logIn('kim')).status, 403);
    assert.equal((await logIn('kim', { password: 'fresh' })).status, 200);
  });

  it('change a password once for each authentication, however many requests come at a time', async () => {
    const user = await server.register('mona');
    const wish = { new_password: 'fresh', logout_devices: false };
    const { session } = (await user.request('POST', `${V3}/account/password`, wish)).body;
    const change = () => user.request('POST', `${V3}/account/password`, { ...wish, auth: auth(user, session) });
    const statuses = (await Promise.all([change(), change(), change(), change()])).map(({ status }) => status);
    assert.equal(statuses.filter((status) => status === 200).length, 1, String(statuses));
    assert.ok(statuses.every((status) => [200, 401, 403].includes(status)));
    const late = { ...wish, auth: { ...auth(user, session), password: 'fresh' } };
    const again = await user.request('POST', `${V3}/account/password`, late);
    assert.deepEqual([again.status, again.body.errcode], [401, 'M_FORBIDDEN']);
    assert.notEqual(again.body.session, session);
  });

  it('are no more after deactivation, and the name stays taken', async () => {
    const user = await server.register('leo');
    const { session } = (await user.request('POST', `${V3}/account/deactivate`, { erase: true })).body;
    const body = { erase: true, auth: auth(user, session) };
    const done = await user.request('POST', `${V3}/account/deactivate`, body);
    assert.deepEqual([done.status, done.body], [200, { id_server_unbind_result: 'success' }]);
    assert.equal((await whoami(user.accessToken)).status, 401);
    assert.equal((await logIn('leo')).status, 403);
    const again = await server.request('POST', `${V3}/register`, { body: { username: 'leo', password: 'p' } });
    assert.equal(again.body.errcode, 'M_USER_IN_USE');
    const profile = await server.request('GET', `${V3}/profile/${user.userId}`);
    assert.deepEqual(profile.body, {});
  });
});

describe('access tokens in the address', () => {
  const whoami = async (server: TestServer) => {
    const { accessToken } = await server.register('alice');
    return (await server.request('GET', `/_matrix/client/v3/account/whoami?access_token=${accessToken}`)).status;
  };

  it('are refused unless the configuration takes them', async () => {
    await using strict = await TestServer.start({ inProcess: true });
    assert.equal(await whoami(strict), 401);
    await using lenient = await TestServer.start({ inProcess: true, config: { login: { query_tokens: true } } });
    assert.equal(await whoami(lenient), 200);
  });
});
