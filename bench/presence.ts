/**
 * What presence costs with many users online who all wait for news: each is in 20 rooms of 50, asks anew every 30 seconds, and
 * now and then comes, goes or does something. `node bench/presence.ts [users] [seconds]`; prints the share of one core.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../src/clock.ts';
import { Presence } from '../src/presence/index.ts';
import { parseRoomId, parseUserId, type RoomId, type UserId } from '../src/protocol/ids/index.ts';
import { roomsMigrations } from '../src/rooms/index.ts';
import { bulkInsert, openDatabase } from '../src/storage/index.ts';
import { Hub, MemoryStream } from '../src/streams/index.ts';

const USERS = Number(process.argv[2] ?? 10_000);
const SECONDS = Number(process.argv[3] ?? 30);
const ROOMS_PER_USER = 20;
const MEMBERS = 50;
const RESYNC_MS = 30_000;
/** Each user's presence changes so often: online, away, back. */
const CHANGE_EVERY_MS = 5 * 60_000;
const TICK_MS = 100;

const NO_DIGEST = {
  name: null,
  topic: null,
  canonical_alias: null,
  avatar_url: null,
  join_rule: null,
  guest_access: null,
  history_visibility: null,
  room_type: null,
  encryption: null,
  creator: null,
  tombstone_replacement: null,
};

const NOTHING = (): void => undefined;

const folder = mkdtempSync(path.join(tmpdir(), 'inglenook-bench-presence-'));
const database = await openDatabase({ dialect: 'sqlite', path: path.join(folder, 'bench.db') }, roomsMigrations, {
  clock: systemClock,
});
try {
  const roomCount = Math.ceil((USERS * ROOMS_PER_USER) / MEMBERS);
  const roomIds = Array.from({ length: roomCount }, (_, index) => parseRoomId(`!r${index}:example.org`) as RoomId);
  const users = Array.from({ length: USERS }, (_, index) => {
    const rooms = new Set<RoomId>();
    for (let i = 0; i < ROOMS_PER_USER; i++) {
      const roomId = roomIds[(index * 7919 + i * 104_729) % roomCount];
      if (roomId !== undefined) rooms.add(roomId);
    }
    return {
      userId: parseUserId(`@u${index}:example.org`) as UserId,
      rooms,
      since: 0,
      endSync: NOTHING,
    };
  });
  await database.write('main', async (tx) => {
    const room = {
      version: '12',
      state_root: 0,
      row_version: 0,
      joined_count: MEMBERS,
      invited_count: 0,
      is_public: 0,
    };
    const rows = roomIds.map((room_id, index) => ({
      room_nid: index + 1,
      room_id,
      ...room,
      created_ts: 0,
      federate: 1,
    }));
    await bulkInsert(
      tx,
      'rooms',
      rows.map((row) => ({ ...row, ...NO_DIGEST })),
    );
    const nids = new Map(roomIds.map((roomId, index) => [roomId, index + 1]));
    const member = {
      membership: 'join',
      event_nid: 1,
      position: 1,
      forgotten: 0,
      display_name: null,
      avatar_url: null,
    } as const;
    for (const { userId, rooms } of users) {
      const memberships = [...rooms].map((roomId) => ({
        user_id: userId,
        room_nid: nids.get(roomId) ?? 0,
        ...member,
        sender: userId,
      }));
      await bulkInsert(tx, 'memberships', memberships);
    }
  });

  const hub = new Hub();
  using presence = new Presence({
    database,
    hub,
    clock: systemClock,
    stream: new MemoryStream('presence', systemClock),
    isEnabled: true,
    isLocal: () => true,
    onError: console.error,
  });
  let events = 0;
  let wakes = 0;
  for (const user of users) {
    user.endSync = presence.beginSync(user.userId, 'D', 'online');
    hub.listen(`user:${user.userId}`, () => {
      // What sync does for it: look whether there is anything, make the events, wait again.
      if (!presence.hasChanged(user.rooms, user.since)) return;
      wakes++;
      for (const changed of presence.changedIn(user.rooms, user.since))
        events += presence.eventOf(changed).length > 0 ? 1 : 0;
      user.since = presence.stream.current;
      user.endSync();
      user.endSync = presence.beginSync(user.userId, 'D', 'online');
    });
  }
  presence.start();
  await sleep(5_000);
  for (const user of users) user.since = presence.stream.current;
  events = 0;
  wakes = 0;
  const before = process.cpuUsage();
  const started = performance.now();
  let changes = 0;
  let resyncs = 0;
  while (performance.now() - started < SECONDS * 1000) {
    const elapsed = performance.now() - started;
    for (; resyncs < (elapsed / RESYNC_MS) * USERS; resyncs++) {
      const user = users[resyncs % USERS];
      user?.endSync();
      if (user !== undefined) user.endSync = presence.beginSync(user.userId, 'D', 'online');
    }
    for (; changes < (elapsed / CHANGE_EVERY_MS) * USERS; changes++) {
      const user = users[(changes * 7919) % USERS];
      if (user !== undefined) presence.set(user.userId, changes % 2 === 0 ? 'unavailable' : 'online', undefined);
    }
    await sleep(TICK_MS);
  }
  const used = process.cpuUsage(before);
  const share = (used.user + used.system) / 1000 / (performance.now() - started);
  console.log(
    `${USERS} users online, ${(changes / SECONDS).toFixed(0)} changes/s: ${(share * 100).toFixed(1)} % of a core; ` +
      `${(wakes / SECONDS).toFixed(0)} answers/s with ${(events / SECONDS).toFixed(0)} events/s`,
  );
} finally {
  await database[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
}
