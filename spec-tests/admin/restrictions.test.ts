/** Shadow bans, and rate limits of single users. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { TestServer } from '../../src/testing/test-server.ts';
import type { TestUser } from '../../src/testing/test-user.ts';
import { createRoom, join, newTxn, say, V3 } from '../client-server/helpers.ts';

const USERS = '/_synapse/admin/v1/users';
const e = encodeURIComponent;

describe('shadow bans', () => {
  let server: TestServer;
  let root: TestUser;
  let alice: TestUser;
  let troll: TestUser;
  let room: string;

  before(async () => {
    server = await TestServer.start();
    root = await server.register('root', { admin: true });
    alice = await server.register('alice');
    troll = await server.register('troll');
    room = await createRoom(alice);
    await join(troll, room);
    const banned = await root.request('POST', `${USERS}/${e(troll.userId)}/shadow_ban`);
    assert.equal(banned.status, 200, banned.bytes.toString());
  });
  after(() => server[Symbol.asyncDispose]());

  async function seenByAlice(): Promise<readonly string[]> {
    const page = await alice.request('GET', `${V3}/rooms/${e(room)}/messages?dir=b&limit=100`);
    const chunk: { sender: string; type: string }[] = page.body.chunk;
    return chunk.filter((event) => event.sender === troll.userId).map((event) => event.type);
  }

  it('answers every send with an event id, and nobody sees the event', async () => {
    const eventId = await say(troll, room, 'trolling');
    assert.match(eventId, /^\$[A-Za-z0-9_-]{43}$/);
    const state = await troll.request('PUT', `${V3}/rooms/${e(room)}/state/org.example.x/${e(troll.userId)}`, { a: 1 });
    assert.ok(state.status === 200 || state.status === 403);
    assert.deepEqual(await seenByAlice(), ['m.room.member']);
    const found = await alice.request('GET', `${V3}/rooms/${e(room)}/event/${e(eventId)}`);
    assert.equal(found.status, 404);
  });

  it('answers a resend with the same id', async () => {
    const target = `${V3}/rooms/${e(room)}/send/m.room.message/${newTxn()}`;
    const first = await troll.request('PUT', target, { msgtype: 'm.text', body: 'x' });
    const second = await troll.request('PUT', target, { msgtype: 'm.text', body: 'x' });
    assert.equal(first.body.event_id, second.body.event_id);
  });

  it('still refuses what the rules refuse', async () => {
    const name = await troll.request('PUT', `${V3}/rooms/${e(room)}/state/m.room.name`, { name: 'mine' });
    assert.equal(name.status, 403);
  });

  it('lets no invite out, of a room that there is or of a new one', async () => {
    const own = await createRoom(troll, { invite: [alice.userId], visibility: 'public' });
    const later = await troll.request('POST', `${V3}/rooms/${e(own)}/invite`, { user_id: alice.userId });
    assert.equal(later.status, 200, later.bytes.toString());
    const sync = await alice.request('GET', `${V3}/sync`);
    assert.deepEqual(Object.keys(sync.body.rooms?.invite ?? {}), []);
    const directory = await alice.request('GET', `${V3}/publicRooms`);
    assert.deepEqual(directory.body.chunk, []);
  });

  it('lets no join, typing, public receipt, presence, display name or message to a device out', async () => {
    const other = await createRoom(alice);
    await join(troll, other);
    const members = await alice.request('GET', `${V3}/rooms/${e(other)}/joined_members`);
    assert.deepEqual(Object.keys(members.body.joined), [alice.userId]);

    const eventId = await say(alice, room, 'hello');
    const { next_batch: since } = (await alice.request('GET', `${V3}/sync`)).body;
    const typing = `${V3}/rooms/${e(room)}/typing/${e(troll.userId)}`;
    assert.equal((await troll.request('PUT', typing, { typing: true, timeout: 9000 })).status, 200);
    const receipt = `${V3}/rooms/${e(room)}/receipt/m.read/${e(eventId)}`;
    assert.equal((await troll.request('POST', receipt, {})).status, 200);
    const presence = `${V3}/presence/${e(troll.userId)}/status`;
    assert.equal((await troll.request('PUT', presence, { presence: 'online' })).status, 200);
    const name = `${V3}/profile/${e(troll.userId)}/displayname`;
    assert.equal((await troll.request('PUT', name, { displayname: 'Alice' })).status, 200);
    const messages = { [alice.userId]: { '*': { a: 1 } }, [troll.userId]: { '*': { own: 1 } } };
    assert.equal((await troll.request('PUT', `${V3}/sendToDevice/org.x/${newTxn()}`, { messages })).status, 200);
    const news = (await alice.request('GET', `${V3}/sync?since=${since}&timeout=1500`)).body;
    assert.equal(JSON.stringify(news).includes(troll.userId), false, JSON.stringify(news));
    const own = (await troll.request('GET', `${V3}/sync`)).body;
    assert.equal(own.to_device.events.length, 1);
    assert.equal(own.rooms.join[room].unread_notifications.notification_count, 0);
  });

  it('holds after a restart, and ends when it is lifted', async () => {
    await server.restart();
    await say(troll, room, 'still unseen');
    assert.deepEqual(await seenByAlice(), ['m.room.member']);
    assert.equal((await root.request('DELETE', `${USERS}/${e(troll.userId)}/shadow_ban`)).status, 200);
    await say(troll, room, 'back again');
    assert.deepEqual(await seenByAlice(), ['m.room.message', 'm.room.member']);
  });

  it('is only for administrators, and for users who are there', async () => {
    assert.equal((await alice.request('POST', `${USERS}/${e(troll.userId)}/shadow_ban`)).status, 403);
    assert.equal((await root.request('POST', `${USERS}/${e('@nobody:example.org')}/shadow_ban`)).status, 404);
    assert.equal((await root.request('POST', `${USERS}/${e('@bob:elsewhere.org')}/shadow_ban`)).status, 400);
  });

  it('lets them leave for good', async () => {
    await root.request('POST', `${USERS}/${e(troll.userId)}/shadow_ban`);
    assert.equal((await troll.request('POST', `${V3}/rooms/${e(room)}/leave`, {})).status, 200);
    const members = await alice.request('GET', `${V3}/rooms/${e(room)}/joined_members`);
    assert.deepEqual(Object.keys(members.body.joined), [alice.userId]);
  });
});

describe('rate limits of a user', () => {
  let server: TestServer;
  let root: TestUser;
  let alice: TestUser;
  let room: string;
  let target: string;

  before(async () => {
    const message = { per_second: 0.01, burst: 2 };
    server = await TestServer.start({ config: { rate_limits: { enabled: true, message, invite: message } } });
    root = await server.register('root', { admin: true });
    alice = await server.register('alice');
    target = `${USERS}/${e(alice.userId)}/override_ratelimit`;
    room = await createRoom(alice);
  });
  after(() => server[Symbol.asyncDispose]());

  async function statuses(count: number): Promise<readonly number[]> {
    const seen: number[] = [];
    for (let turn = 0; turn < count; turn++) {
      const path = `${V3}/rooms/${e(room)}/send/m.room.message/${newTxn()}`;
      seen.push((await alice.request('PUT', path, { msgtype: 'm.text', body: 'x' })).status);
    }
    return seen;
  }

  it('are the usual ones until an administrator says otherwise', async () => {
    assert.deepEqual((await root.request('GET', target)).body, {});
    assert.deepEqual(await statuses(3), [200, 200, 429]);
  });

  it('are lifted altogether by 0 messages a second, also after a restart', async () => {
    const set = await root.request('POST', target, { messages_per_second: 0, burst_count: 0 });
    assert.deepEqual(set.body, { messages_per_second: 0, burst_count: 0 });
    assert.deepEqual(await statuses(4), [200, 200, 200, 200]);
    await server.restart();
    assert.deepEqual((await root.request('GET', target)).body, { messages_per_second: 0, burst_count: 0 });
    assert.deepEqual(await statuses(4), [200, 200, 200, 200]);
  });

  it('can have their own figures, of any limit by its name', async () => {
    const limits = { invite: { per_second: 5, burst: 7 } };
    const set = await root.request('POST', target, { messages_per_second: 1, burst_count: 4, limits });
    assert.deepEqual(set.body, { messages_per_second: 1, burst_count: 4, limits });
    assert.deepEqual((await root.request('GET', target)).body, set.body);
    assert.deepEqual((await statuses(5)).slice(0, 4), [200, 200, 200, 200]);
    assert.equal((await root.request('POST', target, { limits: { nonsense: limits.invite } })).status, 400);
    assert.equal((await root.request('POST', target, { messages_per_second: -1 })).status, 400);
  });

  it('are the usual ones again once they are deleted', async () => {
    assert.deepEqual((await root.request('DELETE', target)).body, {});
    assert.deepEqual((await root.request('GET', target)).body, {});
    assert.equal((await statuses(4)).at(-1), 429);
  });
});
