/**
 * `npm run test:partition`: two servers that share a room are cut off from each other, each goes on for PARTITION_EVENTS
 * (10,000) events, state changes among them. Once healed, both have all events and the same state within a minute.
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { network } from '../../src/testing/network.ts';
import { createRoom, eventually, join, membership } from '../../src/testing/room-client.ts';
import type { TestUser } from '../../src/testing/test-user.ts';

const EVENTS = Number(process.env.PARTITION_EVENTS ?? 10_000);
const LIMIT_MS = 60_000;
/** Every so many events, one changes the state. */
const STATE_EVERY = 50;
const AT_ONCE = 16;
const PAGE = 1_000;
const e = encodeURIComponent;

await using net = await network(2);
const [one, two] = net.servers;
const alice = await one.server.register('alice');
const bob = await two.server.register('bob');
const roomId = await createRoom(alice);
await join(bob, roomId, one.name);
await eventually(
  () => membership(alice, roomId, bob.userId),
  (is) => is === 'join',
);
await setState(alice, 'm.room.power_levels', '', {
  ...(await state(alice, 'm.room.power_levels')),
  users: { [bob.userId]: 100 },
});
await eventually(
  () => state(bob, 'm.room.power_levels'),
  (levels) => JSON.stringify(levels).includes(bob.userId),
);

net.between(one, two).cut();
const sides = await Promise.all([write(alice), write(bob)]);
const written = new Set(sides.flat());
assert.equal(written.size, 2 * EVENTS);
console.log(`${written.size} events written on both sides`);

net.between(one, two).heal();
const healedMs = performance.now();
await Promise.all([alice, bob].map(untilWhole));
const seconds = (performance.now() - healedMs) / 1000;
assert.deepEqual(await wholeState(alice), await wholeState(bob));
console.log(`healed after ${seconds.toFixed(1)} s: all events and the same state on both`);
process.exitCode = seconds * 1000 <= LIMIT_MS ? 0 : 1;

/** One side's events: messages, and among them names, topics, power levels and profiles in the room. */
async function write(user: TestUser): Promise<readonly string[]> {
  const ids: string[] = [];
  let next = 0;
  const work = async () => {
    for (let index = next++; index < EVENTS; index = next++) ids.push(await writeOne(user, index));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return ids;
}

async function writeOne(user: TestUser, index: number): Promise<string> {
  if (index % STATE_EVERY !== 0) {
    const target = `/_matrix/client/v3/rooms/${e(roomId)}/send/m.room.message/t${index}`;
    const sent = await user.request('PUT', target, { msgtype: 'm.text', body: `${user.userId} ${index}` });
    assert.equal(sent.status, 200, sent.bytes.toString());
    return sent.body.event_id;
  }
  const kind = (index / STATE_EVERY) % 4;
  if (kind === 0) return setState(user, 'm.room.topic', '', { topic: `${user.userId} ${index}` });
  if (kind === 1) return setState(user, 'm.room.name', '', { name: `${user.userId} ${index}` });
  if (kind === 2) return setState(user, 'm.room.member', user.userId, { membership: 'join', displayname: `n${index}` });
  const levels = await state(user, 'm.room.power_levels');
  return setState(user, 'm.room.power_levels', '', { ...levels, events: { ...levels.events, [`x${index}`]: 10 } });
}

async function setState(user: TestUser, type: string, key: string, content: object): Promise<string> {
  const set = await user.request('PUT', `/_matrix/client/v3/rooms/${e(roomId)}/state/${e(type)}/${e(key)}`, content);
  assert.equal(set.status, 200, set.bytes.toString());
  return set.body.event_id;
}

async function state(user: TestUser, type: string) {
  return (await user.request('GET', `/_matrix/client/v3/rooms/${e(roomId)}/state/${e(type)}/`)).body;
}

async function untilWhole(user: TestUser): Promise<void> {
  for (;;) {
    await sleep(1000);
    const missing = written.difference(await allEvents(user)).size;
    const seconds = ((performance.now() - healedMs) / 1000).toFixed(0);
    console.log(`${user.userId} lacks ${missing} after ${seconds} s`);
    if (missing === 0) return;
    if (performance.now() - healedMs > 5 * LIMIT_MS) throw new Error('it does not get whole');
    await sleep(2000);
  }
}

async function allEvents(user: TestUser): Promise<Set<string>> {
  const ids = new Set<string>();
  let from = '';
  for (;;) {
    const page = await user.request('GET', `/_matrix/client/v3/rooms/${e(roomId)}/messages?dir=b&limit=${PAGE}${from}`);
    assert.equal(page.status, 200, page.bytes.toString());
    for (const event of page.body.chunk) ids.add(event.event_id);
    if (page.body.end === undefined) return ids;
    from = `&from=${e(page.body.end)}`;
  }
}

async function wholeState(user: TestUser): Promise<readonly string[]> {
  const answer = await user.request('GET', `/_matrix/client/v3/rooms/${e(roomId)}/state`);
  const events: { type: string; state_key: string; event_id: string }[] = answer.body;
  return events.map((event) => `${event.type} ${event.state_key} ${event.event_id}`).toSorted();
}
