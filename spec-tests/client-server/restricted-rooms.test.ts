/** Rooms that the members of other rooms may join. Spec: client-server-api/#restricted-rooms */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { TestServer } from '../../src/testing/test-server.ts';
import { type RoomUser, startWithUsers } from './room-user.ts';

const V3 = '/_matrix/client/v3';

describe('restricted rooms', () => {
  let server: TestServer;
  let alice: RoomUser;
  let bob: RoomUser;
  let carol: RoomUser;

  before(async () => {
    ({ server, alice, bob, carol } = await startWithUsers());
  });
  after(() => server[Symbol.asyncDispose]());

  const membership = (...roomIds: readonly string[]) => ({
    allow: roomIds.map((room_id) => ({ type: 'm.room_membership', room_id })),
  });
  const restricted = (rule: string, allow: object, options: object = {}) =>
    alice.createRoom({
      preset: 'private_chat',
      initial_state: [{ type: 'm.room.join_rules', state_key: '', content: { join_rule: rule, ...allow } }],
      ...options,
    });
  const memberOf = (roomId: string, user: RoomUser) =>
    alice.ok('GET', `${V3}/rooms/${roomId}/state/m.room.member/${user.userId}`);
  const join = (user: RoomUser, roomId: string) => user.refused('POST', `${V3}/rooms/${roomId}/join`, {});

  it('let the members of an allowed room in, with a member who vouches for it', async () => {
    for (const rule of ['restricted', 'knock_restricted']) {
      const hall = await alice.createRoom();
      const roomId = await restricted(rule, membership('!unknown:example.org', hall));
      assert.deepEqual(await join(bob, roomId), [403, 'M_FORBIDDEN']);
      await bob.join(hall);
      await bob.join(roomId);
      const member = await memberOf(roomId, bob);
      assert.equal(member.membership, 'join');
      assert.equal(member.join_authorised_via_users_server, alice.userId);
    }
  });

  it('do not let in who has left the allowed room, or was only invited to it', async () => {
    const hall = await alice.createRoom({ preset: 'private_chat', invite: [bob.userId] });
    const roomId = await restricted('restricted', membership(hall));
    assert.deepEqual(await join(bob, roomId), [403, 'M_FORBIDDEN']);
    await bob.join(hall);
    await bob.leave(hall);
    assert.deepEqual(await join(bob, roomId), [403, 'M_FORBIDDEN']);
  });

  it('let in who is invited, without anybody vouching, and never who is banned', async () => {
    const hall = await alice.createRoom();
    await carol.join(hall);
    const roomId = await restricted('restricted', membership(hall));
    await alice.ok('POST', `${V3}/rooms/${roomId}/invite`, { user_id: bob.userId });
    await bob.join(roomId);
    assert.equal('join_authorised_via_users_server' in (await memberOf(roomId, bob)), false);
    await alice.ok('POST', `${V3}/rooms/${roomId}/ban`, { user_id: carol.userId });
    assert.deepEqual(await join(carol, roomId), [403, 'M_FORBIDDEN']);
  });

  it('are joined again by the same rule, and keep their members when it changes', async () => {
    const hall = await alice.createRoom();
    await bob.join(hall);
    const roomId = await restricted('restricted', membership(hall));
    await bob.join(roomId);
    await bob.leave(roomId);
    await bob.join(roomId);
    await alice.setState(roomId, 'm.room.join_rules', { join_rule: 'restricted', allow: [] });
    await bob.ok('PUT', `${V3}/profile/${bob.userId}/displayname`, { displayname: 'Bob' });
    await bob.say(roomId, 'still here');
    await bob.leave(roomId);
    assert.deepEqual(await join(bob, roomId), [403, 'M_FORBIDDEN']);
  });

  it('take no word from clients on who vouches', async () => {
    const hall = await alice.createRoom();
    const roomId = await restricted('restricted', membership(hall));
    const forged = { membership: 'join', join_authorised_via_users_server: alice.userId };
    const path = `${V3}/rooms/${roomId}/state/m.room.member/${bob.userId}`;
    assert.deepEqual(await bob.refused('PUT', path, forged), [403, 'M_FORBIDDEN']);
    await alice.ok('POST', `${V3}/rooms/${roomId}/invite`, { user_id: bob.userId });
    await bob.ok('PUT', path, forged);
    assert.equal('join_authorised_via_users_server' in (await memberOf(roomId, bob)), false);
  });

  it('need a member who may invite', async () => {
    const hall = await alice.createRoom();
    await bob.join(hall);
    await carol.join(hall);
    const roomId = await restricted('restricted', membership(hall), { room_version: '11' });
    await bob.join(roomId);
    await alice.setState(roomId, 'm.room.power_levels', { users: { [alice.userId]: 100 }, invite: 50 });
    await alice.leave(roomId);
    assert.deepEqual(await join(carol, roomId), [400, 'M_UNABLE_TO_GRANT_JOIN']);
  });

  it('can be knocked at where that is part of the rule', async () => {
    const hall = await alice.createRoom();
    const roomId = await restricted('knock_restricted', membership(hall));
    await bob.ok('POST', `${V3}/knock/${roomId}`, { reason: 'please' });
    assert.equal((await memberOf(roomId, bob)).membership, 'knock');
    assert.deepEqual(await join(bob, roomId), [403, 'M_FORBIDDEN']);
    await bob.join(hall);
    await bob.join(roomId);
    const plain = await restricted('restricted', membership(hall));
    assert.deepEqual(await carol.refused('POST', `${V3}/knock/${plain}`, {}), [403, 'M_FORBIDDEN']);
  });

  it('let nobody in by rules that are malformed, or of room versions without them', async () => {
    const hall = await alice.createRoom();
    await bob.join(hall);
    for (const allow of [
      {},
      { allow: 'all' },
      { allow: [hall, { type: 'm.other', room_id: hall }, { room_id: hall }] },
    ]) {
      const roomId = await restricted('restricted', allow);
      assert.deepEqual(await join(bob, roomId), [403, 'M_FORBIDDEN'], JSON.stringify(allow));
    }
    const old = await restricted('restricted', membership(hall), { room_version: '7' });
    assert.deepEqual(await join(bob, old), [403, 'M_FORBIDDEN']);
  });
});
