/** Invites by e-mail between two servers and an identity server. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { signedAuthorization } from '../../src/federation/index.ts';
import { parseSigningKeyFile } from '../../src/protocol/crypto/index.ts';
import { parseServerName } from '../../src/protocol/ids/index.ts';
import type { JsonObject } from '../../src/protocol/json/index.ts';
import { TestIdentityServer } from '../../src/testing/identity-server.ts';
import { type Network, type NetworkServer, network } from '../../src/testing/network.ts';
import type { TestUser } from '../../src/testing/test-user.ts';
import { createRoom, eventually, V3 } from '../client-server/helpers.ts';

describe('an invite by e-mail to a user of another server', () => {
  let ids: TestIdentityServer;
  let net: Network;
  let one: NetworkServer;
  let two: NetworkServer;
  let alice: TestUser;
  let bob: TestUser;
  let carol: TestUser;
  before(async () => {
    ids = await TestIdentityServer.start();
    net = await network(2, { inProcess: true, config: { identity: { servers: [ids.config] } } });
    const [first, second] = net.servers;
    assert(first !== undefined && second !== undefined);
    one = first;
    two = second;
    for (const { name, server } of net.servers) ids.homeservers.set(name, server.baseUrl);
    alice = await one.server.register('alice');
    bob = await two.server.register('bob');
    carol = await two.server.register('carol');
  });
  after(async () => {
    await net[Symbol.asyncDispose]();
    await ids[Symbol.asyncDispose]();
  });

  const wish = (address: string) => ({ medium: 'email', address, id_server: ids.name, id_access_token: 'id-token' });
  const room = (address: string, options: object = {}) =>
    createRoom(alice, { preset: 'private_chat', name: 'Secret', invite_3pid: [wish(address)], ...options });
  const tokenFor = (address: string) => ids.pending.findLast((entry) => entry.address === address)?.token ?? '';
  const memberOf = async (viewer: TestUser, roomId: string, userId: string) => {
    const target = `${V3}/rooms/${encodeURIComponent(roomId)}/state/m.room.member/${encodeURIComponent(userId)}`;
    return (await viewer.request('GET', target)).body.membership as string | undefined;
  };
  const join = (user: TestUser, roomId: string, body: object = {}) =>
    user.request('POST', `${V3}/join/${encodeURIComponent(roomId)}?via=${encodeURIComponent(one.name)}`, body);
  const invitedTo = async (user: TestUser) =>
    Object.keys((await user.request('GET', `${V3}/sync`)).body.rooms?.invite ?? {});

  for (const version of ['1', '5', '12']) {
    it(`is exchanged once they own the address (room version ${version})`, async () => {
      const roomId = await room(`new${version}@mail.example`, { room_version: version });
      assert.equal((await join(bob, roomId)).status, 403);
      await ids.bind(bob.userId, `new${version}@mail.example`);
      await eventually(async () => assert.ok((await invitedTo(bob)).includes(roomId)));
      // The invited user's server has it first: the inviter's waits for its signature.
      await eventually(async () => assert.equal(await memberOf(alice, roomId, bob.userId), 'invite'));
      assert.equal((await join(bob, roomId)).status, 200);
      await eventually(async () => assert.equal(await memberOf(alice, roomId, bob.userId), 'join'));
    });

    it(`is sent by their own server where that is in the room, without the inviter's signature (room version ${version})`, async () => {
      const roomId = await room('friend@mail.example', { room_version: version, invite: [bob.userId] });
      assert.equal((await join(bob, roomId)).status, 200);
      await alice.request('POST', `${V3}/rooms/${encodeURIComponent(roomId)}/leave`, {});
      await ids.bind(carol.userId, 'friend@mail.example');
      await eventually(async () => assert.equal(await memberOf(bob, roomId, carol.userId), 'invite'));
      assert.equal((await join(carol, roomId)).status, 200);
      ids.pending.length = 0;
    });
  }

  it('reaches the other server when their own server sends it', async () => {
    const roomId = await room('both@mail.example', { invite: [bob.userId] });
    await join(bob, roomId);
    await ids.bind(carol.userId, 'both@mail.example');
    await eventually(async () => assert.equal(await memberOf(alice, roomId, carol.userId), 'invite'));
  });

  it('is redeemed by joining with a signature', async () => {
    const roomId = await room('signed@mail.example');
    const forged = ids.sign(bob.userId, tokenFor('signed@mail.example'), { sender: alice.userId }, ids.ephemeralKey);
    const good = ids.sign(bob.userId, tokenFor('signed@mail.example'), { sender: alice.userId });
    const spoilt = { ...good, sender: bob.userId };
    assert.equal((await join(bob, roomId, { third_party_signed: { ...forged, extra: 1 } })).status, 403);
    assert.equal((await join(bob, roomId, { third_party_signed: spoilt })).status, 403);
    ids.keysAreValid = false;
    assert.equal((await join(bob, roomId, { third_party_signed: good })).status, 403);
    ids.keysAreValid = true;
    assert.equal((await join(bob, roomId, { third_party_signed: good })).status, 200);
    await eventually(async () => assert.equal(await memberOf(alice, roomId, bob.userId), 'join'));
  });

  it('is refused by the inviting server where anything about it is wrong', async () => {
    const roomId = await room('exchange@mail.example');
    const token = tokenFor('exchange@mail.example');
    const signed = ids.sign(bob.userId, token);
    const bodyOf = (change: object, content: object = {}) => ({
      type: 'm.room.member',
      room_id: roomId,
      sender: alice.userId,
      state_key: bob.userId,
      content: { membership: 'invite', third_party_invite: { display_name: 'x', signed }, ...content },
      ...change,
    });
    const exchange = async (...change: Parameters<typeof bodyOf>) =>
      (await asServerTwo(roomId, JSON.parse(JSON.stringify(bodyOf(...change))))).status;
    assert.equal(await exchange({ type: 'm.room.message' }), 400);
    assert.equal(await exchange({ room_id: '!other:x' }), 400);
    assert.equal(
      (await asServerTwo('!other:x', JSON.parse(JSON.stringify(bodyOf({ room_id: '!other:x' }))))).status,
      404,
    );
    assert.equal(await exchange({ state_key: carol.userId }), 400);
    assert.equal(await exchange({ sender: bob.userId }), 403);
    assert.equal(await exchange({ sender: 'alice' }), 400);
    assert.equal(await exchange({}, { membership: 'join' }), 400);
    assert.equal(await exchange({}, { third_party_invite: {} }), 400);
    const ofAlice = ids.sign(alice.userId, token);
    assert.equal(await exchange({ state_key: alice.userId }, { third_party_invite: { signed: ofAlice } }), 403);
    const unknown = ids.sign(bob.userId, 'unknown');
    assert.equal(await exchange({}, { third_party_invite: { signed: unknown } }), 403);
    const spoilt = { ...signed, mxid: bob.userId, more: 1 };
    assert.equal(await exchange({}, { third_party_invite: { signed: spoilt } }), 403);
    ids.keysAreValid = false;
    assert.equal(await exchange({}), 403);
    ids.keysAreValid = true;
    assert.equal(await memberOf(alice, roomId, bob.userId), undefined);
    const acl = `${V3}/rooms/${encodeURIComponent(roomId)}/state/m.room.server_acl`;
    await alice.request('PUT', acl, { allow: ['*'], deny: ['localhost'] });
    assert.equal(await exchange({}), 403, 'the room excludes the server');
    await alice.request('PUT', acl, { allow: ['*'] });
    assert.equal(await exchange({}), 200);
    assert.equal(await exchange({}), 200, 'again, with nothing left to do');
    await alice.request('POST', `${V3}/rooms/${encodeURIComponent(roomId)}/kick`, { user_id: bob.userId });
    assert.equal(await exchange({}), 403, 'replayed after a removal');
  });

  /** A request that the second server has signed. */
  async function asServerTwo(roomId: string, content: JsonObject) {
    const [origin, destination] = [parseServerName(two.name), parseServerName(one.name)];
    const [key] = parseSigningKeyFile(readFileSync(path.join(two.server.folder, 'signing.key'), 'utf8'));
    assert(origin !== undefined && destination !== undefined && key !== undefined);
    const target = `/_matrix/federation/v1/exchange_third_party_invite/${encodeURIComponent(roomId)}`;
    const authorization = signedAuthorization(origin, key, { destination, method: 'PUT', path: target, content });
    return one.server.request('PUT', target, { body: content, headers: { authorization } });
  }
});
