import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { MailBox } from '../../src/testing/mail-box.ts';
import { TestServer } from '../../src/testing/test-server.ts';
import { TestUser } from '../../src/testing/test-user.ts';
import { V3 } from './helpers.ts';

describe('e-mail addresses', () => {
  let mail: MailBox;
  let hs: TestServer;
  let alice: TestUser;
  before(async () => {
    mail = new MailBox();
    const smtp = { host: '127.0.0.1', port: await mail.port(), tls: 'none' as const };
    hs = await TestServer.start({ inProcess: true, config: { email: { smtp, app_name: 'Example' } } });
    alice = await hs.register('alice');
  });
  after(async () => {
    await hs[Symbol.asyncDispose]();
    await mail[Symbol.asyncDispose]();
  });

  const ask = (path: string, email: string, clientSecret: string, attempt = 1, headers: Record<string, string> = {}) =>
    hs.request('POST', `${V3}${path}/email/requestToken`, {
      body: { email, client_secret: clientSecret, send_attempt: attempt },
      headers,
    });
  const addresses = async (user: TestUser) =>
    (await user.request('GET', `${V3}/account/3pid`)).body.threepids.map((one: { address: string }) => one.address);
  const passwordAuth = {
    type: 'm.login.password',
    identifier: { type: 'm.id.user', user: 'alice' },
    password: 'password-alice',
  };
  const add = (sid: string, secret: string) =>
    alice.request('POST', `${V3}/account/3pid/add`, { sid, client_secret: secret, auth: passwordAuth });

  it('are added once the link in the message was followed', async () => {
    const { status, body } = await ask('/account/3pid', 'Alice@Mail.example', 'secret1');
    assert.equal(status, 200);
    assert.match(body.sid, /^[0-9a-zA-Z.=_-]+$/);
    assert.equal((await add(body.sid, 'secret1')).body.errcode, 'M_THREEPID_AUTH_FAILED');
    const link = mail.linkTo('alice@mail.example');
    const page = await hs.request('GET', link);
    assert.match(page.bytes.toString(), /<form method="post">/);
    assert.equal((await add(body.sid, 'secret1')).status, 403, 'opening the link alone confirms nothing');
    assert.equal((await hs.request('POST', link)).status, 200);
    assert.equal((await add(body.sid, 'other')).status, 403);
    assert.equal((await add(body.sid, 'secret1')).status, 200);
    assert.deepEqual(await addresses(alice), ['alice@mail.example']);
  });

  it('are validated by the right link only', async () => {
    const { body } = await ask('/account/3pid', 'x@mail.example', 'secret2');
    assert.equal(
      (await hs.request('POST', `/_inglenook/client/v1/email/confirm?sid=${body.sid}&token=wrong`)).status,
      403,
    );
    assert.equal((await add(body.sid, 'secret2')).status, 403);
  });

  it('get one message for each new attempt, in the language of the client', async () => {
    const count = () => mail.messages.filter((one) => one.to === 'y@mail.example').length;
    const first = await ask('/account/3pid', 'y@mail.example', 'secret3');
    const second = await ask('/account/3pid', 'y@mail.example', 'secret3');
    assert.equal(first.body.sid, second.body.sid);
    assert.equal(count(), 1);
    await ask('/account/3pid', 'y@mail.example', 'secret3', 2, { 'accept-language': 'zh-CN,zh;q=0.9' });
    assert.equal(count(), 2);
    assert.match(mail.messages.at(-1)?.text ?? '', /请打开以下链接/);
  });

  it('belong to one account', async () => {
    assert.equal((await ask('/account/3pid', 'alice@mail.example', 'secret4')).body.errcode, 'M_THREEPID_IN_USE');
    assert.equal((await ask('/register', 'alice@mail.example', 'secret4')).body.errcode, 'M_THREEPID_IN_USE');
  });

  it('can be used to log in, and to set a new password', async () => {
    const identifier = { type: 'm.id.thirdparty', medium: 'email', address: 'alice@mail.example' };
    const login = (password: string) =>
      hs.request('POST', `${V3}/login`, { body: { type: 'm.login.password', identifier, password } });
    assert.equal(TestUser.from(hs.client, await login('password-alice')).userId, alice.userId);
    const nobody = { ...identifier, address: 'nobody@mail.example' };
    const refused = await hs.request('POST', `${V3}/login`, {
      body: { type: 'm.login.password', identifier: nobody, password: 'x' },
    });
    assert.equal(refused.status, 403);
    for (const other of [
      { type: 'm.id.thirdparty', medium: 'msisdn', address: '4470000' },
      { type: 'm.id.phone', country: 'GB', phone: '070000' },
    ]) {
      const body = { type: 'm.login.password', identifier: other, password: 'password-alice' };
      assert.equal((await hs.request('POST', `${V3}/login`, { body })).body.errcode, 'M_FORBIDDEN');
    }
    assert.equal((await ask('/account/password', 'nobody@mail.example', 's')).body.errcode, 'M_THREEPID_NOT_FOUND');
    const { body } = await ask('/account/password', 'alice@mail.example', 'secret5');
    const target = `${V3}/account/password`;
    const challenge = await hs.request('POST', target, { body: { new_password: 'new password' } });
    assert.deepEqual(challenge.body.flows, [{ stages: ['m.login.email.identity'] }]);
    const auth = {
      type: 'm.login.email.identity',
      session: challenge.body.session,
      threepid_creds: { sid: body.sid, client_secret: 'secret5' },
    };
    const tooSoon = await hs.request('POST', target, { body: { new_password: 'new password', auth } });
    assert.equal(tooSoon.status, 401);
    await hs.request('POST', mail.linkTo('alice@mail.example'));
    assert.equal((await hs.request('POST', target, { body: { new_password: 'new password', auth } })).status, 200);
    const again = await hs.request('POST', target, { body: { new_password: 'another' } });
    const replayed = await hs.request('POST', target, {
      body: { new_password: 'another', auth: { ...auth, session: again.body.session } },
    });
    assert.equal(replayed.body.errcode, 'M_UNAUTHORIZED', 'a validation is good for one password');
    assert.equal((await login('password-alice')).status, 403);
    assert.equal((await login('new password')).status, 200);
    alice = TestUser.from(hs.client, await login('new password'));
  });

  it('can be removed', async () => {
    const answer = await alice.request('POST', `${V3}/account/3pid/delete`, {
      medium: 'email',
      address: 'Alice@mail.example',
    });
    assert.deepEqual(answer.body, { id_server_unbind_result: 'no-support' });
    assert.deepEqual(await addresses(alice), []);
  });

  it('are no business of identity servers, and telephone numbers not of ours', async () => {
    const bind = { sid: 'x', client_secret: 'y', id_server: 'id.example', id_access_token: 'z' };
    assert.equal((await alice.request('POST', `${V3}/account/3pid/bind`, bind)).body.errcode, 'M_SERVER_NOT_TRUSTED');
    const phone = { client_secret: 's', country: 'GB', phone_number: '07', send_attempt: 1 };
    const { body } = await hs.request('POST', `${V3}/register/msisdn/requestToken`, { body: phone });
    assert.equal(body.errcode, 'M_THREEPID_MEDIUM_NOT_SUPPORTED');
    assert.equal((await ask('/account/3pid', 'not an address', 's')).body.errcode, 'M_INVALID_PARAM');
  });
});

