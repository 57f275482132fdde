import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import { makeConfig } from '../src/config/index.ts';
import { openDomains } from '../src/homeserver.ts';
import { generateSigningKey, signJson } from '../src/protocol/crypto/index.ts';
import { isBadFilter, parseFilter } from '../src/protocol/filter/index.ts';
import type { DeviceId, UserId } from '../src/protocol/ids/index.ts';
import type { SyncQuery } from '../src/sync/index.ts';
import { silentLogger } from '../src/telemetry/log.ts';

// What encryption costs against the SQLite work in it, in the same run and on the same disk: node bench/e2ee.ts
//  - a message to 1,000 devices in one request, against 1,000 inserts in a transaction;
//  - a /sync with 1,000 changed users, against the queries in it;
//  - a change of keys of one user in 50 rooms: rows written, against the number of members.
// Below HTTP. CPU time, the median of the rounds; the two sides take turns.

const USERS = 1_000;
const ROUNDS = 41;
const ROOMS = 50;
const signal = new AbortController().signal;
const REMOTE = { ip: '127.0.0.1', isLocal: true, userAgent: 'bench' };
/** Somebody without UIA: all stages are done. */
const DONE = { results: new Map<string, string>(), close: async () => undefined };
const CONTENT = { algorithm: 'm.olm.v1.curve25519-aes-sha2', ciphertext: 'x'.repeat(540) };

interface Person {
  readonly userId: UserId;
  readonly deviceId: DeviceId;
}

