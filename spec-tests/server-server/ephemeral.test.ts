/** What servers tell each other beside events: presence, and what must outlive an outage: receipts, changes of devices. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { network } from '../../src/testing/network.ts';
import { createRoom, eventually, join, membership, send } from '../../src/testing/room-client.ts';
import type { TestUser } from '../../src/testing/test-user.ts';
import { KeyMaker } from '../client-server/key-maker.ts';

const V3 = '/_matrix/client/v3';
const e = encodeURIComponent;

describe('what isn’t an event, between servers', () => {
  let net: Awaited<ReturnType<typeof start>>;
  let alice: TestUser;
  let bob: TestUser;
  let roomId: string;
  const start = () => network(2);

  before(async () => {
    net = await start();
    const [one, two] = net.servers;
    alice = await one.server.register('alice');
    bob = await two.server.register('bob');
    roomId = await createRoom(alice);
    await join(bob, roomId, one.name);
    await eventually(
      () => membership(alice, roomId, bob.userId),
      (is) => is === 'join',
    );
  });
  after(() => net[Symbol.asyncDispose]());

  /** What came for a user after a token, without waiting. */
  async function sync(user: TestUser, since: string) {
    const answer = await user.request('GET', `${V3}/sync?timeout=0&since=${since}`);
    assert.equal(answer.status, 200);
    return answer.body;
  }

  async function position(user: TestUser): Promise<string> {
    return (await user.request('GET', `${V3}/sync?timeout=0`)).body.next_batch;
  }

  async function presenceOf(viewer: TestUser, user: TestUser) {
    return (await viewer.request('GET', `${V3}/presence/${e(user.userId)}/status`)).body;
  }

  it('shows presence and status of users of the other server, and that they went', async () => {
    const since = await position(alice);
    const status = { presence: 'online', status_msg: 'by the fire' };
    assert.equal((await bob.request('PUT', `${V3}/presence/${e(bob.userId)}/status`, status)).status, 200);
    const seen = await eventually(
      () => presenceOf(alice, bob),
      (is) => is.presence === 'online',
    );
    assert.equal(seen.status_msg, 'by the fire');
    await eventually(
      async () => (await sync(alice, since)).presence?.events ?? [],
      (told: readonly { sender: string; content: { status_msg?: string } }[]) =>
        told.some(({ sender, content }) => sender === bob.userId && content.status_msg === 'by the fire'),
    );
    await bob.request('PUT', `${V3}/presence/${e(bob.userId)}/status`, { presence: 'offline' });
    await eventually(
      () => presenceOf(alice, bob),
      (is) => is.presence === 'offline',
    );
  });

  it('tells of changed devices after an outage, though the server was killed meanwhile', async () => {
    const [one, two] = net.servers;
    const since = await position(bob);
    net.between(one, two).cut();
    const device_keys = new KeyMaker(alice).deviceKeys();
    assert.equal((await alice.request('POST', `${V3}/keys/upload`, { device_keys })).status, 200);
    await one.server.kill();
    await one.server.restart();
    net.between(one, two).heal();
    await eventually(
      async () => (await sync(bob, since)).device_lists?.changed ?? [],
      (changed: readonly string[]) => changed.includes(alice.userId),
    );
  });

  it('brings receipts after an outage, though the server was restarted meanwhile', async () => {
    const [one, two] = net.servers;
    const eventId = await send(bob, roomId, 'read me');
    await eventually(
      async () => (await alice.request('GET', `${V3}/rooms/${e(roomId)}/event/${e(eventId)}`)).status,
      (status) => status === 200,
    );
    const since = await position(bob);
    net.between(one, two).cut();
    assert.equal(
      (await alice.request('POST', `${V3}/rooms/${e(roomId)}/receipt/m.read/${e(eventId)}`, {})).status,
      200,
    );
    await one.server.restart();
    net.between(one, two).heal();
    await eventually(
      async () => JSON.stringify((await sync(bob, since)).rooms?.join?.[roomId]?.ephemeral ?? {}),
      (ephemeral) => ephemeral.includes(alice.userId) && ephemeral.includes(eventId),
    );
  });
});
