/** Rooms in short. Spec: client-server-api/#get_matrixclientv1room_summaryroomidoralias */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { TestServer } from '../../src/testing/test-server.ts';
import { RoomUser, startWithUsers } from './room-user.ts';

const V1 = '/_matrix/client/v1';

describe('/room_summary', () => {
  let server: TestServer;
  let alice: RoomUser;
  let bob: RoomUser;

  before(async () => {
    ({ server, alice, bob } = await startWithUsers());
  });
  after(() => server[Symbol.asyncDispose]());

  const path = (room: string) => `${V1}/room_summary/${encodeURIComponent(room)}`;

  it('sums up a room by its id and its alias, with what the user is in it', async () => {
    const roomId = await alice.createRoom({
      name: 'Cheese',
      topic: 'Tasty',
      room_alias_name: 'cheese',
      initial_state: [{ type: 'm.room.encryption', state_key: '', content: { algorithm: 'm.megolm.v1.aes-sha2' } }],
    });
    const summary = await alice.ok('GET', path(roomId));
    assert.deepEqual(summary, {
      room_id: roomId,
      name: 'Cheese',
      topic: 'Tasty',
      canonical_alias: '#cheese:example.org',
      num_joined_members: 1,
      world_readable: false,
      guest_can_join: false,
      join_rule: 'public',
      room_version: '12',
      encryption: 'm.megolm.v1.aes-sha2',
      membership: 'join',
    });
    assert.deepEqual(await bob.ok('GET', path('#cheese:example.org')), { ...summary, membership: 'leave' });
    const { membership, ...shared } = summary;
    assert.equal(membership, 'join');
    assert.deepEqual((await server.request('GET', path(roomId))).body, shared, 'without a token');
  });

  it('has the names of MSC3266 at its paths', async () => {
    const roomId = await alice.createRoom();
    const unstable = '/_matrix/client/unstable/im.nheko.summary';
    for (const old of [`${unstable}/summary/${roomId}`, `${unstable}/rooms/${roomId}/summary`]) {
      const summary = await bob.ok('GET', old);
      assert.equal(summary['im.nheko.summary.room_version'], '12');
      assert.equal(summary.room_id, roomId);
    }
  });

  it('knows of no room that the user may not know of', async () => {
    const secret = await alice.createRoom({ preset: 'private_chat', invite: [bob.userId] });
    const carol = new RoomUser(await server.register('stranger'));
    assert.equal((await bob.ok('GET', path(secret))).membership, 'invite');
    for (const room of [secret, '!nowhere:example.org', '#nowhere:example.org']) {
      assert.deepEqual(await carol.refused('GET', path(room)), [404, 'M_NOT_FOUND'], room);
      const { status, body } = await server.request('GET', path(room));
      assert.deepEqual([status, body.errcode], [404, 'M_NOT_FOUND'], room);
    }
    assert.equal((await carol.refused('GET', path('nonsense')))[0], 400);
    assert.deepEqual(await carol.refused('GET', `${path('!nowhere:example.org')}?via=elsewhere.example&via=%00`), [
      404,
      'M_NOT_FOUND',
    ]);
  });

  it('shows rooms that can be knocked at, and restricted ones to those who may come in', async () => {
    const club = await alice.createRoom();
    const create = (join_rule: string) =>
      alice.createRoom({
        preset: 'private_chat',
        initial_state: [
          {
            type: 'm.room.join_rules',
            state_key: '',
            content: { join_rule, allow: [{ type: 'm.room_membership', room_id: club }] },
          },
        ],
      });
    const [restricted, knockable] = [await create('restricted'), await create('knock_restricted')];
    assert.deepEqual((await server.request('GET', path(knockable))).body.allowed_room_ids, [club]);
    assert.equal((await server.request('GET', path(restricted))).status, 404);
    assert.equal((await bob.refused('GET', path(restricted)))[0], 404);
    await bob.join(club);
    assert.equal((await bob.ok('GET', path(restricted))).join_rule, 'restricted');
  });
});
