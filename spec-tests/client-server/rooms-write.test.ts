import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { ClientResponse } from '../../src/testing/http-client.ts';
import { TestServer } from '../../src/testing/test-server.ts';
import type { TestUser } from '../../src/testing/test-user.ts';

const V3 = '/_matrix/client/v3';
const VERSIONS = Array.from({ length: 12 }, (_, index) => String(index + 1));

describe('writing into rooms', () => {
  let server: TestServer;
  let alice: TestUser;
  let bob: TestUser;
  before(async () => {
    server = await TestServer.start({ inProcess: true });
    alice = await server.register('alice');
    bob = await server.register('bob');
  });
  after(() => server[Symbol.asyncDispose]());

  const inRoom = (roomId: string, rest: string) => `${V3}/rooms/${encodeURIComponent(roomId)}/${rest}`;
  const create = async (options: object = {}, user = alice): Promise<string> => {
    const { status, body } = await user.request('POST', `${V3}/createRoom`, options);
    assert.equal(status, 200, JSON.stringify(body));
    return body.room_id;
  };
  const refused = ({ status, body }: ClientResponse) => [status, body.errcode];
  let txn = 0;
  const send = (user: TestUser, roomId: string, content: object, type = 'm.room.message', txnId = `t${txn++}`) =>
    user.request('PUT', inRoom(roomId, `send/${type}/${txnId}`), content);

  it('creates a room of every version in which two talk', async () => {
    for (const room_version of VERSIONS) {
      const roomId = await create({ room_version, preset: 'private_chat', invite: [bob.userId] });
      assert.equal((await bob.request('POST', inRoom(roomId, 'join'), {})).status, 200);
      const { body } = await send(bob, roomId, { msgtype: 'm.text', body: 'hello' });
      const event = await alice.request('GET', inRoom(roomId, `event/${encodeURIComponent(body.event_id)}`));
      assert.equal(event.body.content.body, 'hello');
      assert.equal(event.body.room_id, roomId);
      assert.equal(event.body.sender, bob.userId);
    }
  });

  it('answers a resend with the first event, and another scope with a new one', async () => {
    const roomId = await create();
    const [first, same] = await Promise.all([
      send(alice, roomId, { body: 'x' }, 'm.room.message', 'same'),
      send(alice, roomId, { body: 'x' }, 'm.room.message', 'same'),
    ]);
    assert.equal(first.body.event_id, same.body.event_id);
    const again = await send(alice, roomId, { body: 'x' }, 'm.room.message', 'same');
    assert.equal(again.body.event_id, first.body.event_id);
    const other = await send(alice, await create(), { body: 'x' }, 'm.room.message', 'same');
    assert.notEqual(other.body.event_id, first.body.event_id);
  });

  it('sets state with and without a state key', async () => {
    const roomId = await create();
    for (const path of ['state/m.room.name', 'state/m.room.name/']) {
      const { status, body } = await alice.request('PUT', inRoom(roomId, path), { name: path });
      assert.equal(status, 200);
      assert.match(body.event_id, /^\$/);
      assert.equal((await alice.request('GET', inRoom(roomId, 'state/m.room.name'))).body.name, path);
    }
    const foreign = await alice.request('PUT', inRoom(roomId, `state/org.example/${bob.userId}`), {});
    assert.deepEqual(refused(foreign), [403, 'M_FORBIDDEN']);
  });

  it('redacts through both endpoints', async () => {
    for (const room_version of ['10', '12']) {
      const roomId = await create({ room_version });
      const one = (await send(alice, roomId, { body: 'one' })).body.event_id;
      const two = (await send(alice, roomId, { body: 'two' })).body.event_id;
      const path = inRoom(roomId, `redact/${encodeURIComponent(one)}/r1`);
      const redaction = await alice.request('PUT', path, { reason: 'why' });
      assert.equal((await alice.request('PUT', path, { reason: 'why' })).body.event_id, redaction.body.event_id);
      assert.equal((await send(alice, roomId, { redacts: two }, 'm.room.redaction')).status, 200);
      for (const eventId of [one, two]) {
        const { body } = await alice.request('GET', inRoom(roomId, `event/${encodeURIComponent(eventId)}`));
        assert.deepEqual(body.content, {});
        assert.equal(body.unsigned.redacted_because.type, 'm.room.redaction');
      }
    }
  });

  it('takes a reason of null for none', async () => {
    const roomId = await create({});
    const target = (await send(alice, roomId, { body: 'one' })).body.event_id;
    const path = inRoom(roomId, `redact/${encodeURIComponent(target)}/null`);
    assert.deepEqual(refused(await alice.request('PUT', path, { reason: 1 })), [400, 'M_BAD_JSON']);
    const redaction = await alice.request('PUT', path, { reason: null });
    const stored = await alice.request('GET', inRoom(roomId, `event/${encodeURIComponent(redaction.body.event_id)}`));
    assert.equal('reason' in stored.body.content, false);
  });

  it('keeps aliases', async () => {
    const roomId = await create({ room_alias_name: 'first', preset: 'public_chat' });
    const alias = (name: string) => `${V3}/directory/room/${encodeURIComponent(`#${name}:`)}`;
    const { body } = await alice.request('GET', inRoom(roomId, 'aliases'));
    const [full] = body.aliases;
    assert.match(full, /^#first:/);
    const resolve = `${V3}/directory/room/${encodeURIComponent(full)}`;
    assert.equal((await server.request('GET', resolve)).body.room_id, roomId);
    assert.equal((await bob.request('POST', `${V3}/join/${encodeURIComponent(full)}`, {})).body.room_id, roomId);
    assert.deepEqual(refused(await bob.request('DELETE', resolve)), [403, 'M_FORBIDDEN']);
    assert.deepEqual(refused(await bob.request('PUT', resolve, { room_id: roomId })), [409, 'M_UNKNOWN']);
    assert.equal((await alice.request('DELETE', resolve)).status, 200);
    assert.deepEqual(refused(await server.request('GET', resolve)), [404, 'M_NOT_FOUND']);
    assert.deepEqual(refused(await alice.request('PUT', alias('bad'), { room_id: roomId })), [400, 'M_INVALID_PARAM']);
  });

  it('publishes rooms in the directory', async () => {
    const roomId = await create();
    const path = `${V3}/directory/list/room/${encodeURIComponent(roomId)}`;
    assert.deepEqual((await server.request('GET', path)).body, { visibility: 'private' });
    assert.deepEqual(refused(await bob.request('PUT', path, { visibility: 'public' })), [403, 'M_FORBIDDEN']);
    assert.equal((await alice.request('PUT', path, { visibility: 'public' })).status, 200);
    assert.deepEqual((await server.request('GET', path)).body, { visibility: 'public' });
  });

  it('changes memberships, and refuses what the rules refuse', async () => {
    const roomId = await create();
    const act = (user: TestUser, verb: string, body: object = {}) => user.request('POST', inRoom(roomId, verb), body);
    const target = { user_id: bob.userId };
    assert.deepEqual(refused(await act(bob, 'join')), [403, 'M_FORBIDDEN']);
    assert.deepEqual(refused(await act(bob, 'invite', target)), [403, 'M_FORBIDDEN']);
    assert.deepEqual(refused(await act(alice, 'invite')), [400, 'M_MISSING_PARAM']);
    const email = { medium: 'email', address: 'a@example.org', id_server: 'example.org', id_access_token: 'x' };
    assert.deepEqual(refused(await act(alice, 'invite', email)), [400, 'M_SERVER_NOT_TRUSTED']);
    assert.equal((await act(alice, 'invite', target)).status, 200);
    assert.equal((await act(alice, 'invite', target)).status, 200);
    assert.equal((await act(bob, 'leave')).status, 200);
    assert.equal((await act(bob, 'forget')).status, 200);
    assert.equal((await act(alice, 'invite', target)).status, 200);
    assert.equal((await act(bob, 'join')).status, 200);
    assert.deepEqual(refused(await act(bob, 'forget')), [400, 'M_UNKNOWN']);
    assert.equal((await act(alice, 'kick', { ...target, reason: 'out' })).status, 200);
    assert.equal((await act(alice, 'ban', target)).status, 200);
    assert.equal((await act(alice, 'unban', target)).status, 200);
    assert.deepEqual(refused(await act(alice, 'unban', target)), [400, 'M_BAD_STATE']);
    const { body } = await alice.request('GET', inRoom(roomId, `state/m.room.member/${bob.userId}`));
    assert.equal(body.membership, 'leave');
  });

  it('knocks', async () => {
    const initial_state = [{ type: 'm.room.join_rules', content: { join_rule: 'knock' } }];
    const roomId = await create({ initial_state });
    const knock = await bob.request('POST', `${V3}/knock/${encodeURIComponent(roomId)}`, { reason: 'hello' });
    assert.deepEqual([knock.status, knock.body], [200, { room_id: roomId }]);
    const nowhere = await bob.request('POST', `${V3}/knock/${encodeURIComponent('!no:localhost')}`, {});
    assert.deepEqual(refused(nowhere), [404, 'M_NOT_FOUND']);
  });

  it('upgrades', async () => {
    const roomId = await create({ room_version: '10', name: 'same' });
    const { body } = await alice.request('POST', inRoom(roomId, 'upgrade'), { new_version: '12' });
    const tombstone = await alice.request('GET', inRoom(roomId, 'state/m.room.tombstone'));
    assert.equal(tombstone.body.replacement_room, body.replacement_room);
    const created = await alice.request('GET', inRoom(body.replacement_room, 'state/m.room.create'));
    assert.equal(created.body.predecessor.room_id, roomId);
    assert.equal((await alice.request('GET', inRoom(body.replacement_room, 'state/m.room.name'))).body.name, 'same');
  });

  it('refuses options of createRoom that make no room', async () => {
    const attempts: [object, number, string][] = [
      [{ room_version: '0' }, 400, 'M_UNSUPPORTED_ROOM_VERSION'],
      [{ preset: 'nonsense' }, 400, 'M_BAD_JSON'],
      [{ invite: ['nobody'] }, 400, 'M_BAD_JSON'],
      [{ invite_3pid: [{}] }, 400, 'M_MISSING_PARAM'],
      [{ initial_state: [{ type: 'm.room.create', content: {} }] }, 400, 'M_INVALID_ROOM_STATE'],
    ];
    for (const [options, status, errcode] of attempts) {
      assert.deepEqual(refused(await alice.request('POST', `${V3}/createRoom`, options)), [status, errcode]);
    }
    await create({ room_alias_name: 'taken' });
    const taken = await alice.request('POST', `${V3}/createRoom`, { room_alias_name: 'taken' });
    assert.deepEqual(refused(taken), [400, 'M_ROOM_IN_USE']);
  });

  it('stores 100 messages sent at once', async () => {
    const roomId = await create({ invite: [bob.userId] });
    await bob.request('POST', inRoom(roomId, 'join'));
    const sent = await Promise.all(Array.from({ length: 100 }, (_, n) => send(n % 2 ? alice : bob, roomId, { n })));
    assert.equal(new Set(sent.map(({ body }) => body.event_id)).size, 100);
    const { body } = await alice.request('GET', inRoom(roomId, 'messages?dir=b&limit=100'));
    assert.deepEqual(
      new Set(body.chunk.map((event: { event_id: string }) => event.event_id)),
      new Set(sent.map(({ body: { event_id } }) => event_id)),
    );
  });
});
