/** Cross-signing. Spec: client-server-api/#cross-signing */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { JsonObject } from '../../src/protocol/json/index.ts';
import { TestServer } from '../../src/testing/test-server.ts';
import type { TestUser } from '../../src/testing/test-user.ts';
import { CrossSigningMaker, KeyMaker } from './key-maker.ts';

const V3 = '/_matrix/client/v3';

describe('cross-signing', () => {
  let server: TestServer;
  let alice: TestUser;
  let bob: TestUser;
  let aliceDevice: KeyMaker;
  let master: CrossSigningMaker;
  let selfSigning: CrossSigningMaker;
  let userSigning: CrossSigningMaker;
  let bobMaster: CrossSigningMaker;

  before(async () => {
    server = await TestServer.start({ inProcess: true });
    alice = await server.register('alice');
    bob = await server.register('bob');
    aliceDevice = new KeyMaker(alice);
    await alice.request('POST', `${V3}/keys/upload`, { device_keys: aliceDevice.deviceKeys() });
    master = new CrossSigningMaker(alice, 'master');
    selfSigning = new CrossSigningMaker(alice, 'self_signing');
    userSigning = new CrossSigningMaker(alice, 'user_signing');
    bobMaster = new CrossSigningMaker(bob, 'master');
    const { body } = await alice.request('POST', `${V3}/createRoom`, { preset: 'public_chat' });
    await bob.request('POST', `${V3}/join/${encodeURIComponent(body.room_id)}`, {});
  });
  after(() => server[Symbol.asyncDispose]());

  const upload = (user: TestUser, body: object) => user.request('POST', `${V3}/keys/device_signing/upload`, body);
  const sign = async (user: TestUser, body: object) =>
    (await user.request('POST', `${V3}/keys/signatures/upload`, body)).body.failures;
  const query = async (user: TestUser, target: TestUser) =>
    (await user.request('POST', `${V3}/keys/query`, { device_keys: { [target.userId]: [] } })).body;
  const sync = async (user: TestUser, since?: string) =>
    (await user.request('GET', `${V3}/sync?timeout=0${since === undefined ? '' : `&since=${since}`}`)).body;
  const password = (user: TestUser, name: string, session: string) => ({
    type: 'm.login.password',
    identifier: { type: 'm.id.user', user: user.userId },
    password: `password-${name}`,
    session,
  });

  it('refuses keys without a master key, or not signed by it', async () => {
    const orphan = await upload(alice, { self_signing_key: selfSigning.object(master.key) });
    assert.equal(orphan.body.errcode, 'M_MISSING_PARAM');
    const unsigned = await upload(alice, { master_key: master.object(), self_signing_key: selfSigning.object() });
    assert.equal(unsigned.status, 400);
    assert.equal(unsigned.body.errcode, 'M_INVALID_SIGNATURE');
    const ofBob = await upload(alice, { master_key: bobMaster.object() });
    assert.equal(ofBob.body.errcode, 'M_INVALID_PARAM');
  });

  it('takes the first keys without a password, tells those who share a room, and shows each what they may see', async () => {
    const at = (await sync(bob)).next_batch;
    const keys = {
      master_key: master.object(aliceDevice.key),
      self_signing_key: selfSigning.object(master.key),
      user_signing_key: userSigning.object(master.key),
    };
    assert.equal((await upload(alice, keys)).status, 200);
    assert.deepEqual((await sync(bob, at)).device_lists.changed, [alice.userId]);
    const seenByBob = await query(bob, alice);
    assert.deepEqual(seenByBob.master_keys, { [alice.userId]: keys.master_key });
    assert.deepEqual(seenByBob.self_signing_keys, { [alice.userId]: keys.self_signing_key });
    assert.deepEqual(seenByBob.user_signing_keys, {});
    assert.deepEqual((await query(alice, alice)).user_signing_keys, { [alice.userId]: keys.user_signing_key });
  });

  it('takes the same keys again, and asks for a password where others come in their place', async () => {
    assert.equal((await upload(alice, { master_key: master.object() })).status, 200);
    const other = { self_signing_key: new CrossSigningMaker(alice, 'self_signing').object(master.key) };
    const challenge = await upload(alice, other);
    assert.equal(challenge.status, 401);
    assert.deepEqual(challenge.body.flows, [{ stages: ['m.login.password'] }]);
    assert.equal(challenge.body.errcode, undefined);
    const wrong = await upload(alice, { ...other, auth: password(alice, 'wrong', challenge.body.session) });
    assert.equal(wrong.status, 401);
    assert.deepEqual(Object.keys((await query(bob, alice)).self_signing_keys[alice.userId].keys), [
      `ed25519:${selfSigning.publicKey}`,
    ]);
  });

  it('lets the self-signing key sign devices, and everybody sees it', async () => {
    const at = (await sync(bob)).next_batch;
    const signed = selfSigning.sign(aliceDevice.deviceKeys());
    assert.deepEqual(await sign(alice, { [alice.userId]: { [alice.deviceId]: signed } }), {});
    assert.deepEqual((await sync(bob, at)).device_lists.changed, [alice.userId]);
    const { unsigned: _unsigned, ...seen } = (await query(bob, alice)).device_keys[alice.userId][alice.deviceId];
    assert.deepEqual(seen, signed);
  });

  it('lets devices sign the master key', async () => {
    const signed = aliceDevice.signed(master.object());
    assert.deepEqual(await sign(alice, { [alice.userId]: { [master.publicKey]: signed } }), {});
    assert.deepEqual((await query(bob, alice)).master_keys[alice.userId], signed);
  });

  it('passes over signatures by keys that are gone, and takes the others with them', async () => {
    const gone = new KeyMaker({ userId: alice.userId, deviceId: 'GONE' });
    const signed = gone.signed(aliceDevice.signed(master.object()));
    assert.deepEqual(await sign(alice, { [alice.userId]: { [master.publicKey]: signed } }), {});
    const seen = (await query(bob, alice)).master_keys[alice.userId].signatures[alice.userId];
    assert.deepEqual(Object.keys(seen), [`ed25519:${alice.deviceId}`]);
    const byNobody = gone.signed(master.object());
    const failures = await sign(alice, { [alice.userId]: { [master.publicKey]: byNobody } });
    assert.equal(failures[alice.userId][master.publicKey].errcode, 'M_INVALID_SIGNATURE');
  });

  it('refuses wrong signatures, unknown keys and changed objects, and takes the others', async () => {
    const good = selfSigning.sign(aliceDevice.deviceKeys());
    const forged: JsonObject = {
      ...good,
      signatures: { [alice.userId]: { [`ed25519:${selfSigning.publicKey}`]: 'A'.repeat(86) } },
    };
    const failures = await sign(alice, {
      [alice.userId]: {
        [alice.deviceId]: forged,
        NODEVICE: good,
        [master.publicKey]: aliceDevice.signed(master.object()),
      },
    });
    assert.deepEqual(Object.keys(failures[alice.userId]).sort(), ['NODEVICE', alice.deviceId].sort());
    assert.equal(failures[alice.userId][alice.deviceId].errcode, 'M_INVALID_SIGNATURE');
    assert.equal(failures[alice.userId].NODEVICE.errcode, 'M_NOT_FOUND');
    const changed = selfSigning.sign(aliceDevice.deviceKeys({ algorithms: [] }));
    const refused = await sign(alice, { [alice.userId]: { [alice.deviceId]: changed } });
    assert.equal(refused[alice.userId][alice.deviceId].errcode, 'M_INVALID_PARAM');
    const byMaster = master.sign(aliceDevice.deviceKeys());
    const notAllowed = await sign(alice, { [alice.userId]: { [alice.deviceId]: byMaster } });
    assert.equal(notAllowed[alice.userId][alice.deviceId].errcode, 'M_INVALID_SIGNATURE');
  });

  it('shows the signature on another user to the signer alone, whose other devices hear of it', async () => {
    await upload(bob, { master_key: bobMaster.object() });
    const [aliceAt, bobAt] = [(await sync(alice)).next_batch, (await sync(bob)).next_batch];
    const signed = await alice.request('POST', `${V3}/keys/signatures/upload`, {
      [bob.userId]: {
        [bobMaster.publicKey]: userSigning.sign(bobMaster.object()),
      },
    });
    assert.deepEqual(signed.body.failures, {});
    assert.deepEqual((await sync(alice, aliceAt)).device_lists, { changed: [bob.userId], left: [] });
    assert.equal((await sync(bob, bobAt)).device_lists, undefined);
    const seenByAlice = (await query(alice, bob)).master_keys[bob.userId];
    assert.deepEqual(Object.keys(seenByAlice.signatures[alice.userId]), [`ed25519:${userSigning.publicKey}`]);
    assert.equal((await query(bob, bob)).master_keys[bob.userId].signatures?.[alice.userId], undefined);
  });

  it('puts new keys in the place of the old ones, whose signatures go', async () => {
    const newMaster = new CrossSigningMaker(alice, 'master');
    const keys = { master_key: newMaster.object() };
    const challenge = await upload(alice, keys);
    assert.equal(challenge.status, 401);
    const auth = password(alice, 'alice', challenge.body.session);
    assert.equal((await upload(alice, { ...keys, auth })).status, 200);
    const seen = await query(bob, alice);
    assert.deepEqual(Object.keys(seen.master_keys[alice.userId].keys), [`ed25519:${newMaster.publicKey}`]);
    assert.deepEqual(seen.self_signing_keys, {});
    const signers = Object.keys(seen.device_keys[alice.userId][alice.deviceId].signatures[alice.userId]);
    assert.deepEqual(signers, [`ed25519:${alice.deviceId}`]);
    assert.equal((await query(alice, bob)).master_keys[bob.userId].signatures?.[alice.userId], undefined);
  });

  it('refuses a key with the name of a device', async () => {
    const carol = await server.register('carol');
    const key = new CrossSigningMaker(carol, 'master');
    await server.request('POST', `${V3}/login`, {
      body: {
        type: 'm.login.password',
        identifier: { type: 'm.id.user', user: 'carol' },
        password: 'password-carol',
        device_id: key.publicKey,
      },
    });
    const refused = await upload(carol, { master_key: key.object() });
    assert.equal(refused.status, 403);
    assert.equal(refused.body.errcode, 'M_FORBIDDEN');
  });
});
