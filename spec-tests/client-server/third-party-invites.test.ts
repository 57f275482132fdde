import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { generateSigningKey } from '../../src/protocol/crypto/index.ts';
import { ROOM_VERSIONS } from '../../src/protocol/room-versions/index.ts';
import { TestIdentityServer } from '../../src/testing/identity-server.ts';
import { MailBox } from '../../src/testing/mail-box.ts';
import { TestServer } from '../../src/testing/test-server.ts';
import type { TestUser } from '../../src/testing/test-user.ts';
import { createRoom, eventually, V3 } from './helpers.ts';

const TOKEN = 'id-token';

describe('invites by e-mail', () => {
  let ids: TestIdentityServer;
  let hs: TestServer;
  let alice: TestUser;
  let bob: TestUser;
  let carol: TestUser;
  before(async () => {
    ids = await TestIdentityServer.start();
    hs = await TestServer.start({
      inProcess: true,
      config: { identity: { servers: [ids.config], request_timeout: '1s' } },
    });
    ids.homeservers.set('example.org', hs.baseUrl);
    alice = await hs.register('alice');
    bob = await hs.register('bob');
    carol = await hs.register('carol');
  });
  after(async () => {
    await hs[Symbol.asyncDispose]();
    await ids[Symbol.asyncDispose]();
  });

  const room = (options: object = {}) => createRoom(alice, { preset: 'private_chat', name: 'Secret', ...options });
  const wish = (address: string, more: object = {}) => ({
    medium: 'email',
    address,
    id_server: ids.name,
    id_access_token: TOKEN,
    ...more,
  });
  const invite = (user: TestUser, roomId: string, body: object) =>
    user.request('POST', `${V3}/rooms/${encodeURIComponent(roomId)}/invite`, body);
  const stateOf = async (roomId: string): Promise<{ type: string; state_key: string; content: never }[]> =>
    (await alice.request('GET', `${V3}/rooms/${encodeURIComponent(roomId)}/state`)).body;
  const memberOf = async (roomId: string, userId: string) =>
    (await stateOf(roomId)).find((one) => one.type === 'm.room.member' && one.state_key === userId)?.content as
      | { membership: string; third_party_invite?: { display_name: string; signed: { token: string } } }
      | undefined;
  const join = (user: TestUser, roomId: string, signed?: object) =>
    user.request('POST', `${V3}/join/${encodeURIComponent(roomId)}`, signed && { third_party_signed: signed });
  const tokenFor = (address: string) => ids.pending.findLast((one) => one.address === address)?.token ?? '';
  const signedFor = (user: TestUser, address: string, key = ids.key) =>
    ids.sign(user.userId, tokenFor(address), { sender: alice.userId }, key);

  it('go to the user whom the identity server names, asked by hash', async () => {
    ids.bindings.set('bob@mail.example email', bob.userId);
    const roomId = await room();
    assert.equal((await invite(alice, roomId, wish(' Bob@Mail.example'))).status, 200);
    assert.equal((await memberOf(roomId, bob.userId))?.membership, 'invite');
    const lookup = ids.seen.findLast(({ path }) => path === '/lookup');
    assert.equal(lookup?.body.algorithm, 'sha256');
    assert.ok(!JSON.stringify(lookup?.body).includes('mail.example'));
    assert.ok(!JSON.stringify(await stateOf(roomId)).includes('mail.example'));
    ids.algorithms = ['none'];
    const second = await room();
    assert.equal((await invite(alice, second, wish('bob@mail.example'))).status, 200);
    ids.algorithms = ['none', 'sha256'];
    assert.equal((await memberOf(second, bob.userId))?.membership, 'invite');
  });

  it('wait for who binds the address, who then is invited', async () => {
    const roomId = await room({ topic: 'x' });
    assert.equal((await invite(alice, roomId, wish('new@mail.example'))).status, 200);
    const stored = ids.seen.findLast(({ path }) => path === '/store-invite');
    assert.deepEqual(
      [stored?.body.room_name, stored?.body.sender, stored?.body.room_join_rules, stored?.body.sender_display_name],
      ['Secret', alice.userId, 'invite', 'alice'],
    );
    const token = tokenFor('new@mail.example');
    const pending = (await stateOf(roomId)).find((one) => one.type === 'm.room.third_party_invite');
    assert.equal(pending?.state_key, token);
    const { public_key: publicKey }: { public_key?: string } = pending?.content ?? {};
    assert.equal(publicKey, ids.key.publicKey);
    await ids.bind(carol.userId, 'new@mail.example');
    assert.equal(ids.notified.at(-1)?.status, 200);
    await eventually(async () => assert.equal((await memberOf(roomId, carol.userId))?.membership, 'invite'));
    const member = await memberOf(roomId, carol.userId);
    assert.equal(member?.third_party_invite?.display_name, 'x...@e...');
    assert.equal(member?.third_party_invite?.signed.token, token);
    assert.equal((await join(carol, roomId)).status, 200);
  });

  it('are redeemed by joining with a signature, in rooms of every version', async () => {
    for (const { id } of ROOM_VERSIONS) {
      const roomId = await room({ room_version: id, invite_3pid: [wish(`v${id}@mail.example`)] });
      assert.equal((await join(bob, roomId)).status, 403);
      const { status, body } = await join(bob, roomId, signedFor(bob, `v${id}@mail.example`));
      assert.equal(status, 200, `${id}: ${JSON.stringify(body)}`);
      assert.equal((await memberOf(roomId, bob.userId))?.membership, 'join');
    }
  });

  it('are redeemed with the key of the link, as /sign-ed25519 does', async () => {
    const roomId = await room({ invite_3pid: [wish('link@mail.example')] });
    const answer = await fetch(`${ids.url}/_matrix/identity/v2/sign-ed25519`, {
      method: 'POST',
      headers: { authorization: `Bearer ${TOKEN}` },
      body: JSON.stringify({
        mxid: bob.userId,
        token: tokenFor('link@mail.example'),
        private_key: ids.ephemeralSeed.toString('base64'),
      }),
    });
    const signed = (await answer.json()) as object;
    assert.equal((await join(bob, roomId, signed)).status, 200);
  });

  it('are not redeemed by a false signature, a stranger, or another sender', async () => {
    const roomId = await room({ invite_3pid: [wish('false@mail.example')] });
    const forged = generateSigningKey('0', new Uint8Array(32).fill(7));
    const good = signedFor(bob, 'false@mail.example');
    const attempts = [
      signedFor(bob, 'false@mail.example', forged),
      { ...good, extra: 1 },
      { ...good, token: 'unknown' },
      { ...good, sender: carol.userId },
      { ...good, signatures: {} },
      ids.sign(carol.userId, tokenFor('false@mail.example'), { sender: alice.userId }),
    ];
    for (const attempt of attempts)
      assert.equal((await join(bob, roomId, attempt)).status, 403, JSON.stringify(attempt));
    assert.equal((await join(bob, roomId, { mxid: bob.userId })).status, 400);
    ids.keysAreValid = false;
    assert.equal((await join(bob, roomId, good)).status, 403);
    ids.keysAreValid = true;
    assert.equal(await memberOf(roomId, bob.userId), undefined);
    assert.equal((await join(bob, roomId, good)).status, 200);
  });

  it('bring nobody back who was removed, and nobody in after they were taken back', async () => {
    const roomId = await room({ invite_3pid: [wish('again@mail.example')] });
    const signed = signedFor(bob, 'again@mail.example');
    assert.equal((await join(bob, roomId, signed)).status, 200);
    assert.equal((await join(bob, roomId, signed)).status, 200, 'who is in stays in');
    const target = `${V3}/rooms/${encodeURIComponent(roomId)}`;
    await alice.request('POST', `${target}/kick`, { user_id: bob.userId });
    assert.equal((await join(bob, roomId, signed)).status, 403);
    await alice.request('POST', `${target}/ban`, { user_id: bob.userId });
    assert.equal((await join(bob, roomId, signed)).status, 403);
    await alice.request('POST', `${target}/unban`, { user_id: bob.userId });
    assert.equal((await invite(alice, roomId, wish('fresh@mail.example'))).status, 200);
    assert.equal((await join(bob, roomId, signedFor(bob, 'fresh@mail.example'))).status, 200);
    const revoked = await room({ invite_3pid: [wish('revoked@mail.example')] });
    const token = tokenFor('revoked@mail.example');
    const path = `${V3}/rooms/${encodeURIComponent(revoked)}/state/m.room.third_party_invite/${token}`;
    assert.equal((await alice.request('PUT', path, {})).status, 200);
    assert.equal((await join(bob, revoked, signedFor(bob, 'revoked@mail.example'))).status, 403);
  });

  it('lead to one membership when redeemed twice at once', async () => {
    const roomId = await room({ invite_3pid: [wish('race@mail.example')] });
    const signed = signedFor(bob, 'race@mail.example');
    const answers = await Promise.all([
      join(bob, roomId, signed),
      join(bob, roomId, signed),
      join(bob, roomId, signed),
    ]);
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 200, 200],
    );
  });

  it('are refused to who may not invite, without asking the identity server', async () => {
    const roomId = await room({ preset: 'public_chat' });
    const before = ids.seen.length;
    assert.equal((await invite(bob, roomId, wish('x@mail.example'))).status, 403);
    await join(bob, roomId);
    const path = `${V3}/rooms/${encodeURIComponent(roomId)}/state/m.room.power_levels`;
    const levels = (await alice.request('GET', path)).body;
    await alice.request('PUT', path, { ...levels, invite: 50 });
    assert.equal((await invite(bob, roomId, wish('x@mail.example'))).body.errcode, 'M_FORBIDDEN');
    assert.equal(ids.seen.length, before);
  });

  it('are refused where something about the wish is wrong', async () => {
    const roomId = await room();
    const errcode = async (body: object) => (await invite(alice, roomId, body)).body.errcode;
    assert.equal(await errcode(wish('x@mail.example', { id_server: 'other.test' })), 'M_SERVER_NOT_TRUSTED');
    assert.equal(await errcode(wish('x@mail.example', { id_server: 'http://127.0.0.1' })), 'M_SERVER_NOT_TRUSTED');
    assert.equal(await errcode(wish('x@mail.example', { id_server: undefined })), 'M_MISSING_PARAM');
    assert.equal(await errcode(wish('x@mail.example', { id_access_token: undefined })), 'M_MISSING_PARAM');
    assert.equal(await errcode(wish('x@mail.example', { medium: 'msisdn' })), 'M_THREEPID_MEDIUM_NOT_SUPPORTED');
    assert.equal(await errcode(wish('no address')), 'M_INVALID_PARAM');
    assert.equal(await errcode(wish('a@b\r\nBcc: c@d')), 'M_INVALID_PARAM');
    // Not M_UNKNOWN_TOKEN, for which a client would log out.
    assert.equal(await errcode(wish('x@mail.example', { id_access_token: 'wrong' })), 'M_FORBIDDEN');
    const created = await alice.request('POST', `${V3}/createRoom`, {
      invite_3pid: [wish('x@mail.example', { id_server: 'other.test' })],
    });
    assert.equal(created.body.errcode, 'M_SERVER_NOT_TRUSTED');
  });

  it('survive an identity server that answers nonsense', async () => {
    const roomId = await room();
    const nonsense: readonly [string, string][] = [
      ['/hash_details', '[]'],
      ['/hash_details', '{"lookup_pepper":5,"algorithms":["sha256"]}'],
      ['/hash_details', '{"lookup_pepper":"x","algorithms":["md5"]}'],
      ['/hash_details', `{"lookup_pepper":"${'x'.repeat(100_000)}","algorithms":["sha256"]}`],
      ['/lookup', '{"mappings":{"'],
      ['/store-invite', '{"token":"a b","public_keys":[],"display_name":"x"}'],
      ['/store-invite', '{"token":"ok","public_keys":[{"public_key":"zz","key_validity_url":"file:///etc"}]}'],
    ];
    for (const [at, text] of nonsense) {
      ids.misbehave = (path, response) => path === at && response.writeHead(200).end(text) !== undefined;
      const { status } = await invite(alice, roomId, wish('y@mail.example'));
      assert.equal(status, 502, text.slice(0, 80));
    }
    ids.misbehave = (path, response) =>
      path === '/hash_details' && response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end() !== undefined;
    assert.equal((await invite(alice, roomId, wish('y@mail.example'))).status, 502);
    ids.misbehave = (path, response) => path === '/hash_details' && response.destroy() !== undefined;
    assert.equal((await invite(alice, roomId, wish('y@mail.example'))).status, 502);
    // It never answers.
    ids.misbehave = (path) => path === '/lookup';
    assert.equal((await invite(alice, roomId, wish('y@mail.example'))).status, 502);
    ids.misbehave = undefined;
    assert.ok(!(await stateOf(roomId)).some((one) => one.type === 'm.room.third_party_invite'));
  });

  it('name nobody: an identity server that shows the address as the name is corrected', async () => {
    const roomId = await room();
    const key = { public_key: ids.key.publicKey, key_validity_url: 'https://id.test/isvalid' };
    const answer = { token: 'tok', public_keys: [key], display_name: 'Leak@mail.example' };
    ids.misbehave = (path, response) => path === '/store-invite' && response.end(JSON.stringify(answer)) !== undefined;
    assert.equal((await invite(alice, roomId, wish('leak@mail.example'))).status, 200);
    ids.misbehave = undefined;
    assert.ok(
      !JSON.stringify(await stateOf(roomId))
        .toLowerCase()
        .includes('leak@'),
    );
  });

  it('ask for the validity of keys at public addresses only, whatever a room says', async () => {
    const roomId = await room();
    const inside = await TestIdentityServer.start('inside.test');
    const path = `${V3}/rooms/${encodeURIComponent(roomId)}/state/m.room.third_party_invite/tok`;
    const content = {
      display_name: 'x',
      public_key: ids.key.publicKey,
      key_validity_url: `${inside.url}/pubkey/isvalid`,
    };
    assert.equal((await alice.request('PUT', path, content)).status, 200);
    const signed = ids.sign(bob.userId, 'tok', { sender: alice.userId });
    assert.equal((await join(bob, roomId, signed)).status, 403);
    assert.equal(inside.seen.length, 0);
    await inside[Symbol.asyncDispose]();
  });

  it('take no notice of bindings of users that are not here', async () => {
    const onbind = (body: object) => hs.request('PUT', '/_matrix/federation/v1/3pid/onbind', { body });
    const common = { medium: 'email', address: 'x@mail.example', invites: [] };
    assert.equal((await onbind({ ...common, mxid: '@bob:elsewhere.org' })).status, 400);
    assert.equal((await onbind({ ...common, mxid: '@nobody:example.org' })).status, 400);
    assert.equal((await onbind({ ...common, mxid: bob.userId, invites: [{ room_id: 5 }] })).status, 200);
    assert.equal((await onbind({ ...common, mxid: bob.userId, invites: Array(51).fill({}) })).status, 400);
  });
});

