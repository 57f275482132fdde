/** When `/sync` waits, what wakes it, and what tokens it takes. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { AnswerBody } from '../../src/testing/http-client.ts';
import { TestServer } from '../../src/testing/test-server.ts';
import { TestUser } from '../../src/testing/test-user.ts';
import {
  bodies,
  createRoom,
  isPending,
  join,
  keysOf,
  ok,
  onMember,
  pairInRoom,
  say,
  setState,
  sync,
  syncPath,
  timeline,
  V3,
} from './sync-client.ts';

const WAIT_MS = 20_000;

describe('a sync that waits', () => {
  let server: TestServer;
  let alice: TestUser;
  let bob: TestUser;
  let roomId: string;
  let since: string;

  before(async () => {
    server = await TestServer.start({ inProcess: true, config: { presence: { enabled: false } } });
  });
  after(() => server[Symbol.asyncDispose]());

  beforeEach(async () => {
    ({ alice, bob, roomId, since } = await pairInRoom(server));
    // Presence may have news of its own, once.
    since = (await sync(bob, { since })).next_batch;
  });

  /** A sync of bob's that waits; `wake` must end it. */
  async function wokenBy(wake: () => Promise<unknown>, filter?: object): Promise<AnswerBody> {
    const waiting = sync(bob, { since, timeout: WAIT_MS, ...(filter ? { filter } : {}) });
    assert.ok(await isPending(waiting, 40), 'there was news already');
    const started = performance.now();
    await wake();
    const answer = await waiting;
    assert.ok(performance.now() - started < WAIT_MS / 2, 'it only timed out');
    return answer;
  }

  it('answers at the timeout with a token and nothing else', async () => {
    const started = performance.now();
    const answer = await sync(bob, { since, timeout: 150 });
    assert.ok(performance.now() - started >= 140);
    assert.equal('rooms' in answer || 'account_data' in answer, false);
    assert.equal(typeof answer.next_batch, 'string');
    assert.equal('rooms' in (await sync(bob, { since })), false);
  });

  it('answers at once where there is news', async () => {
    await say(alice, roomId, 'x');
    const started = performance.now();
    await sync(bob, { since, timeout: WAIT_MS });
    await sync(bob, { timeout: WAIT_MS });
    assert.ok(performance.now() - started < 5_000);
  });

  it('is woken by a message, an invite, a join of another session, a leaving', async () => {
    assert.deepEqual(bodies((await wokenBy(() => say(alice, roomId, 'x'))).rooms.join[roomId]), ['x']);
    since = (await sync(bob, { since })).next_batch;
    const other = await createRoom(alice, { preset: 'private_chat' });
    assert.ok(other in (await wokenBy(() => onMember(alice, other, 'invite', bob))).rooms.invite);
    since = (await sync(bob, { since })).next_batch;
    assert.ok(other in (await wokenBy(() => join(bob, other))).rooms.join);
    since = (await sync(bob, { since })).next_batch;
    assert.deepEqual(bodies((await wokenBy(() => say(alice, other, 'new'))).rooms.join[other]), ['new']);
    since = (await sync(bob, { since })).next_batch;
    assert.ok(other in (await wokenBy(() => onMember(alice, other, 'kick', bob))).rooms.leave);
    since = (await sync(bob, { since })).next_batch;
    const quiet = sync(bob, { since, timeout: 200 });
    await say(alice, other, 'unseen');
    assert.equal('rooms' in (await quiet), false);
  });

  it('is woken by typing and by its end, receipts, account data, and tells of nothing else', async () => {
    const typing = (is: boolean) =>
      ok(alice, 'PUT', `/rooms/${roomId}/typing/${alice.userId}`, { typing: is, timeout: WAIT_MS });
    const seen = async (wake: () => Promise<unknown>) => {
      const answer = await wokenBy(wake);
      since = answer.next_batch;
      return answer.rooms.join[roomId].ephemeral.events;
    };
    assert.deepEqual(await seen(() => typing(true)), [{ type: 'm.typing', content: { user_ids: [alice.userId] } }]);
    assert.deepEqual(await seen(() => typing(false)), [{ type: 'm.typing', content: { user_ids: [] } }]);
    const eventId = timeline((await sync(bob)).rooms.join[roomId]).at(-1)?.event_id;
    const [read] = await seen(() => ok(alice, 'POST', `/rooms/${roomId}/receipt/m.read/${eventId}`, {}));
    assert.equal(typeof read.content[eventId ?? '']['m.read'][alice.userId].ts, 'number');
    const data = await wokenBy(() => ok(bob, 'PUT', `/user/${bob.userId}/account_data/org.example`, { a: 1 }));
    assert.deepEqual(data.account_data.events, [{ type: 'org.example', content: { a: 1 } }]);
    assert.equal('rooms' in data, false);
    since = data.next_batch;
    const path = `/user/${bob.userId}/rooms/${roomId}/account_data/org.example`;
    const ofRoom = await wokenBy(() => ok(bob, 'PUT', path, { b: 1 }));
    assert.deepEqual(ofRoom.rooms.join[roomId].account_data.events, [{ type: 'org.example', content: { b: 1 } }]);
    assert.equal('account_data' in ofRoom, false);
  });

  it('is not woken by what its filter leaves out, and misses nothing by that', async () => {
    const filter = { room: { timeline: { not_types: ['m.room.message'] }, ephemeral: { types: [] } } };
    const waiting = sync(bob, { since, timeout: WAIT_MS, filter });
    for (let index = 0; index < 3; index++) await say(alice, roomId, `${index}`);
    await ok(alice, 'PUT', `/rooms/${roomId}/typing/${alice.userId}`, { typing: true, timeout: WAIT_MS });
    assert.ok(await isPending(waiting, 100));
    await setState(alice, roomId, 'm.room.topic', '', { topic: 'x' });
    const room = (await waiting).rooms.join[roomId];
    assert.deepEqual(keysOf(timeline(room)), ['m.room.topic|']);
    assert.equal(room.timeline.limited, false);
  });

  it('brings the new counts when another device has read, whatever the filter', async () => {
    const eventId = await say(alice, roomId, 'read me');
    const first = await sync(bob, { since });
    assert.equal(first.rooms.join[roomId].unread_notifications.notification_count, 1);
    since = first.next_batch;
    const read = () => ok(bob, 'POST', `/rooms/${roomId}/receipt/m.read.private/${eventId}`, {});
    const answer = await wokenBy(read, { room: { ephemeral: { types: [] } } });
    assert.equal(answer.rooms.join[roomId].unread_notifications.notification_count, 0);
    assert.deepEqual(answer.rooms.join[roomId].ephemeral.events, []);
    assert.equal(JSON.stringify(await sync(alice)).includes('m.read.private'), false);
  });

  it('wakes every device of a user, each with its own transaction ids', async () => {
    const login = { type: 'm.login.password', identifier: { type: 'm.id.user', user: bob.userId } };
    const password = `password-${bob.userId.slice(1).split(':')[0]}`;
    const second = TestUser.from(
      server.client,
      await server.request('POST', `${V3}/login`, { body: { ...login, password } }),
    );
    const [here, there] = [sync(bob, { since, timeout: WAIT_MS }), sync(second, { since, timeout: WAIT_MS })];
    await say(bob, roomId, 'mine');
    const [mine] = timeline((await here).rooms.join[roomId]);
    const [other] = timeline((await there).rooms.join[roomId]);
    assert.equal(typeof mine?.unsigned?.transaction_id, 'string');
    assert.equal(other?.unsigned !== undefined && 'transaction_id' in other.unsigned, false);
  });

  it('keeps quiet about ignored users, but not about the state that they set', async () => {
    const path = `/user/${bob.userId}/account_data/m.ignored_user_list`;
    await ok(bob, 'PUT', path, { ignored_users: { [alice.userId]: {} } });
    since = (await sync(bob, { since })).next_batch;
    const waiting = sync(bob, { since, timeout: WAIT_MS });
    await say(alice, roomId, 'ignored');
    await createRoom(alice, { preset: 'private_chat', invite: [bob.userId] });
    await ok(alice, 'PUT', `/rooms/${roomId}/typing/${alice.userId}`, { typing: true, timeout: WAIT_MS });
    const early = await Promise.race([
      waiting,
      new Promise<undefined>((resolve) => setTimeout(resolve, 100, undefined)),
    ]);
    if (early !== undefined) assert.deepEqual(bodies(early.rooms.join[roomId]), []);
    await setState(alice, roomId, 'm.room.topic', '', { topic: 'x' });
    const { rooms } = await sync(bob, { since });
    assert.deepEqual(keysOf(timeline(rooms.join[roomId])), ['m.room.topic|']);
    assert.equal('invite' in rooms, false);
    assert.equal(JSON.stringify(rooms.join[roomId].ephemeral).includes(alice.userId), false);
  });

  it('tells threads apart for those who ask', async () => {
    const root = await say(alice, roomId, 'root');
    await say(alice, roomId, 'in it', { 'm.relates_to': { rel_type: 'm.thread', event_id: root } });
    const counts = async (timelineFilter: object) =>
      (await sync(bob, { since, filter: { room: { timeline: timelineFilter } } })).rooms.join[roomId];
    const plain = await counts({});
    assert.equal(plain.unread_notifications.notification_count, 2);
    assert.equal('unread_thread_notifications' in plain, false);
    const threaded = await counts({ unread_thread_notifications: true });
    assert.equal(threaded.unread_notifications.notification_count, 1);
    assert.equal(threaded.unread_thread_notifications[root].notification_count, 1);
  });

  it('refuses tokens that are none', async () => {
    for (const bad of ['', 'x', 's1', 's1_2_3', `s${'1_'.repeat(40)}1`, 's-1_2_3_4_5_6_7_8', 's72595_4483_1934']) {
      const { status, body } = await bob.request('GET', V3 + syncPath({ since: bad }));
      assert.deepEqual([status, body.errcode], [400, 'M_INVALID_PARAM'], bad);
    }
  });

  it('begins anew for a token from after the present, as after a backup was restored', async () => {
    const [first = ''] = since.split('_');
    const future = since.replace(first, `s${Number(first.slice(1)) + 1_000_000}`);
    const answer = await sync(bob, { since: future, timeout: WAIT_MS });
    assert.ok(roomId in answer.rooms.join);
    await say(alice, roomId, 'x');
    assert.deepEqual(bodies((await sync(bob, { since: answer.next_batch })).rooms.join[roomId]), ['x']);
  });

  it('takes the token of another user for what it is: a place', async () => {
    const token = (await sync(alice)).next_batch;
    await say(alice, roomId, 'x');
    assert.deepEqual(bodies((await sync(bob, { since: token })).rooms.join[roomId]), ['x']);
    const stranger = await server.register('stranger');
    assert.equal('rooms' in (await sync(stranger, { since: token })), false);
  });
});

