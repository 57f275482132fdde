/** Single sign-on at a real OpenID Connect provider. Spec: client-server-api/#sso-client-loginauthentication */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { V3 } from './helpers.ts';
import { Browser } from './sso-browser.ts';
import { CLIENT_URL, SsoSetup, tokenOf } from './sso-setup.ts';

const people = {
  anna: {
    preferred_username: 'Anna',
    name: 'Anna Karenina',
    email: 'anna@example.com',
    email_verified: true,
    groups: ['staff'],
  },
  anna2: { preferred_username: 'anna', name: 'Another Anna', groups: ['staff'] },
  ben: { preferred_username: 'Ben Ünlü!', name: 'Ben', groups: ['staff'] },
  carl: { preferred_username: 'carl', groups: ['visitors'] },
  dora: { groups: ['staff'] },
  old: { preferred_username: 'oldie', email: 'Oldie@Example.com', email_verified: false, groups: ['staff'] },
  root: { preferred_username: 'admin', groups: ['staff'] },
  lena: { preferred_username: 'lena', groups: ['staff'] },
};

describe('single sign-on', () => {
  let sso: SsoSetup;
  before(async () => {
    sso = await SsoSetup.start({
      people,
      providers: {
        company: {
          brand: 'gitlab',
          icon: 'mxc://example.org/icon',
          scopes: ['openid', 'profile', 'email', 'groups'],
          allow: [{ claim: 'groups', values: ['staff'] }],
        },
        other: { link_existing: { localpart: true, verified_email: true }, registration: false },
      },
      config: {
        registration: { reserved_names: ['admin'] },
        sso: { trusted_clients: ['https://trusted.example.com/app/'] },
      },
    });
  });
  after(() => sso[Symbol.asyncDispose]());

  it('is among the ways to log in, with its providers', async () => {
    const { flows } = (await sso.server.request('GET', `${V3}/login`)).body;
    assert.deepEqual(flows, [
      { type: 'm.login.password' },
      {
        type: 'm.login.sso',
        identity_providers: [
          { id: 'company', name: 'The <company>', icon: 'mxc://example.org/icon', brand: 'gitlab' },
          { id: 'other', name: 'The <other>' },
        ],
      },
      { type: 'm.login.token', get_login_token: true },
    ]);
  });

  it('makes an account at the first time, asks for the client, and finds it again at the second', async () => {
    const browser = new Browser();
    const page = await sso.arrive(browser, 'company', 'anna');
    assert.equal(page.status, 200);
    assert.match(page.html, /<code>https:\/\/app\.example\.com<\/code>/);
    assert.match(page.html, /@anna:example\.org/);
    assert.match(page.headers.get('content-security-policy') ?? '', /frame-ancestors 'none'/);
    assert.ok(browser.visited.some((url) => /code_challenge=[\w-]{43}&code_challenge_method=S256/.test(url)));
    const end = await browser.submit(page);
    assert.match(end.url, /^https:\/\/app\.example\.com\/cb\?keep=a%20b&loginToken=ing_login_[\w-]{43}#\/home$/);
    const first = await sso.exchange(tokenOf(end), { initial_device_display_name: 'Browser', refresh_token: true });
    assert.equal(first.body.user_id, '@anna:example.org');
    assert.ok(first.body.refresh_token);
    assert.equal((await sso.exchange(tokenOf(end))).status, 403, 'a token is good once');
    assert.ok(![...browser.cookies.keys()].some((name) => name.includes('inglenook')), 'the cookie goes');
    const token = first.body.access_token;
    const name = await sso.server.request('GET', `${V3}/profile/@anna:example.org/displayname`);
    assert.equal(name.body.displayname, 'Anna Karenina');
    const { threepids } = (await sso.server.request('GET', `${V3}/account/3pid`, { token })).body;
    assert.deepEqual(
      threepids.map((one: { address: string }) => one.address),
      ['anna@example.com'],
    );
    const second = await sso.logIn(new Browser(), 'company', 'anna');
    assert.equal(second.body.user_id, '@anna:example.org');
  });

  it('asks for a name that is taken, invalid, reserved or missing', async () => {
    const browser = new Browser();
    const taken = await sso.arrive(browser, 'company', 'anna2');
    assert.match(taken.html, /This name is taken/);
    assert.match(taken.html, /name="username" value="anna"/);
    assert.match(taken.html, /https:\/\/app\.example\.com/);
    const again = await browser.submit(taken, { username: 'ADMIN' });
    assert.match(again.html, /some names are reserved/);
    const bad = await browser.submit(again, { username: '"><script>alert(1)</script>' });
    assert.ok(!bad.html.includes('<script'));
    const end = await browser.submit(bad, { username: 'Anna.2' });
    assert.equal((await sso.exchange(tokenOf(end))).body.user_id, '@anna.2:example.org');
    assert.equal((await browser.submit(bad, { username: 'anna.3' })).status, 400, 'once only');
    assert.match((await sso.arrive(new Browser(), 'company', 'ben')).html, /value="benunlu"/);
    assert.match((await sso.arrive(new Browser(), 'company', 'dora')).html, /name="username" value=""/);
    assert.match((await sso.arrive(new Browser(), 'company', 'root')).html, /some names are reserved/);
  });

  it('refuses whoever is not in the group, and whoever the provider refuses', async () => {
    const refused = await sso.arrive(new Browser(), 'company', 'carl');
    assert.equal(refused.status, 403);
    assert.match(refused.html, /may not be used here/);
    const denied = await sso.arrive(new Browser(), 'company', undefined);
    assert.equal(denied.status, 403);
    assert.match(denied.html, /did not confirm/);
    assert.ok(!denied.html.includes('<b>no'));
    assert.match(denied.html, /href="\/_matrix\/client\/v3\/login\/sso\/redirect\/company\?redirectUrl=https/);
  });

  it('gives no account where none is to be made, and ties existing ones only as configured', async () => {
    const none = await sso.arrive(new Browser(), 'other', 'dora');
    assert.match(none.html, /no account here/);
    const oldie = await sso.server.register('oldie');
    const tied = await sso.logIn(new Browser(), 'other', 'old');
    assert.equal(tied.body.user_id, oldie.userId);
    // anna has a verified address; at the other provider it is her who comes with it.
    assert.equal((await sso.logIn(new Browser(), 'other', 'anna')).body.user_id, '@anna:example.org');
    const intruder = await sso.arrive(new Browser(), 'other', 'anna2');
    assert.match(intruder.html, /no account here/, 'an account with an identity of this provider gets no second one');
    const elsewhere = await sso.arrive(new Browser(), 'company', 'old');
    assert.match(elsewhere.html, /This name is taken/, 'the company may not tie accounts');
  });

  it('needs no confirmation for a client that is trusted', async () => {
    const page = await sso.arrive(new Browser(), 'company', 'anna', 'https://trusted.example.com/app/x');
    assert.match(page.url, /^https:\/\/trusted\.example\.com\/app\/x\?loginToken=/);
    for (const near of ['https://trusted.example.com/apple', 'https://trusted.example.com.evil.org/app/']) {
      assert.equal((await sso.arrive(new Browser(), 'company', 'anna', near)).status, 200, near);
    }
    const mobile = await sso.arrive(new Browser(), 'company', 'anna', 'io.element.app:/callback');
    assert.match(mobile.html, /<code>io\.element\.app:<\/code>/);
    assert.match(
      mobile.headers.get('content-security-policy') ?? '',
      /form-action 'self' https: http: io\.element\.app:/,
    );
  });

  it('sends nobody to addresses that run something', async () => {
    const bad = ['javascript:alert(1)', ' javascript:alert(1)', 'java\nscript:alert(1)', 'JAVASCRIPT://x/%0aalert(1)'];
    const worse = [
      'data:text/html,x',
      'vbscript:x',
      'file:///etc/passwd',
      'about:blank',
      'https://a@b/',
      '/cb',
      '',
      `https://x/${'a'.repeat(5000)}`,
    ];
    for (const target of [...bad, ...worse, 'blob:https://x/y', 'intent://x#Intent;end']) {
      const answer = await fetch(sso.redirectUrl('company', target), { redirect: 'manual' });
      assert.equal(answer.status, 400, target);
      assert.equal(answer.headers.get('location'), null);
    }
  });

  it('lets the user choose among several providers, and knows no others', async () => {
    const page = await new Browser().open(sso.redirectUrl(undefined, CLIENT_URL, '&action=register'));
    assert.equal(page.status, 200);
    assert.match(page.html, /The &#60;company&#62;/);
    assert.match(page.html, /redirect\/other\?redirectUrl=https[^"]*action=register/);
    for (const id of ['nobody', '__proto__', 'constructor', '%00']) {
      const { status, html } = await new Browser().open(sso.redirectUrl(id));
      assert.equal(status, 404, id);
      assert.match(html, /<html/);
    }
    assert.equal((await fetch(`${sso.publicUrl}${V3}/login/sso/redirect`, { redirect: 'manual' })).status, 400);
  });

  it('refuses locked and deactivated users, who get no second account', async () => {
    const { access_token: token, user_id: userId } = (await sso.logIn(new Browser(), 'company', 'lena')).body;
    const admin = await sso.server.register('boss', { admin: true });
    const browser = new Browser();
    const page = await sso.arrive(browser, 'company', 'lena');
    const lock = (isLocked: boolean) =>
      admin.request('PUT', `/_matrix/client/v1/admin/lock/${userId}`, { locked: isLocked });
    assert.equal((await lock(true)).status, 200);
    assert.match((await browser.submit(page)).html, /has been locked/);
    assert.match((await sso.arrive(new Browser(), 'company', 'lena')).html, /has been locked/);
    await lock(false);
    assert.equal((await browser.submit(page)).status, 0);
    const deactivate = (auth?: object) =>
      sso.server.request('POST', `${V3}/account/deactivate`, { token, body: { auth } });
    const asked = await deactivate();
    assert.deepEqual(asked.body.flows, [{ stages: ['m.login.sso'] }]);
    const { session } = asked.body;
    assert.equal((await deactivate({ type: 'm.login.sso', session })).status, 401);
    await prove(sso, 'lena', session);
    assert.equal((await deactivate({ session })).status, 200);
    assert.match((await sso.arrive(new Browser(), 'company', 'lena')).html, /has been deactivated/);
  });

  it('says readably that the provider is down, and goes on when it is back', async () => {
    const browser = new Browser();
    browser.stopAt = '/callback/';
    const { url } = await sso.arrive(browser, 'other', 'anna');
    await sso.idp('other').stop();
    browser.stopAt = undefined;
    const page = await browser.open(url);
    assert.equal(page.status, 502);
    assert.match(page.html, /can not be reached/);
    assert.match(page.html, /Try again/);
    await sso.idp('other').listen();
    assert.equal((await sso.arrive(new Browser(), 'other', 'anna')).status, 200);
  });
});

/** Goes through the stage `m.login.sso` in a browser. */
async function prove(sso: SsoSetup, subject: string, session: string): Promise<void> {
  const browser = new Browser();
  sso.idp('company').next = subject;
  const page = await browser.open(
    `${sso.publicUrl}${V3}/auth/m.login.sso/fallback/web?idp=company&session=${encodeURIComponent(session)}`,
  );
  assert.match(page.html, /somebody else may be using your account/);
  const done = await browser.submit(page);
  assert.match(done.html, /window\.onAuthDone\(\)/);
}