describe('addresses at an identity server', () => {
  it('are published and taken back through us', async () => {
    await using ids = await TestIdentityServer.start();
    await using hs = await TestServer.start({ inProcess: true, config: { identity: { servers: [ids.config] } } });
    ids.homeservers.set('example.org', hs.baseUrl);
    const alice = await hs.register('alice');
    const access = { id_server: ids.name, id_access_token: TOKEN };
    const bind = (more: object = {}) =>
      alice.request('POST', `${V3}/account/3pid/bind`, { sid: 's', client_secret: 'c', ...access, ...more });
    const threepid = { medium: 'email', address: 'Alice@mail.example' };
    const unbind = (verb: string, more: object = {}) =>
      alice.request('POST', `${V3}/account/3pid/${verb}`, { ...threepid, ...more });
    assert.deepEqual((await unbind('unbind')).body, { id_server_unbind_result: 'no-support' });
    assert.equal((await bind()).body.errcode, 'M_NO_VALID_SESSION');
    assert.equal((await bind({ id_server: 'other.test' })).body.errcode, 'M_SERVER_NOT_TRUSTED');
    ids.validate('s', 'c', 'alice@mail.example');
    assert.equal((await bind()).status, 200);
    assert.equal(ids.bindings.get('alice@mail.example email'), alice.userId);
    assert.deepEqual((await unbind('unbind')).body, { id_server_unbind_result: 'success' });
    assert.equal(ids.bindings.size, 0);
    assert.deepEqual((await unbind('unbind')).body, { id_server_unbind_result: 'no-support' });
    await bind();
    assert.deepEqual((await unbind('delete', { id_server: ids.name })).body, { id_server_unbind_result: 'success' });
    assert.equal(ids.bindings.size, 0);
    await bind();
    ids.misbehave = (path, response) => path === '/3pid/unbind' && response.writeHead(501).end() !== undefined;
    assert.deepEqual((await unbind('unbind')).body, { id_server_unbind_result: 'no-support' });
    ids.misbehave = (path, response) => path === '/3pid/unbind' && response.destroy() !== undefined;
    assert.equal((await unbind('unbind')).status, 502);
    assert.deepEqual((await unbind('delete')).body, { id_server_unbind_result: 'no-support' });
    ids.misbehave = undefined;
    const auth = {
      type: 'm.login.password',
      identifier: { type: 'm.id.user', user: 'alice' },
      password: 'password-alice',
    };
    const ended = await alice.request('POST', `${V3}/account/deactivate`, { auth });
    assert.deepEqual(ended.body, { id_server_unbind_result: 'success' });
    assert.equal(ids.bindings.size, 0);
  });
});