describe('registration with an e-mail address', () => {
  it('asks for a confirmed one and adds it to the account', async () => {
    await using mail = new MailBox();
    const smtp = { host: '127.0.0.1', port: await mail.port(), tls: 'none' as const };
    const config = { email: { smtp }, registration: { steps: ['email' as const] } };
    await using hs = await TestServer.start({ inProcess: true, config });
    const target = `${V3}/register`;
    const wish = { username: 'bob', password: 'password' };
    const challenge = await hs.request('POST', target, { body: wish });
    assert.deepEqual(challenge.body.flows, [{ stages: ['m.login.email.identity'] }]);
    const request = { email: 'bob@mail.example', client_secret: 'secret', send_attempt: 1 };
    const { sid } = (await hs.request('POST', `${V3}/register/email/requestToken`, { body: request })).body;
    await hs.request('POST', mail.linkTo('bob@mail.example'));
    const auth = {
      type: 'm.login.email.identity',
      session: challenge.body.session,
      threepid_creds: { sid, client_secret: 'secret' },
    };
    const bob = TestUser.from(hs.client, await hs.request('POST', target, { body: { ...wish, auth } }));
    const { threepids } = (await bob.request('GET', `${V3}/account/3pid`)).body;
    assert.equal(threepids[0].address, 'bob@mail.example');
    const second = await hs.request('POST', target, { body: { username: 'eve', password: 'password' } });
    const { session } = second.body;
    for (const stage of [
      { ...auth, session },
      { type: 'm.login.msisdn', session, threepid_creds: auth.threepid_creds },
    ]) {
      const refused = await hs.request('POST', target, {
        body: { username: 'eve', password: 'password', auth: stage },
      });
      assert.equal(refused.status, 401, stage.type);
      assert.ok(['M_UNAUTHORIZED', 'M_FORBIDDEN'].includes(refused.body.errcode));
    }
  });
});

describe('a server without SMTP', () => {
  it('says so', async () => {
    await using hs = await TestServer.start({ inProcess: true });
    const alice = await hs.register('alice');
    const request = { email: 'a@mail.example', client_secret: 'secret', send_attempt: 1 };
    for (const path of ['/account/3pid', '/account/password', '/register']) {
      const { body } = await hs.request('POST', `${V3}${path}/email/requestToken`, { body: request });
      assert.equal(body.errcode, 'M_THREEPID_MEDIUM_NOT_SUPPORTED');
    }
    const { capabilities } = (await alice.request('GET', `${V3}/capabilities`)).body;
    assert.deepEqual(capabilities['m.3pid_changes'], { enabled: false });
    const reset = await hs.request('POST', `${V3}/account/password`, { body: { new_password: 'x' } });
    assert.equal(reset.body.errcode, 'M_MISSING_TOKEN');
  });
});

describe('a server whose users may not change their addresses', () => {
  it('refuses to add and remove them, and says so beforehand', async () => {
    await using mail = new MailBox();
    const smtp = { host: '127.0.0.1', port: await mail.port(), tls: 'none' as const };
    await using hs = await TestServer.start({ inProcess: true, config: { email: { smtp, changes_by_users: false } } });
    const alice = await hs.register('alice');
    const { capabilities } = (await alice.request('GET', `${V3}/capabilities`)).body;
    assert.deepEqual(capabilities['m.3pid_changes'], { enabled: false });
    const wishes: readonly [string, object][] = [
      ['/email/requestToken', { email: 'a@mail.example', client_secret: 's', send_attempt: 1 }],
      ['', { three_pid_creds: { sid: 'x', client_secret: 's' } }],
      ['/add', { sid: 'x', client_secret: 's' }],
      ['/delete', { medium: 'email', address: 'a@mail.example' }],
    ];
    for (const [path, body] of wishes) {
      assert.equal((await alice.request('POST', `${V3}/account/3pid${path}`, body)).body.errcode, 'M_FORBIDDEN', path);
    }
  });
});
