/** Three servers share a room over a network that fails. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { network } from '../../src/testing/network.ts';
import {
  createRoom,
  eventually,
  join,
  membership,
  send,
  setState,
  stateContent,
  texts,
} from '../../src/testing/room-client.ts';
import type { TestUser } from '../../src/testing/test-user.ts';

/** What a message may take between two servers that are well, whatever the third one does. */
const PROMPT_MS = 11_000;
/** How long a server waits for an answer. */
const SILENT_REQUEST_MS = 15_000;
/** Long enough for a message to arrive and for what it lacks to be asked for. */
const ARRIVAL_MS = 500;

describe('three servers', () => {
  let net: Awaited<ReturnType<typeof startNetwork>>;
  let alice: TestUser;
  let bob: TestUser;
  let carol: TestUser;
  let roomId: string;

  const startNetwork = () =>
    network(3, { config: { federation: { request_timeout: `${SILENT_REQUEST_MS / 1000}s` } } });

  before(async () => {
    net = await startNetwork();
    const [one, two, three] = net.servers;
    alice = await one.server.register('alice');
    bob = await two.server.register('bob');
    carol = await three.server.register('carol');
  });

  after(() => net[Symbol.asyncDispose]());

  beforeEach(async () => {
    const [one] = net.servers;
    for (const server of net.servers) for (const link of net.linksOf(server)) link.heal();
    roomId = await createRoom(alice, { power_level_content_override: { events: { 'm.room.topic': 0 } } });
    await join(bob, roomId, one.name);
    await join(carol, roomId, one.name);
    await arrives(() => membership(bob, roomId, carol.userId), 'join');
    await arrives(() => membership(alice, roomId, carol.userId), 'join');
  });

  async function arrives<T>(look: () => Promise<T>, wanted: T): Promise<void> {
    await eventually(look, (is) => is === wanted);
  }

  /** How many milliseconds pass until a viewer sees a message. */
  async function travel(from: TestUser, to: TestUser, text: string): Promise<number> {
    const start = performance.now();
    await send(from, roomId, text);
    await eventually(
      () => texts(to, roomId),
      (all) => all.includes(text),
    );
    return performance.now() - start;
  }

  async function assertPrompt(from: TestUser, to: TestUser, text: string): Promise<void> {
    const ms = await travel(from, to, text);
    assert.ok(ms < PROMPT_MS, `${text} took ${Math.round(ms)} ms`);
  }

  async function assertAllHave(wanted: readonly string[]): Promise<void> {
    for (const user of [alice, bob, carol]) {
      await eventually(
        () => texts(user, roomId),
        (all) => wanted.every((text) => all.includes(text)),
      );
    }
  }

  it('goes on between the others while one is cut off, and brings it up to date when it is back', async () => {
    const [, , three] = net.servers;
    for (const link of net.linksOf(three)) link.cut();
    await assertPrompt(alice, bob, 'a while cut');
    await assertPrompt(bob, alice, 'b while cut');
    await send(carol, roomId, 'c while cut');
    await setState(bob, roomId, 'm.room.topic', { topic: 'of bob' });
    for (const link of net.linksOf(three)) link.heal();
    await assertAllHave(['a while cut', 'b while cut', 'c while cut']);
    for (const user of [alice, bob, carol]) {
      await eventually(
        async () => (await stateContent(user, roomId, 'm.room.topic')).topic,
        (topic) => topic === 'of bob',
      );
    }
  });

  it('is not held up by a server that takes connections and stays silent', async () => {
    const [, , three] = net.servers;
    for (const link of net.linksOf(three)) link.silence();
    for (let index = 0; index < 5; index++) {
      await assertPrompt(alice, bob, `a into silence ${index}`);
      await assertPrompt(bob, alice, `b into silence ${index}`);
    }
    for (const link of net.linksOf(three)) link.heal();
    await assertPrompt(carol, alice, 'c is back');
    await assertAllHave(['a into silence 0', 'b into silence 4', 'c is back']);
  });

  it('is not held up by a server that falls silent when it is asked for what is missing', async () => {
    const [one, two, three] = net.servers;
    net.between(two, three).cut();
    await assertPrompt(carol, alice, 'missed by two');
    // Alice's message follows what Bob's server lacks, and her server doesn't say what that was.
    net.from(two, one).silence();
    await send(alice, roomId, 'after what was missed');
    await sleep(ARRIVAL_MS);
    assert.ok(!(await texts(bob, roomId)).includes('after what was missed'));
    net.between(two, three).heal();
    // Carol's server hears from Bob's and tries again at once, instead of when its back-off ends.
    await send(bob, roomId, 'back');
    await assertPrompt(carol, bob, 'goes on');
    net.from(two, one).heal();
    await assertAllHave(['missed by two', 'after what was missed', 'goes on']);
  });

  it('loses nothing when a server is killed in the midst of it', async () => {
    const [one, two] = net.servers;
    for (let index = 0; index < 5; index++) await send(carol, roomId, `before ${index}`);
    await two.server.kill();
    for (let index = 0; index < 5; index++) await send(carol, roomId, `during ${index}`);
    await one.server.restart();
    await two.server.restart();
    await send(alice, roomId, 'after');
    await assertAllHave(['before 0', 'before 4', 'during 0', 'during 4', 'after']);
  });
});