describe('a sync after a restart', () => {
  it('goes on from its token, and tells that nobody types any more', async () => {
    await using server = await TestServer.start({ inProcess: true, config: { presence: { enabled: false } } });
    const [alice, bob] = [await server.register('alice'), await server.register('bob')];
    const roomId = await createRoom(alice);
    const quiet = await createRoom(alice);
    for (const id of [roomId, quiet]) await join(bob, id);
    await ok(alice, 'PUT', `/rooms/${roomId}/typing/${alice.userId}`, { typing: true, timeout: 60_000 });
    const initial = await sync(bob);
    assert.equal(initial.rooms.join[roomId].ephemeral.events[0].type, 'm.typing');
    await server.restart();
    const room = (await sync(bob, { since: initial.next_batch })).rooms.join[roomId];
    assert.deepEqual(room.ephemeral.events, [{ type: 'm.typing', content: { user_ids: [] } }]);
    const { next_batch: since } = await sync(bob);
    const waiting = sync(bob, { since, timeout: 20_000 });
    await ok(alice, 'PUT', `/rooms/${quiet}/typing/${alice.userId}`, { typing: true, timeout: 60_000 });
    assert.ok(quiet in (await waiting).rooms.join);
  });

  it('brings what was sent before it and not yet seen', async () => {
    await using server = await TestServer.start({ inProcess: true, config: { presence: { enabled: false } } });
    const [alice, bob] = [await server.register('alice'), await server.register('bob')];
    const roomId = await createRoom(alice);
    await join(bob, roomId);
    const { next_batch: since } = await sync(bob);
    await say(alice, roomId, 'before');
    await server.restart();
    await say(alice, roomId, 'after');
    assert.deepEqual(bodies((await sync(bob, { since })).rooms.join[roomId]), ['before', 'after']);
  });
});
