/** Backups of room keys. Spec: client-server-api/#server-side-key-backups */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { TestServer } from '../../src/testing/test-server.ts';
import type { TestUser } from '../../src/testing/test-user.ts';

const KEYS = '/_matrix/client/v3/room_keys';
const ROOM = encodeURIComponent('!room:example.org');
const algorithm = 'm.megolm_backup.v1.curve25519-aes-sha2';

describe('a backup of room keys', () => {
  let server: TestServer;
  let alice: TestUser;

  before(async () => {
    server = await TestServer.start({ inProcess: true });
    alice = await server.register('alice');
  });
  after(() => server[Symbol.asyncDispose]());

  const key = (changes: object = {}) => ({
    first_message_index: 5,
    forwarded_count: 2,
    is_verified: false,
    session_data: { ciphertext: 'abc' },
    ...changes,
  });
  const put = (version: string, session: string, changes?: object) =>
    alice.request('PUT', `${KEYS}/keys/${ROOM}/${session}?version=${version}`, key(changes));
  const get = async (version: string, session: string) =>
    (await alice.request('GET', `${KEYS}/keys/${ROOM}/${session}?version=${version}`)).body;
  const create = async () => {
    const answer = await alice.request('POST', `${KEYS}/version`, { algorithm, auth_data: { public_key: 'x' } });
    return answer.body.version;
  };

  it('does not exist until it is made', async () => {
    assert.equal((await alice.request('GET', `${KEYS}/version`)).body.errcode, 'M_NOT_FOUND');
    assert.equal((await alice.request('GET', `${KEYS}/version/1`)).status, 404);
    assert.equal((await put('1', 's')).status, 404);
    assert.equal((await alice.request('DELETE', `${KEYS}/version/1`)).status, 404);
  });

  it('tells its settings, count and etag', async () => {
    const version = await create();
    assert.equal(version, '1');
    const { body } = await alice.request('GET', `${KEYS}/version`);
    assert.deepEqual(body, { algorithm, auth_data: { public_key: 'x' }, version, count: 0, etag: '0' });
    const changed = { algorithm, auth_data: { public_key: 'x', more: 1 }, version };
    assert.equal((await alice.request('PUT', `${KEYS}/version/1`, changed)).status, 200);
    assert.deepEqual((await alice.request('GET', `${KEYS}/version/1`)).body.auth_data, changed.auth_data);
    const other = await alice.request('PUT', `${KEYS}/version/1`, { ...changed, algorithm: 'other' });
    assert.equal(other.body.errcode, 'M_INVALID_PARAM');
    const mismatch = await alice.request('PUT', `${KEYS}/version/1`, { ...changed, version: '2' });
    assert.equal(mismatch.body.errcode, 'M_INVALID_PARAM');
  });

  it('keeps the better of two keys: verified, then earlier, then by fewer hands', async () => {
    const first = await put('1', 's');
    assert.deepEqual(first.body, { count: 1, etag: '1' });
    assert.deepEqual((await put('1', 's', { first_message_index: 6 })).body, { count: 1, etag: '1' });
    assert.deepEqual((await put('1', 's', { forwarded_count: 1 })).body, { count: 1, etag: '2' });
    assert.deepEqual((await put('1', 's', { forwarded_count: 9, first_message_index: 4 })).body.etag, '3');
    assert.deepEqual((await put('1', 's', { is_verified: true, first_message_index: 9 })).body.etag, '4');
    assert.deepEqual((await put('1', 's', { first_message_index: 0 })).body.etag, '4');
    assert.deepEqual(await get('1', 's'), key({ is_verified: true, first_message_index: 9 }));
  });

  it('takes keys by room and all at once, and gives them back', async () => {
    await alice.request('PUT', `${KEYS}/keys/${ROOM}?version=1`, { sessions: { t: key(), u: key() } });
    const rooms = { '!other:example.org': { sessions: { v: key({ session_data: { ciphertext: 'v' } }) } } };
    const { body } = await alice.request('PUT', `${KEYS}/keys?version=1`, { rooms });
    assert.equal(body.count, 4);
    const all = (await alice.request('GET', `${KEYS}/keys?version=1`)).body.rooms;
    assert.deepEqual(Object.keys(all['!room:example.org'].sessions), ['s', 't', 'u']);
    assert.deepEqual(all['!other:example.org'], rooms['!other:example.org']);
    const none = await alice.request('GET', `${KEYS}/keys/${encodeURIComponent('!none:example.org')}?version=1`);
    assert.deepEqual(none.body, { sessions: {} });
    assert.equal((await get('1', 'nothing')).errcode, 'M_NOT_FOUND');
    assert.equal((await get('7', 's')).errcode, 'M_NOT_FOUND');
    const missing = await alice.request('GET', `${KEYS}/keys`);
    assert.equal(missing.body.errcode, 'M_MISSING_PARAM');
  });

  it('is written to in its newest version only', async () => {
    const version = await create();
    const refused = await put('1', 'late');
    assert.equal(refused.status, 403);
    assert.equal(refused.body.errcode, 'M_WRONG_ROOM_KEYS_VERSION');
    assert.equal(refused.body.current_version, version);
    assert.equal((await get('1', 't')).first_message_index, 5, 'older ones can be read');
  });

  it('loses no key to a race with a new version', async () => {
    const [answers, version] = await Promise.all([
      Promise.all(Array.from({ length: 30 }, (_, n) => put('2', `race${n}`))),
      create(),
    ]);
    assert.equal(version, '3');
    const kept = answers.filter(({ status }) => status === 200).length;
    assert.equal((await alice.request('GET', `${KEYS}/version/2`)).body.count, kept);
    assert.ok(answers.every(({ status, body }) => status === 200 || body.errcode === 'M_WRONG_ROOM_KEYS_VERSION'));
  });

  it('counts what is deleted', async () => {
    await alice.request('PUT', `${KEYS}/keys/${ROOM}?version=3`, { sessions: { a: key(), b: key(), c: key() } });
    const one = await alice.request('DELETE', `${KEYS}/keys/${ROOM}/a?version=3`);
    assert.equal(one.body.count, 2);
    const again = await alice.request('DELETE', `${KEYS}/keys/${ROOM}/a?version=3`);
    assert.deepEqual(again.body, one.body);
    assert.equal((await alice.request('DELETE', `${KEYS}/keys/${ROOM}?version=3`)).body.count, 0);
    await alice.request('PUT', `${KEYS}/keys/${ROOM}?version=3`, { sessions: { a: key() } });
    assert.equal((await alice.request('DELETE', `${KEYS}/keys?version=3`)).body.count, 0);
    assert.equal((await alice.request('DELETE', `${KEYS}/keys?version=9`)).status, 404);
  });

  it('that was deleted gives its place to the one before, and its number to none', async () => {
    assert.equal((await alice.request('DELETE', `${KEYS}/version/3`)).status, 200);
    assert.equal((await alice.request('DELETE', `${KEYS}/version/3`)).status, 200);
    assert.equal((await alice.request('GET', `${KEYS}/version`)).body.version, '2');
    assert.equal((await alice.request('GET', `${KEYS}/keys?version=3`)).status, 404);
    assert.equal((await alice.request('DELETE', `${KEYS}/version/2`)).status, 200);
    assert.equal((await alice.request('DELETE', `${KEYS}/version/1`)).status, 200);
    assert.equal((await alice.request('GET', `${KEYS}/version`)).status, 404);
    assert.equal(await create(), '4');
  });

  it('is nobody else’s', async () => {
    const bob = await server.register('bob');
    assert.equal((await bob.request('GET', `${KEYS}/keys?version=4`)).status, 404);
  });
});
