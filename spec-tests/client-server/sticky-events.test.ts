/** MSC4354: sticky events reach everybody in the room while they are sticky, whatever the timeline leaves out. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { AnswerBody } from '../../src/testing/http-client.ts';
import { TestServer } from '../../src/testing/test-server.ts';
import type { TestUser } from '../../src/testing/test-user.ts';
import {
  type ClientEvent,
  createRoom,
  isPending,
  join,
  leave,
  ok,
  say,
  setState,
  sync,
  timeline,
} from './sync-client.ts';

const HOUR_MS = 3_600_000;
const TTL = 'msc4354_sticky_duration_ttl_ms';
const FIVE = { room: { timeline: { limit: 5 } } };

let txn = 0;

async function stick(user: TestUser, roomId: string, body: string, durationMs = 600_000, more = ''): Promise<string> {
  const query = `org.matrix.msc4354.sticky_duration_ms=${durationMs}${more}`;
  return (await ok(user, 'PUT', `/rooms/${roomId}/send/org.example.sticky/k${txn++}?${query}`, { body })).event_id;
}

const sectionOf = (answer: AnswerBody, roomId: string): readonly ClientEvent[] =>
  answer.rooms?.join?.[roomId]?.msc4354_sticky?.events ?? [];
const said = (events: readonly ClientEvent[]) => events.map((event) => event.content.body);

describe('sticky events', () => {
  let offsetMs = 0;
  let hs: TestServer;
  let alice: TestUser;
  let bob: TestUser;

  before(async () => {
    hs = await TestServer.start({ inProcess: true, clock: { now: () => Date.now() + offsetMs } });
    alice = await hs.register('alice');
    bob = await hs.register('bob');
  });
  after(() => hs[Symbol.asyncDispose]());

  async function roomOfTwo(options: object = { preset: 'public_chat' }): Promise<string> {
    const roomId = await createRoom(alice, options);
    await join(bob, roomId);
    return roomId;
  }

  async function fill(roomId: string, count: number): Promise<void> {
    for (let i = 0; i < count; i++) await say(alice, roomId, `filler ${i}`);
  }

  it('are announced, and carry their duration and what is left of it', async () => {
    const versions = await hs.request('GET', '/_matrix/client/versions');
    assert.equal(versions.body.unstable_features['org.matrix.msc4354'], true);
    const roomId = await createRoom(alice);
    const id = await stick(alice, roomId, 'here', 300_000);
    const event = await ok(alice, 'GET', `/rooms/${roomId}/event/${id}`);
    assert.deepEqual(event.msc4354_sticky, { duration_ms: 300_000 });
    assert(event.unsigned[TTL] > 290_000 && event.unsigned[TTL] <= 300_000);
    const plain = await ok(alice, 'GET', `/rooms/${roomId}/event/${await say(alice, roomId, 'plain')}`);
    assert.equal(plain.msc4354_sticky, undefined);
    assert.equal(TTL in plain.unsigned, false);
  });

  it('last for an hour at most, and not at all where the duration is no count of milliseconds', async () => {
    const roomId = await createRoom(alice);
    const id = await stick(alice, roomId, 'long', Number.MAX_SAFE_INTEGER);
    const event = await ok(alice, 'GET', `/rooms/${roomId}/event/${id}`);
    assert.deepEqual(event.msc4354_sticky, { duration_ms: HOUR_MS });
    assert(event.unsigned[TTL] <= HOUR_MS);
    for (const bad of ['-1', 'x', '1.5', '1e3', '99999999999999999']) {
      const path = `/_matrix/client/v3/rooms/${roomId}/send/m.x/b${txn++}?org.matrix.msc4354.sticky_duration_ms=${bad}`;
      const answer = await alice.request('PUT', path, {});
      assert.equal(answer.status, 400, bad);
      assert.equal(answer.body.errcode, 'M_INVALID_PARAM');
    }
    const never = await stick(alice, roomId, 'zero', 0);
    assert.equal(TTL in (await ok(alice, 'GET', `/rooms/${roomId}/event/${never}`)).unsigned, false);
  });

  it('are told beside a timeline that is too short for them, once', async () => {
    const roomId = await roomOfTwo();
    const first = await sync(bob, { filter: FIVE });
    await stick(alice, roomId, 'one');
    await fill(roomId, 8);
    await stick(alice, roomId, 'two');
    const second = await sync(bob, { since: first.next_batch, filter: FIVE });
    const room = second.rooms.join[roomId];
    assert.equal(room.timeline.limited, true);
    assert.deepEqual(said(sectionOf(second, roomId)), ['one']);
    assert.equal(said(timeline(room)).at(-1), 'two');
    const left = sectionOf(second, roomId)[0]?.unsigned?.[TTL];
    assert(typeof left === 'number' && left > 590_000);
    const third = await sync(bob, { since: second.next_batch, filter: FIVE });
    assert.deepEqual(sectionOf(third, roomId), []);
  });

  it('are told where the filter of the timeline leaves them out', async () => {
    const roomId = await roomOfTwo();
    const filter = { room: { timeline: { types: ['m.room.message'] } } };
    const first = await sync(bob, { filter });
    await stick(alice, roomId, 'filtered');
    const second = await sync(bob, { since: first.next_batch, filter });
    assert.deepEqual(said(sectionOf(second, roomId)), ['filtered']);
    const elsewhere = { room: { not_rooms: [roomId] } };
    const third = await sync(bob, { since: first.next_batch, filter: elsewhere });
    assert.equal(third.rooms?.join?.[roomId], undefined);
  });

  it('wake a sync that waits', async () => {
    const roomId = await roomOfTwo();
    const filter = { room: { timeline: { types: ['m.nothing'] } } };
    const first = await sync(bob, { filter });
    const waiting = sync(bob, { since: first.next_batch, filter, timeout: 10_000 });
    assert(await isPending(waiting));
    await stick(alice, roomId, 'wake up');
    assert.deepEqual(said(sectionOf(await waiting, roomId)), ['wake up']);
  });

  it('reach who joins later, whatever the history visibility is, and nobody else', async () => {
    const roomId = await createRoom(alice);
    await setState(alice, roomId, 'm.room.history_visibility', '', { history_visibility: 'joined' });
    const hidden = await say(alice, roomId, 'hidden');
    const id = await stick(alice, roomId, 'for all');
    await stick(alice, roomId, 'short', 1_000);
    const start = await sync(bob);
    const path = `/_matrix/client/v3/rooms/${roomId}/event/`;
    assert.equal((await bob.request('GET', path + id)).status, 404);
    offsetMs += 2_000;
    await join(bob, roomId);
    const joined = await sync(bob, { since: start.next_batch });
    assert.deepEqual(
      said(sectionOf(joined, roomId))
        .concat(said(timeline(joined.rooms.join[roomId])))
        .filter(Boolean),
      ['for all'],
    );
    const initial = await sync(bob, { filter: { room: { timeline: { limit: 1 } } } });
    assert.deepEqual(said(sectionOf(initial, roomId)), ['for all']);
    assert.equal((await bob.request('GET', path + id)).status, 200);
    assert.equal((await bob.request('GET', path + hidden)).status, 404);
    await leave(bob, roomId);
    assert.equal((await bob.request('GET', path + id)).status, 404);
  });

  it('of before are told again to who comes back', async () => {
    const roomId = await roomOfTwo();
    await stick(alice, roomId, 'still there');
    const first = await sync(bob);
    await leave(bob, roomId);
    const gone = await sync(bob, { since: first.next_batch });
    await fill(roomId, 6);
    await join(bob, roomId);
    const back = await sync(bob, { since: gone.next_batch, filter: FIVE });
    assert.deepEqual(said(sectionOf(back, roomId)), ['still there']);
  });

  it('are like other events when they have expired', async () => {
    const roomId = await roomOfTwo();
    const first = await sync(bob, { filter: FIVE });
    const id = await stick(alice, roomId, 'gone', 60_000);
    await fill(roomId, 6);
    offsetMs += 60_001;
    const second = await sync(bob, { since: first.next_batch, filter: FIVE });
    assert.deepEqual(sectionOf(second, roomId), []);
    const event = await ok(bob, 'GET', `/rooms/${roomId}/event/${id}`);
    assert.equal(TTL in event.unsigned, false);
    assert.deepEqual(event.msc4354_sticky, { duration_ms: 60_000 });
  });

  it('are no longer sticky when they are redacted', async () => {
    const roomId = await roomOfTwo();
    const first = await sync(bob, { filter: FIVE });
    const id = await stick(alice, roomId, 'regretted');
    await ok(alice, 'PUT', `/rooms/${roomId}/redact/${id}/r${txn++}`, {});
    await fill(roomId, 6);
    const second = await sync(bob, { since: first.next_batch, filter: FIVE });
    assert.deepEqual(sectionOf(second, roomId), []);
    const event = await ok(bob, 'GET', `/rooms/${roomId}/event/${id}`);
    assert.equal(event.msc4354_sticky, undefined);
  });

  it('of ignored users are not told', async () => {
    const roomId = await roomOfTwo();
    const carol = await hs.register('carol');
    await join(carol, roomId);
    await ok(bob, 'PUT', `/user/${bob.userId}/account_data/m.ignored_user_list`, {
      ignored_users: { [carol.userId]: {} },
    });
    const first = await sync(bob, { filter: FIVE });
    for (let i = 0; i < 1_010; i++) await stick(carol, roomId, 'noise');
    await stick(alice, roomId, 'signal');
    await fill(roomId, 6);
    const second = await sync(bob, { since: first.next_batch, filter: FIVE });
    assert.deepEqual(said(sectionOf(second, roomId)), ['signal']);
  });

  it('that are too many come in several answers, each once and in order', async () => {
    const roomId = await roomOfTwo();
    const dave = await hs.register('dave');
    await join(dave, roomId);
    let since = (await sync(dave, { filter: FIVE })).next_batch;
    const sent = Array.from({ length: 1_200 }, (_, index) => `n${index}`);
    for (const body of sent) await stick(alice, roomId, body);
    await fill(roomId, 6);
    const got: unknown[] = [];
    for (let answers = 0; answers < 2; answers++) {
      const answer = await sync(dave, { since, filter: FIVE });
      assert(sectionOf(answer, roomId).length <= 1_000);
      got.push(...said(sectionOf(answer, roomId)));
      since = answer.next_batch;
    }
    assert.deepEqual(got, sent);
    assert.deepEqual(sectionOf(await sync(dave, { since, filter: FIVE }), roomId), []);
    offsetMs += 600_001;
  });

  it('may be state, which is sent anew though nothing changes', async () => {
    const roomId = await roomOfTwo();
    const first = await sync(bob, { filter: FIVE });
    const path = `/rooms/${roomId}/state/org.example.state/key?org.matrix.msc4354.sticky_duration_ms=60000`;
    const one = (await ok(alice, 'PUT', path, { body: 'state' })).event_id;
    const two = (await ok(alice, 'PUT', path, { body: 'state' })).event_id;
    assert.notEqual(one, two);
    await fill(roomId, 6);
    const second = await sync(bob, { since: first.next_batch, filter: FIVE });
    assert.deepEqual(
      sectionOf(second, roomId).map((event) => event.event_id),
      [one, two],
    );
  });

  it('come from delayed events too, and are sticky from when they are sent', async () => {
    const roomId = await roomOfTwo();
    const first = await sync(bob, { filter: FIVE });
    const query = 'org.matrix.msc4354.sticky_duration_ms=60000';
    const older = `/rooms/${roomId}/send/m.x/d${txn++}?org.matrix.msc4140.delay=3000000&${query}`;
    const newer = `/rooms/${roomId}/delayed_event/m.x/d${txn++}?${query}`;
    const ids = [
      (await ok(alice, 'PUT', older, { body: 'older' })).delay_id,
      (await ok(alice, 'PUT', newer, { delay: 3_000_000, content: { body: 'newer' } })).delay_id,
    ];
    offsetMs += 100_000;
    for (const id of ids) {
      const answer = await hs.request('POST', `/_matrix/client/v1/delayed_events/${id}/send`, { body: {} });
      assert.equal(answer.status, 200);
    }
    await fill(roomId, 6);
    const second = await sync(bob, { since: first.next_batch, filter: FIVE });
    assert.deepEqual(said(sectionOf(second, roomId)), ['older', 'newer']);
    const left = sectionOf(second, roomId)[0]?.unsigned?.[TTL];
    assert(typeof left === 'number' && left > 50_000);
  });

  it('are told to clients with a token of before there were any', async () => {
    const roomId = await roomOfTwo();
    await stick(alice, roomId, 'from before');
    await fill(roomId, 6);
    const { next_batch: now } = await sync(bob, { filter: FIVE });
    const old = now.slice(0, now.lastIndexOf('_'));
    const answer = await sync(bob, { since: old, filter: FIVE });
    assert(said(sectionOf(answer, roomId)).includes('from before'));
  });
});

describe('sticky events of a server that is killed', () => {
  it('are still told, and expire as they would have', async () => {
    await using hs = await TestServer.start();
    const alice = await hs.register('alice');
    const bob = await hs.register('bob');
    const roomId = await createRoom(alice);
    await join(bob, roomId);
    const first = await sync(bob, { filter: FIVE });
    await stick(alice, roomId, 'durable');
    for (let i = 0; i < 6; i++) await say(alice, roomId, `filler ${i}`);
    await hs.kill();
    await hs.restart();
    const second = await sync(bob, { since: first.next_batch, filter: FIVE });
    const [event] = sectionOf(second, roomId);
    assert.equal(event?.content.body, 'durable');
    const left = event.unsigned?.[TTL];
    assert(typeof left === 'number' && left < 600_000 && left > 500_000);
    assert.deepEqual(sectionOf(await sync(bob, { since: second.next_batch, filter: FIVE }), roomId), []);
  });
});