const folder = await mkdtemp(join(tmpdir(), 'inglenook-bench-e2ee-'));
try {
  const config = makeConfig(
    {
      server: { name: 'example.org', data_folder: folder },
      registration: { open_to: 'everyone' },
      login: { password_hash: { memory: '8K', iterations: 1, parallelism: 1 } },
    },
    folder,
  );
  await using server = await openDomains(config, { logger: silentLogger });
  const { accounts, devices, rooms, sync } = server;
  const people: Person[] = [];
  for (let index = 0; index < USERS; index++) {
    const { session } = await accounts.registration.register({ username: `u${index}`, password: 'p' }, DONE, REMOTE);
    if (session?.deviceId === undefined) fail();
    else people.push({ userId: session.userId, deviceId: session.deviceId });
  }
  const viewer = people[0] ?? fail();
  const roomId = await rooms.create(viewer.userId, { preset: 'public_chat' });
  for (const { userId } of people.slice(1)) await rooms.join({ roomId, userId });

  await benchToDevice();
  await benchSync();
  await benchChange();

  async function benchToDevice(): Promise<void> {
    const messages = new Map(people.map(({ userId, deviceId }) => [userId, { [deviceId]: CONTENT }]));
    const raw = openRaw(join(folder, 'raw.db'));
    raw.exec(`create table to_device_messages (user_id text not null, device_id text not null, position integer not null, json text not null);
      create unique index to_device_messages_device on to_device_messages (user_id, device_id, position)`);
    const insert = raw.prepare('insert into to_device_messages values (?, ?, ?, ?)');
    const json = JSON.stringify({ sender: viewer.userId, type: 'm.room.encrypted', content: CONTENT });
    await compare('a message to 1,000 devices', {
      ours: (round) =>
        devices.toDevice.send({
          sender: viewer.userId,
          type: 'm.room.encrypted',
          messages,
          transaction: { deviceId: viewer.deviceId, txnId: `t${round}` },
        }),
      raw: (round) => {
        raw.exec('begin immediate');
        for (const { userId, deviceId } of people) insert.run(userId, deviceId, round, json);
        raw.exec('commit');
      },
    });
    raw.close();
  }

  async function benchSync(): Promise<void> {
    const filter = parseFilter({ room: { rooms: [] } });
    if (isBadFilter(filter)) fail();
    const query: SyncQuery = {
      since: undefined,
      filter,
      fullState: false,
      useStateAfter: false,
      stateAfterKey: 'state_after',
      timeoutMs: 0,
    };
    const ask = (since?: string) => sync.sync(viewer, { ...query, since }, signal);
    // Messages to the viewer are none of this.
    let since = tokenOf(await ask());
    for (let next = await ask(since); next.includes('"to_device"'); next = await ask(since)) since = tokenOf(next);
    for (const person of people) await publish(person);
    const raw = openRaw(config.database.sqlite.file);
    const { nid } = raw.prepare('select room_nid as nid from rooms where room_id = ?').get(roomId) as { nid: number };
    const changes = raw.prepare(
      `select user_id from device_list_changes where seen_by = '' and position > ? and position <= ?`,
    );
    const members = raw.prepare(
      `select user_id, room_nid, position from memberships
       where room_nid = ? and membership = 'join' and user_id in (select value from json_each(?))`,
    );
    const changed = (await ask(since)).split('@u').length - 1;
    await compare(`/sync with ${changed} changed users`, {
      ours: () => ask(since),
      raw: () => {
        const users = changes.all(0, Number.MAX_SAFE_INTEGER).map((row) => (row as { user_id: string }).user_id);
        return JSON.stringify(members.all(nid, JSON.stringify(users)));
      },
    });
    raw.close();
  }

  async function benchChange(): Promise<void> {
    const raw = openRaw(config.database.sqlite.file);
    const person = people[1] ?? fail();
    for (let index = 1; index < ROOMS; index++) {
      await rooms.create(person.userId, { preset: 'public_chat' });
    }
    const alone = await changeOf(people.at(-1) ?? fail(), raw);
    const inRooms = await changeOf(person, raw);
    console.log(
      `rows of device lists for a change, 1 room and ${ROOMS} rooms of up to 1,000 members: ${alone}, ${inRooms}`,
    );
    raw.close();
  }

  /** How many rows a change of keys leaves in the table of changes. */
  async function changeOf({ userId, deviceId }: Person, raw: BetterSqlite3.Database): Promise<number> {
    const count = raw.prepare('select count(*) as n from device_list_changes where position > ?');
    const last = raw.prepare('select max(position) as n from device_list_changes');
    const before = (last.get() as { n: number }).n;
    await accounts.devices.rename(userId, deviceId, `name ${before}`);
    return (count.get(before) as { n: number }).n;
  }

  async function publish({ userId, deviceId }: Person): Promise<void> {
    const key = generateSigningKey(deviceId, randomBytes(32));
    const keys = { [`ed25519:${deviceId}`]: key.publicKey };
    const deviceKeys = signJson({ user_id: userId, device_id: deviceId, algorithms: [], keys }, userId, key);
    await devices.keys.upload(userId, deviceId, { deviceKeys, oneTimeKeys: undefined, fallbackKeys: undefined });
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}

interface Sides {
  ours(round: number): unknown;
  raw(round: number): unknown;
}

/** Prints the CPU milliseconds of both sides and their ratio. */
async function compare(name: string, sides: Sides): Promise<void> {
  const times: { readonly [side in keyof Sides]: number[] } = { ours: [], raw: [] };
  for (let round = 0; round < ROUNDS; round++) {
    for (const side of ['ours', 'raw'] as const) {
      const start = process.cpuUsage();
      await sides[side](round);
      const { user, system } = process.cpuUsage(start);
      times[side].push((user + system) / 1000);
    }
  }
  const [ours, raw] = [median(times.ours), median(times.raw)];
  console.log(
    `${name.padEnd(40)} ours ${ours.toFixed(2)} ms, SQLite ${raw.toFixed(2)} ms, ratio ${(ours / raw).toFixed(2)}`,
  );
}

function openRaw(file: string): BetterSqlite3.Database {
  const raw = new BetterSqlite3(file);
  raw.pragma('journal_mode = WAL');
  raw.pragma('synchronous = FULL');
  return raw;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? fail();
}

function tokenOf(answer: string): string {
  return /"next_batch":"([^"]*)"/.exec(answer)?.[1] ?? fail();
}

function fail(): never {
  throw new Error('the bench is wrong');
}
