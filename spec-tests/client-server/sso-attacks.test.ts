/** What single sign-on must withstand: replays, other browsers, mixed-up providers, forged forms, logouts at the provider. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { V3 } from './helpers.ts';
import { Browser } from './sso-browser.ts';
import { SsoSetup, tokenOf } from './sso-setup.ts';

const people = { anna: { preferred_username: 'anna' }, eve: { preferred_username: 'eve' } };
const SSO = '/_inglenook/client/v1/sso';

describe('single sign-on under attack', () => {
  let sso: SsoSetup;
  let now = Date.now();
  before(async () => {
    sso = await SsoSetup.start({
      people,
      providers: { one: { rp_logout: true }, two: { backchannel_logout: false } },
      clock: { now: () => now },
      config: { login: { password: false } },
    });
  });
  after(() => sso[Symbol.asyncDispose]());

  const untilCallback = async (browser: Browser, id: string, subject = 'anna') => {
    browser.stopAt = '/callback/';
    const { url } = await sso.arrive(browser, id, subject);
    browser.stopAt = undefined;
    assert.match(url, /\/callback\//);
    return url;
  };

  it('takes no password where they are switched off', async () => {
    const types = (await sso.server.request('GET', `${V3}/login`)).body.flows.map((one: { type: string }) => one.type);
    assert.deepEqual(types, ['m.login.sso', 'm.login.token']);
    const identifier = { type: 'm.id.user', user: 'anna' };
    const body = { type: 'm.login.password', identifier, password: 'x' };
    assert.equal((await sso.server.request('POST', `${V3}/login`, { body })).status, 400);
    const registration = { username: 'x', password: 'y', auth: { type: 'm.login.dummy' } };
    assert.equal((await sso.server.request('POST', `${V3}/register`, { body: registration })).status, 403);
    const token = (await sso.logIn(new Browser(), 'one', 'anna')).body.access_token;
    const change = { new_password: 'new' };
    assert.equal((await sso.server.request('POST', `${V3}/account/password`, { token, body: change })).status, 403);
    const { capabilities } = (await sso.server.request('GET', `${V3}/capabilities`, { token })).body;
    assert.deepEqual(capabilities['m.change_password'], { enabled: false });
  });

  it('takes an answer of the provider once, in the browser that began, with its state', async () => {
    const browser = new Browser();
    const url = await untilCallback(browser, 'one');
    const other = await new Browser().open(url);
    assert.equal(other.status, 400, 'another browser');
    const forged = new URL(url);
    forged.searchParams.set('state', 'A'.repeat(43));
    assert.equal((await browser.open(forged.href)).status, 400, 'another state');
    const page = await browser.open(url);
    assert.equal(page.status, 200, 'none of these used it up');
    assert.equal((await browser.open(url)).status, 400, 'the same again');
    assert.equal((await browser.submit(page)).status, 0);
    assert.equal((await browser.submit(page)).status, 400, 'the form again');
  });

  it('takes no answer of one provider for that of another', async () => {
    const browser = new Browser();
    const url = await untilCallback(browser, 'one');
    const mixed = await browser.open(url.replace('/callback/one', '/callback/two'));
    assert.equal(mixed.status, 400);
    // The code of one log-in with the state of another: PKCE and nonce don't fit.
    const second = new Browser();
    const eves = new URL(await untilCallback(second, 'one', 'eve'));
    const annas = new URL(url);
    annas.searchParams.set('code', eves.searchParams.get('code') ?? '');
    const swapped = await browser.open(annas.href);
    assert.equal(swapped.status, 403);
    assert.match(swapped.html, /did not confirm/);
    const wrongIssuer = new URL(await untilCallback(browser, 'one'));
    wrongIssuer.searchParams.set('iss', sso.idp('two').issuer);
    assert.equal((await browser.open(wrongIssuer.href)).status, 403);
  });

  it('takes forms only from its own page', async () => {
    const browser = new Browser();
    const page = await sso.arrive(browser, 'one', 'anna');
    assert.equal((await browser.post(page.url, {})).status, 400);
    assert.equal((await browser.post(page.url, { form_token: 'A'.repeat(43) })).status, 400);
    assert.equal((await new Browser().submit(page)).status, 400, 'without the cookie');
    assert.equal((await new Browser().open(page.url)).status, 400);
    const stranger = new Browser();
    const theirs = await sso.arrive(stranger, 'one', 'eve');
    const token = /name="form_token" value="([^"]+)"/.exec(theirs.html)?.[1] ?? '';
    assert.equal((await browser.post(page.url, { form_token: token })).status, 400, 'the token of another log-in');
    const large = await browser.post(page.url, { form_token: 'x', username: 'y'.repeat(300_000) });
    assert.equal(large.status, 413);
    assert.equal((await browser.submit(page)).status, 0);
  });

  it('forgets what takes too long, and tokens that nobody fetches', async () => {
    const browser = new Browser();
    const url = await untilCallback(browser, 'one');
    const waiting = new Browser();
    const page = await sso.arrive(waiting, 'one', 'anna');
    const end = await (async () => {
      const another = new Browser();
      return another.submit(await sso.arrive(another, 'one', 'anna'));
    })();
    now += 31_000;
    assert.equal((await sso.exchange(tokenOf(end))).status, 403);
    now += 15 * 60_000;
    assert.equal((await browser.open(url)).status, 400);
    assert.equal((await waiting.submit(page)).status, 400);
    now = Date.now();
  });

  it('lets huge and odd input pass by', async () => {
    for (const query of [
      `state=${'x'.repeat(9000)}`,
      'state=a&state=b',
      'code=%00&state=%00',
      '',
      `error=${'<x>'.repeat(100)}`,
    ]) {
      const answer = await fetch(`${sso.publicUrl}${SSO}/callback/one?${query}`, { redirect: 'manual' });
      assert.equal(answer.status, 400, query.slice(0, 40));
      assert.ok(!(await answer.text()).includes('<x>'));
    }
    for (const id of ['x', '%00', '..%2f', 'a'.repeat(3000)]) {
      assert.equal((await fetch(`${sso.publicUrl}${SSO}/login/${id}`)).status, 400);
      assert.equal((await fetch(`${sso.publicUrl}${SSO}/callback/${id}?state=x`)).status, 404);
    }
  });

  it('proves who one is by the stage m.login.sso, for the right user only', async () => {
    const anna = (await sso.logIn(new Browser(), 'one', 'anna')).body;
    await sso.logIn(new Browser(), 'one', 'eve');
    const remove = (session?: string) =>
      sso.server.request('POST', `${V3}/delete_devices`, {
        token: anna.access_token,
        body: { devices: ['OTHER'], ...(session && { auth: { session } }) },
      });
    const asked = await remove();
    assert.deepEqual(asked.body.flows, [{ stages: ['m.login.sso'] }]);
    const { session } = asked.body;
    const prove = async (subject: string) => {
      const browser = new Browser();
      sso.idp('one').next = subject;
      const url = `${sso.publicUrl}${V3}/auth/m.login.sso/fallback/web?session=${encodeURIComponent(session)}`;
      const choice = await browser.open(url);
      assert.match(choice.html, /idp=one/);
      return { browser, page: await browser.open(`${url}&idp=one`) };
    };
    const eve = await prove('eve');
    assert.match(eve.page.html, /@eve:example\.org/);
    assert.equal((await eve.browser.submit(eve.page)).status, 200);
    assert.equal((await remove(session)).status, 401, 'somebody else');
    const right = await prove('anna');
    assert.equal((await remove(session)).status, 401, 'not before the confirmation');
    const done = await right.browser.submit(right.page);
    assert.match(done.html, /<script nonce="[\w-]+">if \(window\.onAuthDone\)/);
    assert.equal((await remove(session)).status, 200);
    const bad = await fetch(`${sso.publicUrl}${V3}/auth/m.login.sso/fallback/web?session=nonsense`);
    assert.equal(bad.status, 400);
  });

  it('ends the sessions of a log-in when the provider says so', async () => {
    const [laptop, phone] = [new Browser(), new Browser()];
    const first = (await sso.logIn(laptop, 'one', 'anna')).body;
    const second = (await sso.logIn(phone, 'one', 'anna')).body;
    const whoami = (token: string) => sso.server.request('GET', `${V3}/account/whoami`, { token });
    // The browser is sent to the provider, confirms there, and the provider tells us.
    const asked = await laptop.open(`${sso.publicUrl}${SSO}/logout/one`);
    assert.match(asked.html, /op\.logoutForm/);
    const action = /action="([^"]+)"/.exec(asked.html)?.[1] ?? '';
    const xsrf = /name="xsrf" value="([^"]+)"/.exec(asked.html)?.[1] ?? '';
    const page = await laptop.post(action, { xsrf, logout: 'yes' });
    assert.match(page.html, /You are signed out/);
    for (let count = 0; count < 100 && (await whoami(first.access_token)).status === 200; count++) await sleep(20);
    assert.equal((await whoami(first.access_token)).body.errcode, 'M_UNKNOWN_TOKEN');
    assert.equal((await whoami(second.access_token)).status, 200, 'another session of the same user');
    assert.equal(sso.idp('one').logoutTokens.length, 1);
    assert.equal((await fetch(`${sso.publicUrl}${SSO}/logout/two`, { redirect: 'manual' })).status, 404);
  });

  it('takes logout tokens only from the provider, for us, fresh, and once', async () => {
    const [one, two] = [sso.idp('one'), sso.idp('two')];
    const { access_token: token } = (await sso.logIn(new Browser(), 'one', 'eve')).body;
    const isIn = async () => (await sso.server.request('GET', `${V3}/account/whoami`, { token })).status === 200;
    const send = async (logoutToken: string, id = 'one') => {
      const body = new URLSearchParams({ logout_token: logoutToken });
      const answer = await fetch(`${sso.publicUrl}${SSO}/backchannel-logout/${id}`, { method: 'POST', body });
      return answer.status;
    };
    const events = { 'http://schemas.openid.net/event/backchannel-logout': {} };
    const good = { sub: 'eve', jti: 'a', events };
    const at = Date.now();
    const bad = {
      'of another provider': await two.sign({ ...good, iss: one.issuer }, at),
      'of another issuer': await one.sign({ ...good, iss: two.issuer }, at),
      'for another client': await one.sign({ ...good, aud: 'somebody' }, at),
      'an ID token': await one.sign({ ...good, events: undefined }, at),
      'with a nonce': await one.sign({ ...good, nonce: 'x' }, at),
      'without an id': await one.sign({ ...good, jti: undefined }, at),
      'about nobody': await one.sign({ jti: 'b', events }, at),
      old: await one.sign(good, at - 10 * 60_000),
      'of the future': await one.sign(good, at + 10 * 60_000),
      unsigned: `eyJhbGciOiJub25lIn0.${Buffer.from(JSON.stringify({ ...good, iss: one.issuer })).toString('base64url')}.`,
      empty: '',
      nonsense: 'a.b.c',
      huge: 'x'.repeat(20_000),
    };
    for (const [name, one] of Object.entries(bad)) assert.equal(await send(one), 400, name);
    assert.ok(await isIn());
    assert.equal(await send(await two.sign(good, at), 'two'), 404, 'switched off');
    assert.equal(await send('x', 'nobody'), 404);
    const before = new Browser();
    const page = await sso.arrive(before, 'one', 'eve');
    const fetched = new Browser();
    const end = await fetched.submit(await sso.arrive(fetched, 'one', 'eve'));
    const right = await one.sign(good, at);
    assert.equal(await send(right), 200);
    assert.ok(!(await isIn()));
    assert.equal((await sso.exchange(tokenOf(end))).status, 403, 'a token that was not used yet');
    assert.match((await before.submit(page)).html, /signed out meanwhile/);
    now += 1;
    const { access_token: again } = (await sso.logIn(new Browser(), 'one', 'eve')).body;
    assert.equal(await send(right), 400, 'a replay');
    assert.equal((await sso.server.request('GET', `${V3}/account/whoami`, { token: again })).status, 200);
  });
});
