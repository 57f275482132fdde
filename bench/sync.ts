import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeConfig } from '../src/config/index.ts';
import { openDomains } from '../src/homeserver.ts';
import { type Filter, isBadFilter, parseFilter } from '../src/protocol/filter/index.ts';
import { parseDeviceId, parseUserId, type RoomId, type UserId } from '../src/protocol/ids/index.ts';
import type { JsonObject } from '../src/protocol/json/index.ts';
import type { SyncQuery } from '../src/sync/index.ts';
import { silentLogger } from '../src/telemetry/log.ts';

// What /sync costs below HTTP, in CPU microseconds of this process: node bench/sync.ts [name of the only measurement]

const ROOMS = 100;
const EVENTS_IN_ROOM = 20;
const WAITERS = 100;
const only = process.argv[2];
const signal = new AbortController().signal;

const folder = await mkdtemp(join(tmpdir(), 'inglenook-bench-sync-'));
try {
  const config = makeConfig({ server: { name: 'example.org', data_folder: folder } }, folder);
  await using server = await openDomains(config, { logger: silentLogger });
  const { rooms, sync } = server;
  const user = (name: string): UserId => parseUserId(`@${name}:example.org`) ?? fail();
  const deviceId = parseDeviceId('BENCH');
  const alice = user('alice');
  const reader = user('reader');
  const all = filterOf({});
  const query: SyncQuery = {
    since: undefined,
    filter: all,
    fullState: false,
    useStateAfter: false,
    stateAfterKey: 'state_after',
    timeoutMs: 0,
  };
  const ask = (userId: UserId, more: Partial<SyncQuery> = {}) =>
    sync.sync({ userId, deviceId }, { ...query, ...more }, signal);
  const tokenOf = (answer: string) => /"next_batch":"([^"]*)"/.exec(answer)?.[1] ?? fail();
  const say = (roomId: RoomId, body: string) =>
    rooms.send({ roomId, sender: alice, type: 'm.room.message', content: { msgtype: 'm.text', body } });

  const roomIds: RoomId[] = [];
  for (let index = 0; index < ROOMS; index++) {
    const roomId = await rooms.create(alice, { preset: 'public_chat', name: `Room ${index}` });
    roomIds.push(roomId);
    const members = [reader, ...Array.from({ length: 9 }, (_, member) => user(`m${member}`))];
    await Promise.all(members.map((userId) => rooms.join({ roomId, userId })));
    await Promise.all(Array.from({ length: EVENTS_IN_ROOM }, (_, event) => say(roomId, `Message ${event}`)));
  }
  const big = await rooms.create(alice, { preset: 'public_chat' });
  const waiters = Array.from({ length: WAITERS }, (_, index) => user(`w${index}`));
  await Promise.all(waiters.map((userId) => rooms.join({ roomId: big, userId })));

  await report('initial sync of 100 rooms, for each room', 60, ROOMS, () => ask(reader));
  const lazy = filterOf({ room: { state: { lazy_load_members: true } } });
  await report('the same with lazy loading, for each room', 60, ROOMS, () => ask(reader, { filter: lazy }));
  const since = tokenOf(await ask(reader));
  await report('incremental sync, nothing new', 20_000, 1, () => ask(reader, { since }));
  await report('incremental sync, one message in one room', 1_000, 1, async () => {
    const before = tokenOf(await ask(reader, { since }));
    await say(roomIds[0] ?? fail(), 'hi');
    await ask(reader, { since: before });
  });
  const tokens = new Map<UserId, string>();
  for (const userId of waiters) tokens.set(userId, tokenOf(await ask(userId)));
  await report(
    `waking and answering one of ${WAITERS} waiters, their share of the sending included`,
    100,
    WAITERS,
    async () => {
      const waiting = waiters.map(async (userId) => {
        const answer = await ask(userId, { since: tokens.get(userId) ?? fail(), timeoutMs: 10_000 });
        tokens.set(userId, tokenOf(answer));
      });
      await say(big, 'hi');
      await Promise.all(waiting);
    },
  );
} finally {
  await rm(folder, { recursive: true, force: true });
}

/** Prints the CPU microseconds of a call, divided by `share`, the best of three rounds. */
async function report(name: string, calls: number, share: number, work: () => Promise<unknown>): Promise<void> {
  if (only !== undefined && !name.includes(only)) return;
  await work();
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 3; round++) {
    const start = process.cpuUsage();
    for (let call = 0; call < calls; call++) await work();
    const { user, system } = process.cpuUsage(start);
    best = Math.min(best, (user + system) / calls / share);
  }
  process.stdout.write(`${name.padEnd(90)}${best.toFixed(1).padStart(10)} us\n`);
}

function filterOf(json: JsonObject): Filter {
  const filter = parseFilter(json);
  return isBadFilter(filter) ? fail() : filter;
}

function fail(): never {
  throw new Error('the bench is wrong');
}
