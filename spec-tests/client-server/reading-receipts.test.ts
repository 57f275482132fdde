/** Receipts, unread counts and typing, over HTTP. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { TestServer } from '../../src/testing/test-server.ts';
import type { TestUser } from '../../src/testing/test-user.ts';

const V3 = '/_matrix/client/v3';

describe('receipts and typing', () => {
  let server: TestServer;
  let alice: TestUser;
  let bob: TestUser;
  let roomId: string;
  let txn = 0;

  before(async () => {
    server = await TestServer.start({ inProcess: true });
    alice = await server.register('alice');
    bob = await server.register('bob');
    roomId = (await ok(alice, 'POST', `${V3}/createRoom`, { preset: 'public_chat' })).room_id;
    await ok(bob, 'POST', `${V3}/join/${roomId}`, {});
  });
  after(() => server[Symbol.asyncDispose]());

  async function ok(user: TestUser, method: string, path: string, body?: unknown) {
    const response = await user.request(method, path, body);
    assert.equal(response.status, 200, `${method} ${path}: ${response.bytes.toString('utf8')}`);
    return response.body;
  }

  async function send(user: TestUser, content: object): Promise<string> {
    const body = { msgtype: 'm.text', body: 'Hi', ...content };
    return (await ok(user, 'PUT', `${V3}/rooms/${roomId}/send/m.room.message/t${txn++}`, body)).event_id;
  }

  const filter = encodeURIComponent(JSON.stringify({ room: { timeline: { unread_thread_notifications: true } } }));
  const roomOf = async (user: TestUser, query = '') =>
    (await ok(user, 'GET', `${V3}/sync?full_state=true&filter=${filter}${query}`)).rooms.join[roomId];
  const ephemeral = (room: { ephemeral: { events: { type: string; content: object }[] } }, type: string) =>
    room.ephemeral.events.find((event) => event.type === type)?.content;
  const receipt = (user: TestUser, type: string, eventId: string, body: object = {}) =>
    user.request('POST', `${V3}/rooms/${roomId}/receipt/${type}/${eventId}`, body);

  it('count what is unread, by thread, until it is read', async () => {
    const root = await send(alice, {});
    await send(alice, { 'm.mentions': { user_ids: [bob.userId] } });
    const inThread = await send(alice, { 'm.relates_to': { rel_type: 'm.thread', event_id: root } });
    const edited = { 'm.new_content': {}, 'm.relates_to': { rel_type: 'm.replace', event_id: root } };
    await send(alice, edited);
    let room = await roomOf(bob);
    assert.deepEqual(room.unread_notifications, { highlight_count: 1, notification_count: 2 });
    assert.deepEqual(room.unread_thread_notifications, { [root]: { highlight_count: 0, notification_count: 1 } });
    assert.equal((await receipt(bob, 'm.read', inThread, { thread_id: root })).status, 200);
    room = await roomOf(bob);
    assert.deepEqual(room.unread_notifications, { highlight_count: 1, notification_count: 2 });
    assert.equal(room.unread_thread_notifications?.[root]?.notification_count ?? 0, 0);
    assert.equal((await receipt(bob, 'm.read.private', inThread)).status, 200);
    assert.deepEqual((await roomOf(bob)).unread_notifications, { highlight_count: 0, notification_count: 0 });
    assert.deepEqual((await roomOf(alice)).unread_notifications, { highlight_count: 0, notification_count: 0 });
  });

  it('are shown to the room, private ones to oneself only', async () => {
    const eventId = await send(alice, {});
    await receipt(bob, 'm.read.private', eventId);
    const ofBob = ephemeral(await roomOf(bob), 'm.receipt');
    assert.ok(ofBob && eventId in ofBob);
    const ofAlice = ephemeral(await roomOf(alice), 'm.receipt') ?? {};
    assert.equal(eventId in ofAlice, false);
    await receipt(bob, 'm.read', eventId);
    assert.ok(eventId in (ephemeral(await roomOf(alice), 'm.receipt') ?? {}));
  });

  it('wake a sync that waits, private ones too', async () => {
    const eventId = await send(alice, {});
    const { next_batch: since } = await ok(bob, 'GET', `${V3}/sync`);
    const waiting = ok(bob, 'GET', `${V3}/sync?timeout=10000&since=${since}`);
    await receipt(bob, 'm.read.private', eventId);
    const room = (await waiting).rooms.join[roomId];
    assert.ok(eventId in (ephemeral(room, 'm.receipt') ?? {}));
    assert.equal(room.unread_notifications.notification_count, 0);
  });

  it('set the fully-read marker by either endpoint, and only forwards', async () => {
    const first = await send(alice, {});
    const second = await send(alice, {});
    await ok(bob, 'POST', `${V3}/rooms/${roomId}/read_markers`, { 'm.fully_read': second, 'm.read': second });
    assert.equal((await receipt(bob, 'm.fully_read', first)).status, 200);
    const path = `${V3}/user/${bob.userId}/rooms/${roomId}/account_data/m.fully_read`;
    assert.deepEqual(await ok(bob, 'GET', path), { event_id: second });
    assert.ok(second in (ephemeral(await roomOf(alice), 'm.receipt') ?? {}));
  });

  it('are refused with what the specification says', async () => {
    const root = await send(alice, {});
    const outside = await send(alice, {});
    const errcode = async (type: string, eventId: string, body: object) =>
      (await receipt(bob, type, eventId, body)).body.errcode;
    assert.equal(await errcode('m.read', outside, { thread_id: '' }), 'M_INVALID_PARAM');
    assert.equal(await errcode('m.read', outside, { thread_id: 1 }), 'M_INVALID_PARAM');
    assert.equal(await errcode('m.read', outside, { thread_id: root }), 'M_INVALID_PARAM');
    assert.equal(await errcode('m.fully_read', outside, { thread_id: 'main' }), 'M_INVALID_PARAM');
    assert.equal(await errcode('m.other', outside, {}), 'M_INVALID_PARAM');
    assert.equal(await errcode('m.read', '$none', {}), 'M_NOT_FOUND');
    const carol = await server.register('carol');
    assert.equal((await receipt(carol, 'm.read', outside)).body.errcode, 'M_FORBIDDEN');
  });

  it('tell the others who types', async () => {
    const path = (user: TestUser) => `${V3}/rooms/${roomId}/typing/${bob.userId}?${user.userId}`;
    const { next_batch: since } = await ok(alice, 'GET', `${V3}/sync`);
    const waiting = ok(alice, 'GET', `${V3}/sync?timeout=10000&since=${since}`);
    await ok(bob, 'PUT', path(bob), { typing: true, timeout: 30_000 });
    assert.deepEqual(ephemeral((await waiting).rooms.join[roomId], 'm.typing'), { user_ids: [bob.userId] });
    await ok(bob, 'PUT', path(bob), { typing: false });
    assert.deepEqual(ephemeral(await roomOf(alice), 'm.typing') ?? { user_ids: [] }, { user_ids: [] });
    assert.equal((await alice.request('PUT', path(alice), { typing: true })).status, 403);
  });
});
