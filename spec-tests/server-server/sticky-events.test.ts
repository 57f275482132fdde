/** MSC4354 between servers: sticky events reach servers that come later, and are looked at again where they were soft-failed. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AnswerBody } from '../../src/testing/http-client.ts';
import { type Network, network } from '../../src/testing/network.ts';
import type { TestUser } from '../../src/testing/test-user.ts';
import { type ClientEvent, createRoom, ok, onMember, say, setState, sync } from '../client-server/sync-client.ts';

const WAIT_MS = 20_000;
const STICKY = 'org.matrix.msc4354.sticky_duration_ms=600000';
const SHORT = { room: { timeline: { limit: 1 } } };

let txn = 0;

async function stick(user: TestUser, roomId: string, body: string, query = STICKY): Promise<string> {
  return (await ok(user, 'PUT', `/rooms/${roomId}/send/org.example.sticky/x${txn++}?${query}`, { body })).event_id;
}

function serversOf({ servers }: Network) {
  const [one, two] = servers;
  assert(one !== undefined && two !== undefined);
  return [one, two] as const;
}

async function joinVia(user: TestUser, roomId: string, server: string): Promise<void> {
  await ok(user, 'POST', `/join/${encodeURIComponent(roomId)}?via=${encodeURIComponent(server)}`, {});
}

/** Syncs until `isRight` holds of all that was told of the room; gives what stood in the section of sticky events. */
async function syncUntil(user: TestUser, roomId: string, isRight: (told: Told) => boolean, since?: string) {
  const told: Told = { sticky: [], timeline: [] };
  const until = performance.now() + WAIT_MS;
  let token = since;
  while (!isRight(told)) {
    if (performance.now() > until) assert.fail(`not in time: ${JSON.stringify(told)}`);
    const params = { filter: SHORT, timeout: 200, ...(token === undefined ? {} : { since: token }) };
    const answer: AnswerBody = await sync(user, params);
    token = answer.next_batch;
    const room = answer.rooms?.join?.[roomId];
    told.sticky.push(...(room?.msc4354_sticky?.events ?? []));
    told.timeline.push(...(room?.timeline.events ?? []));
  }
  return told;
}

interface Told {
  readonly sticky: ClientEvent[];
  readonly timeline: ClientEvent[];
}

const bodiesOf = ({ sticky, timeline }: Told) => [...sticky, ...timeline].map((event) => event.content.body);

describe('sticky events between servers', () => {
  it('reach a server that joins later, those of its own users only once, whatever the history visibility is', async () => {
    await using net = await network(2, { inProcess: true });
    const [one, two] = serversOf(net);
    const alice = await one.server.register('alice');
    const bob = await two.server.register('bob');
    const roomId = await createRoom(alice);
    await setState(alice, roomId, 'm.room.history_visibility', '', { history_visibility: 'joined' });
    const sent = ['a', 'b', 'c'];
    for (const body of sent) await stick(alice, roomId, body);
    const short = await stick(alice, roomId, 'expired', 'org.matrix.msc4354.sticky_duration_ms=1');
    for (let i = 0; i < 15; i++) await say(alice, roomId, `filler ${i}`);
    await joinVia(bob, roomId, one.name);
    const told = await syncUntil(bob, roomId, (now) => sent.every((body) => bodiesOf(now).includes(body)));
    const first = [...told.sticky, ...told.timeline].find((event) => event.content.body === 'a');
    const left = first?.unsigned?.msc4354_sticky_duration_ttl_ms;
    assert(typeof left === 'number' && left > 500_000 && left <= 600_000);
    assert.equal((await bob.request('GET', `/_matrix/client/v3/rooms/${roomId}/event/${short}`)).status, 404);
    assert.deepEqual(
      bodiesOf(told)
        .filter((body) => sent.includes(String(body)))
        .sort(),
      sent,
    );
  });

  it('reach clients though they came as history first', async () => {
    await using net = await network(2, { inProcess: true });
    const [one, two] = serversOf(net);
    const alice = await one.server.register('alice');
    const bob = await two.server.register('bob');
    const roomId = await createRoom(alice);
    await stick(alice, roomId, 'history');
    for (let i = 0; i < 3; i++) await say(alice, roomId, `filler ${i}`);
    await joinVia(bob, roomId, one.name);
    await ok(bob, 'GET', `/rooms/${roomId}/messages?dir=b&limit=50`);
    const told = await syncUntil(bob, roomId, (now) => bodiesOf(now).includes('history'));
    assert.equal(bodiesOf(told).filter((body) => body === 'history').length, 1);
  });

  it('are let in when the state allows what it had forbidden', async () => {
    await using net = await network(2);
    const [one, two] = serversOf(net);
    const alice = await one.server.register('alice');
    const bob = await two.server.register('bob');
    const roomId = await createRoom(alice);
    await joinVia(bob, roomId, one.name);
    await syncUntil(bob, roomId, (now) => now.timeline.length > 0);
    // Neither knows what the other one does.
    net.between(one, two).cut();
    await onMember(alice, roomId, 'kick', bob);
    const { next_batch: since } = await sync(alice);
    const id = await stick(bob, roomId, 'from the kicked');
    net.between(one, two).heal();
    // Bob learns that he was kicked; by then his own server has sent what he said.
    const kicked = performance.now() + WAIT_MS;
    for (;;) {
      const { body } = await bob.request('GET', '/_matrix/client/v3/joined_rooms');
      if (!body.joined_rooms.includes(roomId)) break;
      assert(performance.now() < kicked, 'bob was not told');
      await sleep(100);
    }
    await sleep(1_000);
    const path = `/_matrix/client/v3/rooms/${roomId}/event/${id}`;
    assert.equal((await alice.request('GET', path)).status, 404);
    // It is still known after a restart.
    await one.server.kill();
    await one.server.restart();
    await joinVia(bob, roomId, one.name);
    const told = await syncUntil(alice, roomId, (now) => bodiesOf(now).includes('from the kicked'), since);
    assert.equal(bodiesOf(told).filter((body) => body === 'from the kicked').length, 1);
    assert.equal((await alice.request('GET', path)).status, 200);
  });
});
