/** What another server gets as answers: their shapes, their errors, and what it is told of endpoints that aren't there. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { network } from '../../src/testing/network.ts';
import { createRoom, eventually, join, membership, send, setState } from '../../src/testing/room-client.ts';
import type { TestUser } from '../../src/testing/test-user.ts';
import { KeyMaker } from '../client-server/key-maker.ts';
import { Peer } from './peer.ts';

const V1 = '/_matrix/federation/v1';
const V3 = '/_matrix/client/v3';
const e = encodeURIComponent;

describe('another server', () => {
  let net: Awaited<ReturnType<typeof start>>;
  let alice: TestUser;
  let bob: TestUser;
  /** Bob's server, as it asks Alice's. */
  let peer: Peer;
  const start = () => network(2, { inProcess: true });

  before(async () => {
    net = await start();
    const [one, two] = net.servers;
    alice = await one.server.register('alice');
    bob = await two.server.register('bob');
    peer = new Peer(two, one);
  });
  after(() => net[Symbol.asyncDispose]());

  async function get(target: string) {
    const { status, body, bytes } = await peer.request('GET', target);
    assert.equal(status, 200, `${target}: ${bytes}`);
    return body;
  }

  async function refusal(target: string, method: 'GET' | 'POST' | 'PUT' = 'GET') {
    const { status, body } = await peer.request(method, target, method === 'GET' ? undefined : {});
    return [status, body.errcode];
  }

  it('is told what isn’t there, and which method isn’t', async () => {
    assert.deepEqual(await refusal(`${V1}/no_such_thing`), [404, 'M_UNRECOGNIZED']);
    assert.deepEqual(await refusal('/_matrix/federation/v9/version'), [404, 'M_UNRECOGNIZED']);
    assert.deepEqual(await refusal('/_matrix/key/v3/server'), [404, 'M_UNRECOGNIZED']);
    assert.deepEqual(await refusal(`${V1}/version`, 'POST'), [405, 'M_UNRECOGNIZED']);
    assert.deepEqual(await refusal(`${V1}/send/x`), [405, 'M_UNRECOGNIZED']);
  });

  it('gets the version, and the keys of servers signed by those who pass them on', async () => {
    const [one, two] = net.servers;
    assert.deepEqual(Object.keys((await get(`${V1}/version`)).server).sort(), ['name', 'version']);
    const own = await get('/_matrix/key/v2/server');
    assert.equal(own.server_name, one.name);
    assert.ok(own.valid_until_ts > Date.now());
    assert.deepEqual(Object.keys(own.signatures), [one.name]);
    const [passedOn] = (await get(`/_matrix/key/v2/query/${e(two.name)}`)).server_keys;
    assert.equal(passedOn.server_name, two.name);
    assert.deepEqual(new Set(Object.keys(passedOn.signatures)), new Set([one.name, two.name]));
    const many = await peer.request('POST', '/_matrix/key/v2/query', {
      server_keys: { [one.name]: {}, [two.name]: {} },
    });
    const names = many.body.server_keys.map((keys: { server_name: string }) => keys.server_name);
    assert.deepEqual(new Set(names), new Set([one.name, two.name]));
  });

  it('gets what a knock shows: whole events, the creation among them, which its user sees stripped', async () => {
    const [one] = net.servers;
    const rules = { type: 'm.room.join_rules', content: { join_rule: 'knock' } };
    const roomId = await createRoom(alice, { preset: 'private_chat', name: 'Den', initial_state: [rules] });
    const target = `${V1}/make_knock/${e(roomId)}/${e(bob.userId)}`;
    const incompatible = await peer.request('GET', `${target}?ver=1&ver=7`);
    assert.deepEqual(
      [incompatible.status, incompatible.body.errcode, incompatible.body.room_version],
      [400, 'M_INCOMPATIBLE_ROOM_VERSION', '12'],
    );
    const template = await get(`${target}?ver=12`);
    assert.deepEqual([template.room_version, template.event.content.membership], ['12', 'knock']);
    const event = peer.make(
      {
        type: 'm.room.member',
        roomId: template.event.room_id,
        sender: template.event.sender,
        stateKey: bob.userId,
        content: { membership: 'knock' },
        originServerTs: Date.now(),
        depth: template.event.depth,
        prevEvents: template.event.prev_events,
        authEvents: template.event.auth_events,
      },
      '12',
    );
    const knocked = await peer.request('PUT', `${V1}/send_knock/${e(roomId)}/${e(event.eventId)}`, event.pdu);
    assert.equal(knocked.status, 200, knocked.bytes.toString());
    const shown: { type: string; signatures?: object; auth_events?: unknown }[] = knocked.body.knock_room_state;
    const types = shown.map(({ type }) => type);
    assert.deepEqual(new Set(types), new Set(['m.room.create', 'm.room.name', 'm.room.join_rules']));
    for (const one of shown) assert.ok(one.signatures !== undefined && Array.isArray(one.auth_events), one.type);

    const carol = await net.servers[1].server.register('carol');
    const answer = await carol.request('POST', `${V3}/knock/${e(roomId)}?via=${e(one.name)}`, {});
    assert.equal(answer.status, 200, answer.bytes.toString());
    const { knock } = (await carol.request('GET', `${V3}/sync?timeout=0`)).body.rooms;
    const events: object[] = knock[roomId].knock_state.events;
    assert.ok(events.length > types.length, 'her own membership is there too');
    for (const stripped of events) {
      assert.deepEqual(Object.keys(stripped).sort(), ['content', 'sender', 'state_key', 'type']);
    }
  });

  it('joins and leaves only with a version that it knows, and only for its own users', async () => {
    const roomId = await createRoom(alice);
    const room = e(roomId);
    assert.deepEqual(await refusal(`${V1}/make_join/${room}/${e(bob.userId)}?ver=11`), [
      400,
      'M_INCOMPATIBLE_ROOM_VERSION',
    ]);
    assert.deepEqual(await refusal(`${V1}/make_join/${room}/${e(bob.userId)}`), [400, 'M_INCOMPATIBLE_ROOM_VERSION']);
    assert.deepEqual(await refusal(`${V1}/make_join/${room}/${e(alice.userId)}?ver=12`), [403, 'M_FORBIDDEN']);
    assert.deepEqual(await refusal(`${V1}/make_join/${e('!no:where.example')}/${e(bob.userId)}?ver=12`), [
      404,
      'M_NOT_FOUND',
    ]);
    assert.deepEqual(await refusal(`${V1}/make_leave/${room}/${e(bob.userId)}`), [403, 'M_FORBIDDEN']);
    assert.equal((await get(`${V1}/make_join/${room}/${e(bob.userId)}?ver=11&ver=12`)).room_version, '12');
  });

  it('may not invite to a room whose ACL excludes it', async () => {
    const [one, two] = net.servers;
    const roomId = await createRoom(alice, { room_version: '10' });
    await join(bob, roomId, one.name);
    const dora = await one.server.register('dora');
    await eventually(
      () => membership(alice, roomId, bob.userId),
      (is) => is === 'join',
    );
    const { event: template } = await get(`${V1}/make_leave/${e(roomId)}/${e(bob.userId)}`);
    const invite = peer.make({
      type: 'm.room.member',
      roomId: template.room_id,
      sender: template.sender,
      stateKey: dora.userId,
      content: { membership: 'invite' },
      originServerTs: Date.now(),
      depth: template.depth,
      prevEvents: template.prev_events,
      authEvents: template.auth_events,
    });
    const put = () =>
      peer.request('PUT', `/_matrix/federation/v2/invite/${e(roomId)}/${e(invite.eventId)}`, {
        event: invite.pdu,
        room_version: '10',
        invite_room_state: [],
      });
    assert.equal((await put()).status, 200);
    const name = two.name.replace(/:\d+$/, '');
    await setState(alice, roomId, 'm.room.server_acl', { allow: ['*'], deny: [name], allow_ip_literals: true });
    const { status, body } = await put();
    assert.deepEqual([status, body.errcode], [403, 'M_FORBIDDEN']);
  });

  it('says why it takes no invite, and the client is told so', async () => {
    const config = `${V3}/user/${e(bob.userId)}/account_data/m.invite_permission_config`;
    const set = await bob.request('PUT', config, { default_action: 'block' });
    assert.equal(set.status, 200);
    const roomId = await createRoom(alice);
    const { status, body } = await alice.request('POST', `${V3}/rooms/${e(roomId)}/invite`, { user_id: bob.userId });
    assert.deepEqual([status, body.errcode], [403, 'M_INVITE_BLOCKED']);
    await bob.request('PUT', config, {});
  });

  it('gets aliases, profiles and the directory', async () => {
    const [one] = net.servers;
    const roomId = await createRoom(alice, { visibility: 'public', room_alias_name: 'den', name: 'Den' });
    const found = await get(`${V1}/query/directory?room_alias=${e(`#den:${one.name}`)}`);
    assert.deepEqual(found, { room_id: roomId, servers: [one.name] });
    assert.deepEqual(await refusal(`${V1}/query/directory?room_alias=${e(`#no:${one.name}`)}`), [404, 'M_NOT_FOUND']);
    await alice.request('PUT', `${V3}/profile/${e(alice.userId)}/displayname`, { displayname: 'Alice' });
    const profile = `${V1}/query/profile?user_id=${e(alice.userId)}`;
    assert.deepEqual(await get(profile), { displayname: 'Alice' });
    assert.deepEqual(await get(`${profile}&field=displayname`), { displayname: 'Alice' });
    assert.deepEqual(await get(`${profile}&field=avatar_url`), {});
    assert.deepEqual(await refusal(`${V1}/query/profile?user_id=${e(`@no:${one.name}`)}`), [404, 'M_NOT_FOUND']);
    const listed = await get(`${V1}/publicRooms?limit=10`);
    assert.deepEqual(
      listed.chunk.map(({ room_id: id }: { room_id: string }) => id),
      [roomId],
    );
    const filter = { generic_search_term: 'nothing like it' };
    const searched = await peer.request('POST', `${V1}/publicRooms`, { filter });
    assert.deepEqual([searched.status, searched.body.chunk], [200, []]);
  });

  it('gets the devices of a user, their keys, and each one-time key once', async () => {
    const maker = new KeyMaker(alice);
    const oneTime = { 'signed_curve25519:AAAAAQ': { key: 'A'.repeat(43), signatures: {} } };
    const upload = { device_keys: maker.deviceKeys(), one_time_keys: oneTime };
    const uploaded = await alice.request('POST', `${V3}/keys/upload`, upload);
    assert.equal(uploaded.status, 200, uploaded.bytes.toString());
    const list = await get(`${V1}/user/devices/${e(alice.userId)}`);
    assert.deepEqual([list.user_id, Number.isInteger(list.stream_id), list.devices.length], [alice.userId, true, 1]);
    assert.equal(list.devices[0].device_id, alice.deviceId);
    assert.equal(list.devices[0].keys.unsigned, undefined);
    assert.deepEqual(await refusal(`${V1}/user/devices/${e(bob.userId)}`), [404, 'M_NOT_FOUND']);
    const queried = await peer.request('POST', `${V1}/user/keys/query`, { device_keys: { [alice.userId]: [] } });
    assert.deepEqual(Object.keys(queried.body.device_keys[alice.userId]), [alice.deviceId]);
    assert.equal(queried.body.user_signing_keys, undefined);
    const claim = { one_time_keys: { [alice.userId]: { [alice.deviceId]: 'signed_curve25519' } } };
    const first = await peer.request('POST', `${V1}/user/keys/claim`, claim);
    assert.deepEqual(Object.keys(first.body.one_time_keys[alice.userId][alice.deviceId]), Object.keys(oneTime));
    const second = await peer.request('POST', `${V1}/user/keys/claim`, claim);
    assert.deepEqual([second.status, second.body.one_time_keys[alice.userId]?.[alice.deviceId]], [200, undefined]);
  });

  it('says when something was read, and is not believed about the future', async () => {
    const [one] = net.servers;
    const roomId = await createRoom(alice);
    await join(bob, roomId, one.name);
    await eventually(
      () => membership(alice, roomId, bob.userId),
      (is) => is === 'join',
    );
    for (const [text, ts] of [
      ['long ago', Date.now() - 3_600_000],
      ['tomorrow', Date.now() + 86_400_000],
    ] as const) {
      const eventId = await send(alice, roomId, text);
      const read = { 'm.read': { [bob.userId]: { event_ids: [eventId], data: { ts } } } };
      const sent = await peer.send(
        text.replace(' ', '-'),
        [],
        [{ edu_type: 'm.receipt', content: { [roomId]: read } }],
      );
      assert.equal(sent.status, 200);
      const { ephemeral } = (await alice.request('GET', `${V3}/sync?timeout=0`)).body.rooms.join[roomId];
      const receipts = ephemeral.events.find(({ type }: { type: string }) => type === 'm.receipt');
      const seen: number = receipts.content[eventId]['m.read'][bob.userId].ts;
      if (ts < Date.now()) assert.equal(seen, ts);
      else assert.ok(seen <= Date.now(), `${seen}`);
    }
  });
});
