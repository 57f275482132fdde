import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { TestServer } from '../../src/testing/test-server.ts';

const REGISTER = '/_matrix/client/v3/register';
const WHOAMI = '/_matrix/client/v3/account/whoami';
const DUMMY = { type: 'm.login.dummy' };

describe('registration', () => {
  let server: TestServer;
  before(async () => {
    server = await TestServer.start({
      inProcess: true,
      config: { registration: { reserved_names: ['admin*'] }, login: { password_length_min: 4 } },
    });
  });
  after(() => server[Symbol.asyncDispose]());
  const post = (body: object, target = REGISTER) => server.request('POST', target, { body });

  it('asks for authentication first, without an errcode, and then makes the account', async () => {
    const wish = { username: 'alice', password: 'wonderland', initial_device_display_name: 'Looking glass' };
    const asked = await post(wish);
    assert.equal(asked.status, 401);
    assert.deepEqual(asked.body.flows, [{ stages: ['m.login.dummy'] }]);
    assert.equal(asked.body.errcode, undefined);
    const made = await post({ ...wish, auth: { ...DUMMY, session: asked.body.session } });
    assert.equal(made.status, 200);
    assert.equal(made.body.user_id, '@alice:example.org');
    assert.equal(made.body.refresh_token, undefined);
    const who = await server.request('GET', WHOAMI, { token: made.body.access_token });
    assert.deepEqual(who.body, { user_id: '@alice:example.org', device_id: made.body.device_id, is_guest: false });
  });

  it('refuses a taken name before it asks for authentication, also in upper case', async () => {
    assert.equal((await post({ username: 'bob', password: 'builder', auth: DUMMY })).status, 200);
    for (const username of ['bob', 'BOB']) {
      const refused = await post({ username, password: 'builder' });
      assert.deepEqual([refused.status, refused.body.errcode], [400, 'M_USER_IN_USE']);
    }
    const check = (name: string) => server.request('GET', `${REGISTER}/available?username=${name}`);
    assert.equal((await check('bob')).body.errcode, 'M_USER_IN_USE');
    assert.deepEqual((await check('robert')).body, { available: true });
    assert.equal((await check('a%20b')).body.errcode, 'M_INVALID_USERNAME');
  });

  it('gives one of two who want the same name at once the account, the other an error', async () => {
    const both = await Promise.all([1, 2].map(() => post({ username: 'race', password: 'p123', auth: DUMMY })));
    assert.deepEqual(both.map(({ status }) => status).sort(), [200, 400]);
    assert.equal(both.find(({ status }) => status === 400)?.body.errcode, 'M_USER_IN_USE');
  });

  it('takes capitals as lower case and refuses names outside the grammar', async () => {
    assert.equal((await post({ username: 'Carol', password: 'p123', auth: DUMMY })).body.user_id, '@carol:example.org');
    for (const username of ['a b', 'é', '', '@a:example.org', 'x'.repeat(250)]) {
      assert.equal(
        (await post({ username, password: 'p123', auth: DUMMY })).body.errcode,
        'M_INVALID_USERNAME',
        username,
      );
    }
  });

  it('refuses reserved names and weak passwords', async () => {
    assert.equal((await post({ username: 'administrator', password: 'p123' })).body.errcode, 'M_INVALID_USERNAME');
    assert.equal((await post({ username: 'weak', password: '123' })).body.errcode, 'M_WEAK_PASSWORD');
    assert.equal((await post({ username: 'none', auth: DUMMY })).body.errcode, 'M_MISSING_PARAM');
  });

  it('makes up a name for those who want none, and a session only where one is wanted', async () => {
    const made = await post({ password: 'p123', auth: DUMMY, inhibit_login: true });
    assert.match(made.body.user_id, /^@[a-z]+:example\.org$/);
    assert.equal(made.body.access_token, undefined);
    assert.equal(made.body.device_id, undefined);
  });

  it('makes guests, who may do less', async () => {
    const guest = await post({ username: 'ignored' }, `${REGISTER}?kind=guest`);
    assert.equal(guest.status, 200);
    const token = guest.body.access_token;
    assert.equal((await server.request('GET', WHOAMI, { token })).body.is_guest, true);
    const room = await server.request('POST', '/_matrix/client/v3/createRoom', { token, body: {} });
    assert.deepEqual([room.status, room.body.errcode], [403, 'M_GUEST_ACCESS_FORBIDDEN']);
  });

  it('does not go on with a session of another endpoint or one that is made up', async () => {
    const alice = await server.register('sessions');
    const other = await alice.request('POST', '/_matrix/client/v3/account/password', { new_password: 'p123' });
    for (const session of [other.body.session, 'made-up', 'a.b.c']) {
      const refused = await post({ username: 'dave', password: 'p123', auth: { ...DUMMY, session } });
      assert.deepEqual([refused.status, refused.body.errcode], [401, 'M_FORBIDDEN']);
      assert.notEqual(refused.body.session, session);
    }
  });

  it('registers with the shared secret, each nonce once', async () => {
    const target = '/_synapse/admin/v1/register';
    const { nonce } = (await server.request('GET', target)).body;
    const sign = (key: string, ...parts: string[]) => createHmac('sha1', key).update(parts.join('\0')).digest('hex');
    const wish = { nonce, username: 'admin1', password: 'x', admin: true };
    const mac = sign('test-shared-secret', nonce, 'admin1', 'x', 'admin');
    assert.equal((await post({ ...wish, mac }, target)).status, 200);
    assert.equal((await post({ ...wish, username: 'admin2', mac }, target)).status, 400);
    const second = (await server.request('GET', target)).body.nonce;
    const wrong = sign('guess', second, 'eve', 'x', 'notadmin');
    const refused = await post({ nonce: second, username: 'eve', password: 'x', mac: wrong }, target);
    assert.deepEqual([refused.status, refused.body.errcode], [403, 'M_FORBIDDEN']);
  });
});

