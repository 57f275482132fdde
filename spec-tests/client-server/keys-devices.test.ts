/** Device keys, one-time keys and who hears of changes. Spec: client-server-api/#end-to-end-encryption */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { TestServer } from '../../src/testing/test-server.ts';
import type { TestUser } from '../../src/testing/test-user.ts';
import { KeyMaker } from './key-maker.ts';

const V3 = '/_matrix/client/v3';

describe('keys of devices', () => {
  let server: TestServer;
  let alice: TestUser;
  let bob: TestUser;
  let aliceKeys: KeyMaker;

  before(async () => {
    server = await TestServer.start();
    alice = await server.register('alice');
    bob = await server.register('bob');
    aliceKeys = new KeyMaker(alice);
  });
  after(() => server[Symbol.asyncDispose]());

  const upload = (user: TestUser, body: object) => user.request('POST', `${V3}/keys/upload`, body);
  const query = async (user: TestUser, ...users: readonly string[]) => {
    const body = { device_keys: Object.fromEntries(users.map((userId) => [userId, []])) };
    return (await user.request('POST', `${V3}/keys/query`, body)).body;
  };
  const claim = async (user: TestUser, target: TestUser, algorithm = 'signed_curve25519') => {
    const body = { one_time_keys: { [target.userId]: { [target.deviceId]: algorithm } } };
    return (await user.request('POST', `${V3}/keys/claim`, body)).body.one_time_keys;
  };
  const sync = async (user: TestUser, since?: string, timeout = 0) => {
    const at = since === undefined ? '' : `&since=${since}`;
    return (await user.request('GET', `${V3}/sync?timeout=${timeout}${at}`)).body;
  };
  const createRoom = async (user: TestUser, ...members: readonly TestUser[]): Promise<string> => {
    const { body } = await user.request('POST', `${V3}/createRoom`, { preset: 'public_chat' });
    for (const member of members) await member.request('POST', `${V3}/join/${encodeURIComponent(body.room_id)}`, {});
    return body.room_id;
  };

  it('are published as they were uploaded, with the name of the device', async () => {
    const keys = aliceKeys.deviceKeys();
    const answer = await upload(alice, { device_keys: keys });
    assert.deepEqual(answer.body, { one_time_key_counts: { signed_curve25519: 0 } });
    await alice.request('PUT', `${V3}/devices/${alice.deviceId}`, { display_name: 'laptop' });
    const found = await query(bob, alice.userId);
    assert.deepEqual(found.device_keys, {
      [alice.userId]: { [alice.deviceId]: { ...keys, unsigned: { device_display_name: 'laptop' } } },
    });
    assert.deepEqual(found.failures, {});
    assert.deepEqual((await query(bob, '@nobody:example.org')).device_keys, { '@nobody:example.org': {} });
    assert.ok('elsewhere.example' in (await query(bob, '@x:elsewhere.example')).failures);
  });

  it('are answered for the devices asked for only', async () => {
    const ask = async (device: string) =>
      (await bob.request('POST', `${V3}/keys/query`, { device_keys: { [alice.userId]: [device] } })).body.device_keys;
    assert.deepEqual(Object.keys((await ask(alice.deviceId))[alice.userId]), [alice.deviceId]);
    assert.deepEqual((await ask('OTHER'))[alice.userId], {});
  });

  it('are refused where they are not signed by themselves, or are of another device or user', async () => {
    const forged = new KeyMaker(bob).deviceKeys();
    const wrongSignature = { ...forged, algorithms: ['other'] };
    assert.equal((await upload(bob, { device_keys: wrongSignature })).body.errcode, 'M_INVALID_SIGNATURE');
    assert.equal((await upload(bob, { device_keys: aliceKeys.deviceKeys() })).body.errcode, 'M_INVALID_PARAM');
    const other = new KeyMaker({ userId: bob.userId, deviceId: 'OTHER' }).deviceKeys();
    assert.equal((await upload(bob, { device_keys: other })).body.errcode, 'M_INVALID_PARAM');
    assert.equal((await upload(bob, { device_keys: { ...forged, keys: 3 } })).body.errcode, 'M_BAD_JSON');
    assert.deepEqual((await query(alice, bob.userId)).device_keys[bob.userId], {});
  });

  it('never change once they are there, but algorithms may be added', async () => {
    const changed = await upload(alice, { device_keys: new KeyMaker(alice).deviceKeys() });
    assert.equal(changed.status, 400);
    assert.equal(changed.body.errcode, 'M_UNKNOWN');
    assert.equal((await upload(alice, { device_keys: aliceKeys.deviceKeys() })).status, 200);
    const more = aliceKeys.deviceKeys({ algorithms: ['m.megolm.v2', 'm.olm.v1.curve25519-aes-sha2'] });
    assert.equal((await upload(alice, { device_keys: more })).status, 200);
    const found = (await query(bob, alice.userId)).device_keys[alice.userId][alice.deviceId];
    assert.deepEqual(found.algorithms, more.algorithms);
  });

  it('go out once each, in the order of their uploads, then the fallback key', async () => {
    const keys = aliceKeys.oneTimeKeys(2, 'first');
    const counts = await upload(alice, { one_time_keys: keys, fallback_keys: aliceKeys.fallbackKey() });
    assert.deepEqual(counts.body.one_time_key_counts, { signed_curve25519: 2 });
    await upload(alice, { one_time_keys: aliceKeys.oneTimeKeys(1, 'second') });
    const synced = await sync(alice);
    assert.deepEqual(synced.device_one_time_keys_count, { signed_curve25519: 3 });
    assert.deepEqual(synced.device_unused_fallback_key_types, ['signed_curve25519']);
    const got: string[] = [];
    for (let n = 0; n < 5; n++) {
      got.push(...Object.keys((await claim(bob, alice))[alice.userId][alice.deviceId]));
    }
    assert.deepEqual(got.slice(0, 2).sort(), ['signed_curve25519:first0', 'signed_curve25519:first1']);
    assert.deepEqual(got.slice(2), [
      'signed_curve25519:second0',
      'signed_curve25519:fallback',
      'signed_curve25519:fallback',
    ]);
    const after = await sync(alice);
    assert.deepEqual(after.device_one_time_keys_count, { signed_curve25519: 0 });
    assert.deepEqual(after.device_unused_fallback_key_types, []);
    assert.deepEqual(await claim(bob, alice, 'unknown_algorithm'), {});
  });

  it('that were claimed do not go out again when they are uploaded again', async () => {
    const keys = aliceKeys.oneTimeKeys(1, 'lost');
    await upload(alice, { one_time_keys: keys });
    assert.deepEqual((await claim(bob, alice))[alice.userId][alice.deviceId], keys);
    const again = await upload(alice, { one_time_keys: keys });
    assert.deepEqual(again.body.one_time_key_counts, { signed_curve25519: 0 });
  });

  it('are refused where the same id names another one-time key', async () => {
    const keys = aliceKeys.oneTimeKeys(1, 'same');
    await upload(alice, { one_time_keys: keys });
    assert.equal((await upload(alice, { one_time_keys: keys })).status, 200);
    const other = await upload(alice, { one_time_keys: aliceKeys.oneTimeKeys(1, 'same') });
    assert.equal(other.status, 400);
    assert.equal(other.body.errcode, 'M_UNKNOWN');
    await claim(bob, alice);
  });

  it('keep algorithms that we do not know', async () => {
    await upload(alice, {
      one_time_keys: { 'future_alg:1': 'abc' },
      fallback_keys: { 'other_alg:2': { key: 'x', signatures: {} } },
    });
    assert.deepEqual(await claim(bob, alice, 'future_alg'), {
      [alice.userId]: { [alice.deviceId]: { 'future_alg:1': 'abc' } },
    });
    assert.deepEqual((await sync(alice)).device_unused_fallback_key_types, ['other_alg']);
  });

  it('are claimed once, the last one by one of fifty who race for it, also over a crash', async () => {
    const key = aliceKeys.oneTimeKeys(1, 'last');
    await upload(alice, { one_time_keys: key, fallback_keys: aliceKeys.fallbackKey('reserve') });
    const racing = Array.from({ length: 50 }, (_, n) => claim(n % 2 === 0 ? bob : alice, alice));
    const got = (await Promise.all(racing)).map((keys) => Object.keys(keys[alice.userId][alice.deviceId])[0]);
    assert.equal(got.filter((id) => id === 'signed_curve25519:last0').length, 1);
    assert.equal(got.filter((id) => id === 'signed_curve25519:reserve').length, 49);
    await server.kill();
    await server.restart();
    assert.deepEqual(Object.keys((await claim(bob, alice))[alice.userId][alice.deviceId]), [
      'signed_curve25519:reserve',
    ]);
  });

  it('are counted as of the end of a wait, not of its beginning', async () => {
    const dora = await server.register('dora');
    const keys = new KeyMaker(dora);
    await upload(dora, { one_time_keys: keys.oneTimeKeys(9, 'c'), fallback_keys: keys.fallbackKey('c') });
    const { next_batch: at, device_one_time_keys_count: count } = await sync(dora);
    assert.deepEqual(count, { signed_curve25519: 9 });
    const waiting = sync(dora, at, 1_000);
    await Promise.all(Array.from({ length: 12 }, () => claim(bob, dora)));
    const answer = await waiting;
    assert.deepEqual(answer.device_one_time_keys_count, { signed_curve25519: 0 });
    assert.deepEqual(answer.device_unused_fallback_key_types, []);
  });

  it('that are claimed while the server is killed go out at most once', async () => {
    await upload(alice, { one_time_keys: aliceKeys.oneTimeKeys(40, 'crash') });
    const racing = Array.from({ length: 30 }, () => claim(bob, alice).catch(() => undefined));
    await Promise.race(racing);
    await server.kill();
    const before = (await Promise.all(racing)).filter((keys) => keys !== undefined);
    await server.restart();
    const after = await Promise.all(Array.from({ length: 45 }, () => claim(bob, alice)));
    const ids = [...before, ...after].flatMap((keys) => Object.keys(keys[alice.userId][alice.deviceId]));
    const oneTime = ids.filter((id) => !id.endsWith('reserve'));
    assert.equal(new Set(oneTime).size, oneTime.length);
    assert.ok(oneTime.length >= before.length);
  });

  it('that change are told to those who share a room, and to nobody else', async () => {
    const carol = await server.register('carol');
    const dave = await server.register('dave');
    await createRoom(alice, carol);
    const [bobAt, carolAt, daveAt] = [
      (await sync(bob)).next_batch,
      (await sync(carol)).next_batch,
      (await sync(dave)).next_batch,
    ];
    const waiting = sync(carol, carolAt, 10_000);
    await upload(alice, { device_keys: aliceKeys.deviceKeys({ algorithms: ['new'] }) });
    const told = await waiting;
    assert.deepEqual(told.device_lists, { changed: [alice.userId], left: [] });
    assert.equal((await sync(carol, told.next_batch)).device_lists, undefined);
    assert.equal((await sync(dave, daveAt)).device_lists, undefined);
    assert.equal((await sync(bob, bobAt)).device_lists, undefined);
    const changes = await carol.request('GET', `${V3}/keys/changes?from=${carolAt}&to=${told.next_batch}`);
    assert.deepEqual(changes.body, { changed: [alice.userId], left: [] });
    assert.equal((await carol.request('GET', `${V3}/keys/changes?from=x&to=y`)).body.errcode, 'M_INVALID_PARAM');
  });

  it('name who came to share a room, and who shares none any more', async () => {
    const erin = await server.register('erin');
    const frank = await server.register('frank');
    const erinAt = (await sync(erin)).next_batch;
    const first = await createRoom(erin);
    const alone = await sync(erin, erinAt);
    assert.equal(alone.device_lists, undefined);
    await frank.request('POST', `${V3}/join/${encodeURIComponent(first)}`, {});
    const joined = await sync(erin, alone.next_batch);
    assert.deepEqual(joined.device_lists, { changed: [frank.userId], left: [] });
    const frankAt = (await sync(frank)).next_batch;
    const second = await createRoom(erin, frank);
    const both = await sync(erin, joined.next_batch);
    assert.equal(both.device_lists, undefined, 'they share a room already');
    await frank.request('PUT', `${V3}/profile/${encodeURIComponent(frank.userId)}/displayname`, { displayname: 'F' });
    await frank.request('POST', `${V3}/rooms/${encodeURIComponent(first)}/leave`, {});
    const one = await sync(erin, both.next_batch);
    assert.equal(one.device_lists, undefined, 'they share the other room still');
    await frank.request('POST', `${V3}/rooms/${encodeURIComponent(second)}/leave`, {});
    const left = await sync(erin, one.next_batch);
    assert.deepEqual(left.device_lists, { changed: [], left: [frank.userId] });
    assert.deepEqual((await sync(frank, frankAt)).device_lists, { changed: [], left: [erin.userId] });
    const all = await erin.request('GET', `${V3}/keys/changes?from=${erinAt}&to=${left.next_batch}`);
    assert.deepEqual(all.body, { changed: [], left: [] });
  });

  it('are gone with their device', async () => {
    const grace = await server.register('grace');
    const keys = new KeyMaker(grace);
    await upload(grace, { device_keys: keys.deviceKeys(), one_time_keys: keys.oneTimeKeys(3) });
    await createRoom(grace, bob);
    const at = (await sync(bob)).next_batch;
    await grace.request('POST', `${V3}/logout`, {});
    assert.deepEqual((await sync(bob, at, 5000)).device_lists.changed, [grace.userId]);
    assert.deepEqual((await query(bob, grace.userId)).device_keys[grace.userId], {});
    assert.deepEqual(await claim(bob, grace), {});
  });
});
