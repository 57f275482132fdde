/** Rooms that are joined with a part of their state: usable at once, whole afterwards, whatever happens in between. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { enlarge } from '../../src/testing/large-room.ts';
import { type NetworkServer, network } from '../../src/testing/network.ts';
import { act, createRoom, eventually, join, membership, send, texts } from '../../src/testing/room-client.ts';
import type { TestUser } from '../../src/testing/test-user.ts';

const MEMBERS = 1_000;
const LAZY = encodeURIComponent(JSON.stringify({ room: { state: { lazy_load_members: true } } }));

type Joined = {
  state: { events: object[] };
  summary: { 'm.joined_member_count'?: number };
  timeline: { limited: boolean };
};

describe('a large room of another server', () => {
  let net: Awaited<ReturnType<typeof startNetwork>>;
  let alice: TestUser;
  let carol: TestUser;
  let count = 0;

  const startNetwork = () => network(3);

  before(async () => {
    net = await startNetwork();
    const [one, , three] = net.servers;
    alice = await one.server.register('alice');
    carol = await three.server.register('carol');
  });

  after(() => net[Symbol.asyncDispose]());

  async function newUser(on: NetworkServer): Promise<TestUser> {
    return on.server.register(`user${count++}`);
  }

  async function largeRoom(): Promise<string> {
    const [one] = net.servers;
    const roomId = await createRoom(alice, { name: 'Large' });
    await one.server.kill();
    const size = { members: MEMBERS, others: 50 };
    await enlarge(one.server, { name: one.name, room: roomId, creator: alice.userId, size });
    await one.server.restart();
    return roomId;
  }

  async function joinedMembers(user: TestUser, roomId: string): Promise<number> {
    const target = `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/joined_members`;
    const answer = await user.request('GET', target);
    assert.equal(answer.status, 200, answer.bytes.toString());
    return Object.keys(answer.body.joined).length;
  }

  async function sync(
    user: TestUser,
    since?: string,
    filter?: string,
  ): Promise<{ next: string; rooms: Record<string, Joined> }> {
    const query = [
      ...(since === undefined ? [] : [`since=${since}`]),
      ...(filter === undefined ? [] : [`filter=${filter}`]),
    ];
    const { body } = await user.request('GET', `/_matrix/client/v3/sync?timeout=0&${query.join('&')}`);
    return { next: body.next_batch, rooms: body.rooms?.join ?? {} };
  }

  it('is seen at once by who loads members lazily, and by others when it is whole', async () => {
    const [one, two] = net.servers;
    const roomId = await largeRoom();
    const bob = await newUser(two);
    const lazy = await sync(bob, undefined, LAZY);
    const eager = await sync(bob);
    await join(bob, roomId, one.name);
    const early = await sync(bob, lazy.next, LAZY);
    assert.equal((await sync(bob, eager.next)).rooms[roomId], undefined);
    assert.ok(early.rooms[roomId] !== undefined);
    await send(bob, roomId, 'sent at once');
    await eventually(
      () => texts(alice, roomId),
      (all) => all.includes('sent at once'),
    );
    assert.equal(await joinedMembers(bob, roomId), MEMBERS + 2);
    const whole = (await sync(bob, eager.next)).rooms[roomId];
    assert.ok((whole?.state.events.length ?? 0) > MEMBERS, `${whole?.state.events.length} state events`);
    const late = (await sync(bob, early.next, LAZY)).rooms[roomId];
    assert.equal(late?.summary['m.joined_member_count'], MEMBERS + 2);
  });

  it('becomes whole after the server was killed in between', async () => {
    const [one, two] = net.servers;
    const roomId = await largeRoom();
    const bob = await newUser(two);
    await join(bob, roomId, one.name);
    await two.server.kill();
    await two.server.restart();
    assert.equal(await joinedMembers(bob, roomId), MEMBERS + 2);
    await send(bob, roomId, 'after the kill');
    await eventually(
      () => texts(alice, roomId),
      (all) => all.includes('after the kill'),
    );
  });

  it('becomes whole by another server where the first one is away, and takes in what happens meanwhile', async () => {
    const [one, two] = net.servers;
    const roomId = await largeRoom();
    await join(carol, roomId, one.name);
    assert.equal(await joinedMembers(carol, roomId), MEMBERS + 2);
    const bob = await newUser(two);
    await join(bob, roomId, one.name);
    // What the third one says from now on comes after the join, and is no history.
    await eventually(
      () => membership(carol, roomId, bob.userId),
      (is) => is === 'join',
    );
    net.between(one, two).cut();
    const banned = `@member7:${one.name}`;
    await act(alice, roomId, 'ban', banned);
    await send(carol, roomId, 'from the third');
    // Waits until it is whole.
    await joinedMembers(bob, roomId);
    net.between(one, two).heal();
    await send(alice, roomId, 'healed');
    await eventually(
      () => membership(bob, roomId, banned),
      (is) => is === 'ban',
    );
    await eventually(
      () => texts(bob, roomId),
      (all) => all.includes('from the third') && all.includes('healed'),
    );
    assert.equal(await joinedMembers(bob, roomId), MEMBERS + 2);
    assert.equal(await joinedMembers(bob, roomId), await joinedMembers(alice, roomId));
  });

  it('can be left while it is partial, and joined again', async () => {
    const [one, two] = net.servers;
    const roomId = await largeRoom();
    const bob = await newUser(two);
    await join(bob, roomId, one.name);
    await act(bob, roomId, 'leave');
    await eventually(
      () => membership(alice, roomId, bob.userId),
      (is) => is === 'leave',
    );
    await join(bob, roomId, one.name);
    assert.equal(await joinedMembers(bob, roomId), MEMBERS + 2);
  });
});
