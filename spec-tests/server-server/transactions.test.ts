/** Transactions of another server: how large they may be, what a bad event spoils, and what a crash does to them. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { JsonObject } from '../../src/protocol/json/index.ts';
import { network } from '../../src/testing/network.ts';
import { createRoom, eventually, join, membership, send, texts } from '../../src/testing/room-client.ts';
import type { TestUser } from '../../src/testing/test-user.ts';
import { Peer } from './peer.ts';

describe('a transaction of another server', () => {
  let net: Awaited<ReturnType<typeof start>>;
  let alice: TestUser;
  let bob: TestUser;
  /** Bob's server, as it speaks to Alice's. */
  let peer: Peer;
  /** Alice's server, as it asks Bob's. */
  let asking: Peer;
  let roomId: string;
  const start = () => network(2);

  before(async () => {
    net = await start();
    const [one, two] = net.servers;
    alice = await one.server.register('alice');
    bob = await two.server.register('bob');
    peer = new Peer(two, one);
    asking = new Peer(one, two);
  });
  after(() => net[Symbol.asyncDispose]());

  beforeEach(async () => {
    const [one, two] = net.servers;
    net.between(one, two).heal();
    roomId = await createRoom(alice);
    await join(bob, roomId, one.name);
    await eventually(
      () => membership(alice, roomId, bob.userId),
      (is) => is === 'join',
    );
    net.between(one, two).cut();
  });

  /** A true event of Bob's that his server couldn't send. */
  async function unsent(text: string): Promise<JsonObject> {
    return asking.event(await send(bob, roomId, text));
  }

  it('may have 50 events and 100 ephemeral events, not more', async () => {
    const event = await unsent('one of many');
    const edu = { edu_type: 'org.example.none', content: {} };
    const full = await peer.send('full', Array(50).fill(event), Array(100).fill(edu));
    assert.equal(full.status, 200, full.bytes.toString());
    assert.equal((await peer.send('events', Array(51).fill(event))).status, 400);
    assert.equal((await peer.send('edus', [], Array(101).fill(edu))).status, 400);
  });

  it('is taken but for what is bad in it', async () => {
    const good = [await unsent('first'), await unsent('second')];
    const third = await unsent('third');
    const [first, second] = good;
    assert(first !== undefined && second !== undefined);
    const forged = { ...third, signatures: second.signatures ?? {} };
    const changed: JsonObject = { ...second, content: { body: 'forged', msgtype: 'm.text' } };
    const bad: readonly JsonObject[] = [
      {},
      { ...first, room_id: '!unknown:example.org' },
      { ...first, depth: 'deep', origin_server_ts: 1.5 },
      forged,
      { ...first, type: 7 },
    ];
    const edus = [
      { edu_type: 'm.typing', content: { room_id: 7 } },
      { edu_type: 'm.presence', content: { push: 'x' } },
    ];
    const answer = await peer.send('mixed', [...bad, ...good], edus);
    assert.equal(answer.status, 200, answer.bytes.toString());
    const outcomes: { error?: string }[] = Object.values(answer.body.pdus);
    assert.equal(outcomes.filter(({ error }) => error === undefined).length, 2, answer.bytes.toString());
    assert.deepEqual(await texts(alice, roomId), ['first', 'second']);
    // A false hash leaves the redacted event, which is there already.
    assert.equal((await peer.send('changed', [changed])).status, 200);
    assert.deepEqual(await texts(alice, roomId), ['first', 'second']);
  });

  it('counts once, before and after a crash of who takes it', async () => {
    const [one] = net.servers;
    const event = await unsent('once');
    const again = async () => (await peer.send('same', [event])).body.pdus;
    const answer = await again();
    assert.deepEqual(Object.values(answer), [{}]);
    assert.deepEqual(await again(), answer);
    await one.server.kill();
    await one.server.restart();
    assert.deepEqual(await again(), answer);
    assert.deepEqual(await texts(alice, roomId), ['once']);
  });

  it('is taken whole when it comes again after a crash in the midst of it', async () => {
    const [one] = net.servers;
    const events: JsonObject[] = [];
    for (let index = 0; index < 40; index++) events.push(await unsent(`part ${index}`));
    const broken = peer.send('broken', events).catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 15));
    await one.server.kill();
    await broken;
    await one.server.restart();
    const answer = await peer.send('broken', events);
    assert.equal(answer.status, 200, answer.bytes.toString());
    assert.deepEqual(
      await texts(alice, roomId),
      events.map((_, index) => `part ${index}`),
    );
  });
});
