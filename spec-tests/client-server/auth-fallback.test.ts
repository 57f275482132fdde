/** Stages of authentication in a browser. Spec: client-server-api/#fallback */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { TestServer } from '../../src/testing/test-server.ts';

const V3 = '/_matrix/client/v3';

describe('the fallback pages of authentication', () => {
  let server: TestServer;
  before(async () => {
    const privacy = { id: 'privacy', version: '1', name: 'Privacy & <more>', url: 'https://example.org/privacy' };
    server = await TestServer.start({
      inProcess: true,
      config: { registration: { open_to: 'everyone', steps: ['terms'] }, terms: [privacy] },
    });
  });
  after(() => server[Symbol.asyncDispose]());

  const page = (stage: string, session: string) =>
    `${V3}/auth/${stage}/fallback/web?session=${encodeURIComponent(session)}`;
  const register = (body: object) => server.request('POST', `${V3}/register`, { body });

  it('show what is to be done, and run no script but their own', async () => {
    const { session } = (await register({})).body;
    const answer = await server.request('GET', page('m.login.terms', session));
    assert.equal(answer.status, 200);
    assert.match(String(answer.headers['content-type']), /^text\/html/);
    const html = answer.bytes.toString('utf8');
    const [, nonce] = /script-src 'nonce-([\w-]+)'/.exec(String(answer.headers['content-security-policy'])) ?? [];
    assert.ok(nonce);
    assert.equal(html.split('<script').length, html.split(`<script nonce="${nonce}"`).length);
    assert.ok(html.includes('window.onAuthDone()') && html.includes("window.opener.postMessage('authDone', '*')"));
    assert.ok(html.includes('href="https://example.org/privacy"'));
    assert.ok(!html.includes('<more>'));
    const again = await server.request('GET', page('m.login.terms', session));
    assert.ok(!again.bytes.toString('utf8').includes(nonce));
  });

  it('complete a stage, after which the session alone is enough', async () => {
    const wish = { username: 'alice', password: 'wonderland' };
    const { session } = (await register(wish)).body;
    assert.equal((await register({ ...wish, auth: { session } })).status, 401);
    assert.deepEqual((await server.request('POST', page('m.login.terms', session), { body: {} })).body, {});
    const made = await register({ ...wish, auth: { session } });
    assert.equal(made.body.user_id, '@alice:example.org');
    assert.equal((await register({ ...wish, username: 'other', auth: { session } })).status, 401, 'only once');
  });

  it('take a password, and only that of the one who is logged in', async () => {
    const make = async (username: string) => {
      const wish = { username, password: `password-${username}` };
      const { session } = (await register(wish)).body;
      return (await register({ ...wish, auth: { type: 'm.login.terms', session } })).body;
    };
    const [bob] = [await make('bob'), await make('mallory')];
    const remove = (session?: string) =>
      server.request('POST', `${V3}/delete_devices`, {
        token: bob.access_token,
        body: { devices: ['OTHER'], ...(session && { auth: { session } }) },
      });
    const { session } = (await remove()).body;
    assert.equal(typeof session, 'string');
    const show = (user: string, password: string) =>
      server.request('POST', page('m.login.password', session), { body: { user, password } });
    const wrong = await show('bob', 'nonsense');
    assert.deepEqual([wrong.status, wrong.body.errcode], [401, 'M_FORBIDDEN']);
    assert.equal((await remove(session)).status, 401);
    await show('mallory', 'password-mallory');
    assert.equal((await remove(session)).status, 401, 'the password of another user');
  });

  it('take the password of the one who is logged in', async () => {
    const wish = { username: 'carol', password: 'password-carol' };
    const { session: first } = (await register(wish)).body;
    const carol = (await register({ ...wish, auth: { type: 'm.login.terms', session: first } })).body;
    const remove = (session?: string) =>
      server.request('POST', `${V3}/delete_devices`, {
        token: carol.access_token,
        body: { devices: ['OTHER'], ...(session && { auth: { session } }) },
      });
    const { session } = (await remove()).body;
    const shown = await server.request('POST', page('m.login.password', session), {
      body: { user: '@carol:example.org', password: wish.password },
    });
    assert.deepEqual([shown.status, shown.body], [200, {}]);
    assert.equal((await remove(session)).status, 200);
  });

  it('are there for known sessions and stages only', async () => {
    const { session } = (await register({})).body;
    const parts = session.split('.');
    const forged = [...parts.slice(0, 3), 'AAAAAAAAAAAAAAAA'].join('.');
    for (const bad of ['', 'nonsense', 'a.b.c.d', parts.slice(0, 3).join('.'), forged]) {
      for (const method of ['GET', 'POST']) {
        const { status } = await server.request(method, page('m.login.terms', bad), {
          ...(method === 'POST' && { body: {} }),
        });
        assert.equal(status, 400, `${method} ${bad}`);
      }
    }
    assert.equal((await server.request('GET', page('m.login.other', session))).status, 400);
    assert.equal((await server.request('GET', `${V3}/auth/m.login.terms/fallback/web`)).status, 400);
  });
});
