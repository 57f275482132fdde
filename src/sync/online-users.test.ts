import assert from 'node:assert/strict';
import { it } from 'node:test';
import { parseRoomId, parseUserId, type UserId } from '../protocol/ids/index.ts';
import type { MembershipNews, RoomMembershipRow, StreamNews } from '../rooms/index.ts';
import { eventsStream, roomsMigrations } from '../rooms/index.ts';
import { Hub, MemoryStream, Streams } from '../streams/index.ts';
import { forEachDatabase } from '../testing/databases.ts';
import { OnlineUsers } from './online-users.ts';

const NEVER = new AbortController().signal;
const roomId = parseRoomId('!room:example.org');
assert.ok(roomId);

function user(name: string): UserId {
  const userId = parseUserId(`@${name}:example.org`);
  assert.ok(userId);
  return userId;
}

function membership(userId: UserId): RoomMembershipRow {
  return {
    user_id: userId,
    room_nid: 1,
    room_id: roomId ?? assert.fail(),
    membership: 'join',
    event_nid: 1,
    position: 1,
    sender: userId,
    forgotten: 0,
    display_name: null,
    avatar_url: null,
  };
}

forEachDatabase((_, open) => {
  async function setUp(listRooms: (userId: UserId) => readonly RoomMembershipRow[], idleUsersMax = 1) {
    const database = await open(roomsMigrations, { streams: [eventsStream] });
    const hub = new Hub();
    const memory = ['account_data', 'receipts', 'typing'].map((name) => new MemoryStream(name, { now: () => 0 }));
    const rooms = {
      listRoomsOfUser: async (_tx: unknown, userId: UserId) => listRooms(userId),
      lastPositions: async () => new Map([[1, { events: 7, receipts: 3 }]]),
      typingIn: () => ({ position: 4, userIds: [] }),
      completedAt: () => 0,
    };
    const users = new OnlineUsers({
      database,
      rooms,
      hub,
      streams: new Streams(database, memory),
      extensions: [],
      idleUsersMax,
    });
    return { hub, users };
  }

  it('keeps whoever has a request, however many others come, and lets go of idle ones', async () => {
    const { hub, users } = await setUp((userId) => [membership(userId)]);
    const waiting = await users.use(user('alice'));
    const woken = waiting.user.waitForNews(waiting.user.news, 10_000, NEVER);
    for (let index = 0; index < 20; index++) (await users.use(user(`u${index}`)))[Symbol.dispose]();
    // Alice and one idle user, each with a key of their own, and their room.
    assert.equal(hub.keyCount, 3);
    hub.wake([`room:${roomId}`], { stream: 'events', position: 9 } satisfies StreamNews);
    await woken;
    assert.equal(waiting.user.newest('events'), 9);
    assert.equal(users.positions.last('events', roomId), 9);
    waiting[Symbol.dispose]();
    waiting[Symbol.dispose]();
    assert.equal(hub.keyCount, 2);
  });

  it('loads a user once for all requests, and knows where the rooms stand', async () => {
    let loads = 0;
    const { users } = await setUp((userId) => {
      loads++;
      return [membership(userId)];
    });
    const uses = await Promise.all([1, 2, 3].map(() => users.use(user('alice'))));
    assert.equal(loads, 1);
    assert.equal(new Set(uses.map((use) => use.user)).size, 1);
    const streams = ['events', 'receipts', 'typing'] as const;
    assert.deepEqual(
      streams.map((stream) => users.positions.last(stream, roomId)),
      [7, 3, 4],
    );
    for (const use of uses) use[Symbol.dispose]();
    (await users.use(user('alice')))[Symbol.dispose]();
    assert.equal(loads, 1);
  });

  it('takes in what happens while it loads, also against older rows', async () => {
    const left: MembershipNews = { roomId, roomNid: 1, membership: 'leave', eventNid: 2, position: 2 };
    const { hub, users } = await setUp((userId) => {
      hub.wake([`user:${userId}`], left);
      return [membership(userId)];
    });
    using use = await users.use(user('alice'));
    assert.equal(use.user.rooms.get(roomId)?.membership, 'leave');
    assert.deepEqual(use.user.joined, []);
    assert.equal(users.positions.size, 0);
    hub.wake([`user:${user('alice')}`], { ...left, forgotten: true });
    hub.wake([`user:${user('alice')}`], left);
    assert.equal(use.user.rooms.get(roomId)?.forgotten, true);
  });
});