describe('invites to addresses that accounts here have confirmed', () => {
  it('go to the account, where the configuration says so', async () => {
    await using mail = new MailBox();
    const smtp = { host: '127.0.0.1', port: await mail.port(), tls: 'none' as const };
    const config = { email: { smtp }, identity: { invite_known_addresses: true } };
    await using hs = await TestServer.start({ inProcess: true, config });
    const alice = await hs.register('alice');
    const bob = await hs.register('bob');
    const request = { email: 'bob@mail.example', client_secret: 'secret', send_attempt: 1 };
    const { sid } = (await hs.request('POST', `${V3}/account/3pid/email/requestToken`, { body: request })).body;
    const roomId = await createRoom(alice, { preset: 'private_chat' });
    const invite = (address: string) =>
      alice.request('POST', `${V3}/rooms/${encodeURIComponent(roomId)}/invite`, { medium: 'email', address });
    assert.equal((await invite('bob@mail.example')).body.errcode, 'M_THREEPID_DENIED', 'not confirmed yet');
    await hs.request('POST', mail.linkTo('bob@mail.example'));
    const auth = { type: 'm.login.password', identifier: { type: 'm.id.user', user: 'bob' }, password: 'password-bob' };
    await bob.request('POST', `${V3}/account/3pid/add`, { sid, client_secret: 'secret', auth });
    assert.equal((await invite('Bob@mail.example')).status, 200);
    assert.equal((await bob.request('POST', `${V3}/join/${encodeURIComponent(roomId)}`, {})).status, 200);
    assert.equal((await invite('nobody@mail.example')).body.errcode, 'M_THREEPID_DENIED');
  });
});