describe('registration in several steps', () => {
  let server: TestServer;
  const captcha = createServer(async (request, response) => {
    const body = await new Response(request).text();
    const form = new URLSearchParams(body);
    const success = form.get('secret') === 'hush' && form.get('response') === 'solved';
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ success }));
  });
  before(async () => {
    await new Promise<void>((resolve) => captcha.listen(0, '127.0.0.1', resolve));
    const { port } = captcha.address() as AddressInfo;
    const document = { id: 'privacy', version: '2', name: 'Privacy', url: 'https://example.org/privacy' };
    server = await TestServer.start({
      inProcess: true,
      config: {
        registration: {
          guests: false,
          steps: ['recaptcha', 'terms'],
          recaptcha: { site_key: 'site', secret_key: 'hush', verify_url: `http://127.0.0.1:${port}/verify` },
        },
        terms: [document],
      },
    });
  });
  after(async () => {
    captcha.close();
    await server[Symbol.asyncDispose]();
  });
  const post = (auth?: object) =>
    server.request('POST', REGISTER, { body: { username: 'zoe', password: 'p123', ...(auth ? { auth } : {}) } });

  it('goes through the stages in their order, remembers them, and uses the session up', async () => {
    const asked = await post();
    const { session } = asked.body;
    assert.deepEqual(asked.body.params['m.login.recaptcha'], { public_key: 'site' });
    assert.deepEqual(asked.body.params['m.login.terms'].policies.privacy, {
      version: '2',
      en: { name: 'Privacy', url: 'https://example.org/privacy' },
    });
    const early = await post({ type: 'm.login.terms', session });
    assert.deepEqual([early.status, early.body.errcode, early.body.completed], [401, 'M_FORBIDDEN', undefined]);
    const wrong = await post({ type: 'm.login.recaptcha', session, response: 'guessed' });
    assert.deepEqual([wrong.status, wrong.body.errcode, wrong.body.session], [401, 'M_CAPTCHA_INVALID', session]);
    const first = await post({ type: 'm.login.recaptcha', session, response: 'solved' });
    assert.deepEqual([first.status, first.body.completed], [401, ['m.login.recaptcha']]);
    const only = await post({ session });
    assert.deepEqual([only.status, only.body.completed], [401, ['m.login.recaptcha']]);
    assert.equal((await post({ type: 'm.login.terms', session })).status, 200);
    const again = await server.request('POST', REGISTER, {
      body: { username: 'zoe2', password: 'p123', auth: { type: 'm.login.terms', session } },
    });
    assert.equal(again.status, 401);
    assert.equal(again.body.completed, undefined);
  });

  it('has no guests where they are switched off', async () => {
    const refused = await server.request('POST', `${REGISTER}?kind=guest`, { body: {} });
    assert.deepEqual([refused.status, refused.body.errcode], [403, 'M_GUEST_ACCESS_FORBIDDEN']);
  });
});

describe('registration that is closed', () => {
  it('is refused to requests that were forwarded, and open to those of this machine', async () => {
    await using server = await TestServer.start({ inProcess: true, config: { registration: { open_to: 'local' } } });
    const headers = { 'x-forwarded-for': '203.0.113.9' };
    const body = { username: 'a', password: 'p123', auth: DUMMY };
    const refused = await server.request('POST', REGISTER, { body, headers });
    assert.deepEqual([refused.status, refused.body.errcode], [403, 'M_FORBIDDEN']);
    assert.equal((await server.request('POST', REGISTER, { body })).status, 200);
  });
});
