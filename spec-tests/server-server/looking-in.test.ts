/** What servers see of rooms that they aren't in, or whose past they don't have: spaces, summaries, events by time. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Network, network } from '../../src/testing/network.ts';
import type { TestUser } from '../../src/testing/test-user.ts';

const V1 = '/_matrix/client/v1';
const V3 = '/_matrix/client/v3';
const e = encodeURIComponent;

describe('looking into rooms of another server', () => {
  let net: Network;
  let alice: TestUser;
  let bob: TestUser;
  let home: string;

  before(async () => {
    net = await network(2, { inProcess: true });
    const [one, two] = net.servers;
    assert(one !== undefined && two !== undefined);
    home = one.name;
    alice = await one.server.register('alice');
    bob = await two.server.register('bob');
  });
  after(() => net[Symbol.asyncDispose]());

  async function createRoom(options: object): Promise<string> {
    const { status, body } = await alice.request('POST', `${V3}/createRoom`, options);
    assert.equal(status, 200, JSON.stringify(body));
    return body.room_id;
  }

  async function addChild(space: string, child: string, content: object = { via: [home] }): Promise<void> {
    const { status } = await alice.request('PUT', `${V3}/rooms/${e(space)}/state/m.space.child/${e(child)}`, content);
    assert.equal(status, 200);
  }

  async function roomsOf(space: string, query = ''): Promise<readonly string[]> {
    const { status, body } = await bob.request('GET', `${V1}/rooms/${e(space)}/hierarchy${query}`);
    assert.equal(status, 200, JSON.stringify(body));
    return body.rooms.map((room: { room_id: string }) => room.room_id);
  }

  async function join(roomId: string): Promise<void> {
    const { status, body } = await bob.request('POST', `${V3}/join/${e(roomId)}?via=${e(home)}`, {});
    assert.equal(status, 200, JSON.stringify(body));
  }

  it('walks a space whose rooms are on the other server, and shows only what a user may enter', async () => {
    const space = await createRoom({ preset: 'public_chat', creation_content: { type: 'm.space' }, name: 'House' });
    const open = await createRoom({ preset: 'public_chat', name: 'Kitchen' });
    const closed = await createRoom({ preset: 'private_chat', name: 'Safe' });
    const inner = await createRoom({ preset: 'public_chat', creation_content: { type: 'm.space' }, name: 'Cellar' });
    const deep = await createRoom({ preset: 'public_chat', name: 'Wine' });
    const allow = [{ type: 'm.room_membership', room_id: space }];
    const restricted = await createRoom({
      preset: 'private_chat',
      name: 'Study',
      initial_state: [{ type: 'm.room.join_rules', content: { join_rule: 'restricted', allow } }],
    });
    for (const child of [open, closed, restricted]) await addChild(space, child);
    await addChild(space, inner, { via: [home], suggested: true });
    await addChild(inner, deep);

    await join(space);
    assert.deepEqual(new Set(await roomsOf(space)), new Set([space, open, restricted, inner, deep]));
    assert.deepEqual(new Set(await roomsOf(space, '?max_depth=1')), new Set([space, open, restricted, inner]));
    assert.deepEqual(await roomsOf(space, '?suggested_only=true'), [space, inner]);
  });

  it('gives the summary of a room by the servers that are named, and none of a closed one', async () => {
    const open = await createRoom({ preset: 'public_chat', name: 'Porch', topic: 'in the shade' });
    const closed = await createRoom({ preset: 'private_chat' });
    const summary = (roomId: string) => bob.request('GET', `${V1}/room_summary/${e(roomId)}?via=${e(home)}`);
    const { status, body } = await summary(open);
    assert.equal(status, 200, JSON.stringify(body));
    assert.equal(body.name, 'Porch');
    assert.equal(body.topic, 'in the shade');
    assert.equal(body.membership, 'leave');
    assert.equal(body.num_joined_members, 1);
    assert.equal('children_state' in body, false);
    assert.deepEqual((await summary(closed)).status, 404);
  });

  it('shows an invited user the room they are invited to', async () => {
    const closed = await createRoom({ preset: 'private_chat', name: 'Tower', invite: [bob.userId] });
    const { status, body } = await bob.request('GET', `${V1}/room_summary/${e(closed)}?via=${e(home)}`);
    assert.equal(status, 200, JSON.stringify(body));
    assert.equal(body.name, 'Tower');
  });

  it('finds the event of a time that lies before what this server has, and what stands around it', async () => {
    const roomId = await createRoom({ preset: 'public_chat' });
    const sent: string[] = [];
    for (let number = 0; number < 130; number++) {
      const target = `${V3}/rooms/${e(roomId)}/send/m.room.message/t${number}`;
      const { body } = await alice.request('PUT', target, { msgtype: 'm.text', body: `${number}` });
      sent.push(body.event_id);
    }
    const tenth = sent[10] ?? '';
    const { body: event } = await alice.request('GET', `${V3}/rooms/${e(roomId)}/event/${e(tenth)}`);
    await join(roomId);
    const target = `${V1}/rooms/${e(roomId)}/timestamp_to_event?ts=${event.origin_server_ts}&dir=f`;
    const { status, body } = await bob.request('GET', target);
    assert.equal(status, 200, JSON.stringify(body));
    assert.equal(body.origin_server_ts, event.origin_server_ts);
    assert.ok(sent.indexOf(body.event_id) <= 10 && sent.includes(body.event_id));
    const around = await bob.request('GET', `${V3}/rooms/${e(roomId)}/context/${e(body.event_id)}?limit=4`);
    assert.equal(around.status, 200);
    assert.equal(around.body.events_after[0].event_id, sent[sent.indexOf(body.event_id) + 1]);
  });

  it('names no event to a server that is not in the room', async () => {
    const roomId = await createRoom({ preset: 'public_chat' });
    const { status } = await bob.request('GET', `${V1}/rooms/${e(roomId)}/timestamp_to_event?ts=0&dir=f`);
    assert.equal(status, 403);
  });
});
