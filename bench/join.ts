/**
 * Joining a large room of another server: how long until the room is in the first sync, and until it is whole.
 * `node bench/join.ts [members] [other state events]`; two servers in processes of their own, with TLS between them.
 */
import assert from 'node:assert/strict';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { enlarge } from '../src/testing/large-room.ts';
import { type NetworkServer, network } from '../src/testing/network.ts';
import { createRoom, join } from '../src/testing/room-client.ts';
import type { TestUser } from '../src/testing/test-user.ts';

const MEMBERS = Number(process.argv[2] ?? 5_000);
const OTHERS = Number(process.argv[3] ?? 5_000);
const PROBE_EVERY_MS = 10;
const LAZY = encodeURIComponent(JSON.stringify({ room: { state: { lazy_load_members: true } } }));

/** The longest time that a server took for a trivial request, sent one after the other. */
class Probe {
  worstMs = 0;
  #isOver = false;
  readonly #done: Promise<void>;

  constructor({ server }: NetworkServer) {
    this.#done = this.#run(() => server.request('GET', '/health'));
  }

  async stop(): Promise<number> {
    this.#isOver = true;
    await this.#done;
    return this.worstMs;
  }

  async #run(ask: () => Promise<unknown>): Promise<void> {
    while (!this.#isOver) {
      const start = performance.now();
      await ask();
      this.worstMs = Math.max(this.worstMs, performance.now() - start);
      await sleep(PROBE_EVERY_MS);
    }
  }
}

async function countOfMembers(user: TestUser, roomId: string): Promise<number> {
  const answer = await user.request('GET', `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/joined_members`);
  return Object.keys(answer.body.joined ?? {}).length;
}

async function countOfState(user: TestUser, roomId: string): Promise<number> {
  const answer = await user.request('GET', `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/state`);
  return Array.isArray(answer.body) ? answer.body.length : 0;
}

await using net = await network(2);
const [one, two] = net.servers;
const alice = await one.server.register('alice');
const bob = await two.server.register('bob');
const roomId = await createRoom(alice);
await one.server.kill();
const building = performance.now();
const size = { members: MEMBERS, others: OTHERS };
await enlarge(one.server, { name: one.name, room: roomId, creator: alice.userId, size });
say(`built ${MEMBERS} members and ${OTHERS} other state events`, performance.now() - building);
await one.server.restart();
await sleep(1_000);

const before = await bob.request('GET', '/_matrix/client/v3/sync?timeout=0');
const probes = [new Probe(one), new Probe(two)] as const;
const start = performance.now();
await join(bob, roomId, one.name);
say('join answered', performance.now() - start);
for (;;) {
  const target = `/_matrix/client/v3/sync?timeout=1000&filter=${LAZY}&since=${before.body.next_batch}`;
  const synced = await bob.request('GET', target);
  if (synced.body.rooms?.join?.[roomId] !== undefined) break;
}
say('the room is in a lazily loading sync', performance.now() - start);
while ((await countOfMembers(bob, roomId)) < MEMBERS + 2) await sleep(100);
say('all members are there', performance.now() - start);
const [served, joining] = await Promise.all(probes.map((probe) => probe.stop()));
say('longest wait for a trivial request meanwhile: resident server', served ?? 0);
say('longest wait for a trivial request meanwhile: joining server', joining ?? 0);
assert.equal(await countOfState(bob, roomId), await countOfState(alice, roomId));

function say(what: string, ms: number): void {
  process.stdout.write(`${`${Math.round(ms)} ms`.padStart(10)}  ${what}\n`);
}
