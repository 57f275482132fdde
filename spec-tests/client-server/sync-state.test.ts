/** Timelines with their gaps, and the state that goes with them. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { TestServer } from '../../src/testing/test-server.ts';
import type { TestUser } from '../../src/testing/test-user.ts';
import {
  bodies,
  type ClientEvent,
  join,
  keysOf,
  leave,
  membersIn,
  ok,
  pairInRoom,
  say,
  setState,
  sync,
  timeline,
  V3,
} from './sync-client.ts';

const limit = (count: number, more: object = {}) => ({ room: { timeline: { limit: count }, ...more } });
const LAZY = { room: { timeline: { limit: 2 }, state: { lazy_load_members: true } } };

describe('timelines and state', () => {
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
  });

  const roomOf = async (params: Parameters<typeof sync>[1] = {}) => (await sync(bob, params)).rooms?.join?.[roomId];
  const gap = async (from: string, to: string) => {
    const path = `/rooms/${roomId}/messages?dir=b&limit=100&from=${from}&to=${to}`;
    return (await ok(bob, 'GET', path)).chunk as ClientEvent[];
  };

  it('show the latest events and say where the gap before them is', async () => {
    for (let index = 0; index < 5; index++) await say(alice, roomId, `${index}`);
    const room = await roomOf({ since, filter: limit(2) });
    assert.deepEqual(bodies(room), ['3', '4']);
    assert.equal(room.timeline.limited, true);
    const missed = await gap(room.timeline.prev_batch, since);
    assert.deepEqual(
      missed.map((event) => event.content.body),
      ['2', '1', '0'],
    );
    const whole = await roomOf({ since, filter: limit(5) });
    assert.equal(whole.timeline.limited, false);
    assert.equal(bodies(whole).length, 5);
  });

  it('tell in the state what changed in the gap, and in the timeline what changed in it', async () => {
    await setState(alice, roomId, 'm.room.name', '', { name: 'One' });
    await setState(alice, roomId, 'm.room.topic', '', { topic: 'In the gap' });
    await say(alice, roomId, 'x');
    await setState(alice, roomId, 'm.room.name', '', { name: 'Two' });
    const room = await roomOf({ since, filter: limit(2) });
    assert.deepEqual(keysOf(room.state.events), ['m.room.name|', 'm.room.topic|']);
    assert.equal(room.state.events.find((event: ClientEvent) => event.type === 'm.room.name').content.name, 'One');
    assert.deepEqual(keysOf(timeline(room).filter((event) => event.state_key === '')), ['m.room.name|']);
  });

  it('tell the state at the end of the timeline where that is asked for', async () => {
    await setState(alice, roomId, 'm.room.name', '', { name: 'One' });
    await setState(alice, roomId, 'm.room.topic', '', { topic: 'In the gap' });
    await say(alice, roomId, 'x');
    await setState(alice, roomId, 'm.room.name', '', { name: 'Two' });
    for (const count of [2, 50]) {
      const room = await roomOf({ since, filter: limit(count), use_state_after: true });
      assert.equal('state' in room, false);
      assert.deepEqual(keysOf(room.state_after.events), ['m.room.name|', 'm.room.topic|']);
      assert.equal(room.state_after.events.find((e: ClientEvent) => e.type === 'm.room.name').content.name, 'Two');
    }
    const initial = await roomOf({ use_state_after: true });
    assert.equal(initial.state_after.events.find((e: ClientEvent) => e.type === 'm.room.name').content.name, 'Two');
    assert.ok(keysOf(initial.state_after.events).includes('m.room.create|'));
    await say(alice, roomId, 'nothing of state');
    const { next_batch: now } = await sync(bob);
    await say(alice, roomId, 'nothing of state');
    assert.deepEqual((await roomOf({ since: now, use_state_after: true })).state_after.events, []);
    const path = `${V3}/sync?since=${now}&org.matrix.msc4222.use_state_after=true`;
    const unstable = (await bob.request('GET', path)).body.rooms.join[roomId];
    assert.deepEqual(unstable['org.matrix.msc4222.state_after'], { events: [] });
    const both = (await bob.request('GET', `${path}&use_state_after=true`)).body.rooms.join[roomId];
    assert.deepEqual(both.state_after, { events: [] });
  });

  it('begin with the state before the first event', async () => {
    const small = await roomOf({ filter: limit(1) });
    assert.ok(keysOf(small.state.events).includes('m.room.create|'));
    assert.equal(small.timeline.limited, true);
    const whole = await roomOf({ filter: limit(50) });
    assert.deepEqual(whole.state.events, []);
    assert.equal(whole.timeline.limited, false);
    assert.equal(timeline(whole)[0]?.type, 'm.room.create');
  });

  it('tell the whole state on request, at once, with the timeline since the token', async () => {
    const started = performance.now();
    const quiet = await roomOf({ since, full_state: true, timeout: 20_000 });
    assert.ok(performance.now() - started < 5_000);
    assert.deepEqual(timeline(quiet), []);
    const keys = keysOf(quiet.state.events);
    for (const key of ['m.room.create|', `m.room.member|${bob.userId}`]) assert.ok(keys.includes(key), key);
    await say(alice, roomId, 'x');
    assert.deepEqual(bodies(await roomOf({ since, full_state: true })), ['x']);
  });

  it('tell in the state what a filter takes from the timeline', async () => {
    await setState(alice, roomId, 'm.room.topic', '', { topic: 'A' });
    await say(alice, roomId, 'x');
    await setState(alice, roomId, 'm.room.name', '', { name: 'A' });
    for (const types of [[], ['m.room.message']]) {
      const room = await roomOf({ since, filter: { room: { timeline: { types } } } });
      assert.deepEqual(keysOf(room.state.events), ['m.room.name|', 'm.room.topic|'], `types ${types}`);
      assert.equal(timeline(room).length, types.length);
      assert.equal(room.timeline.limited, false);
    }
    const elsewhere = await roomOf({ since, filter: { room: { timeline: { not_rooms: [roomId] } } } });
    assert.deepEqual(keysOf(elsewhere.state.events), ['m.room.name|', 'm.room.topic|']);
    const none = { room: { timeline: { types: [] }, state: { types: [] } } };
    assert.equal(await roomOf({ since, filter: none }), undefined);
  });

  it('pass the filters of events', async () => {
    const root = await say(alice, roomId, 'from alice');
    await say(bob, roomId, 'from bob');
    await say(alice, roomId, 'picture', { msgtype: 'm.image', url: 'mxc://example.org/a' });
    await say(alice, roomId, 'threaded', { 'm.relates_to': { rel_type: 'm.thread', event_id: root } });
    const said = async (filter: object) => bodies(await roomOf({ since, filter: { room: { timeline: filter } } }));
    assert.deepEqual(await said({ senders: [bob.userId] }), ['from bob']);
    assert.deepEqual(await said({ not_senders: [alice.userId] }), ['from bob']);
    assert.deepEqual(await said({ contains_url: true }), ['picture']);
    assert.deepEqual(await said({ types: ['m.room.m*'], limit: 1 }), ['threaded']);
    assert.deepEqual(await said({ not_types: ['m.room.*'] }).catch(() => []), []);
    const stateTypes = { room: { timeline: { limit: 1 }, state: { types: ['m.room.create'] } } };
    assert.deepEqual(keysOf((await roomOf({ filter: stateTypes })).state.events), ['m.room.create|']);
  });

  it('give the fields and the format that are asked for', async () => {
    await say(alice, roomId, 'x');
    const fields = await roomOf({ since, filter: { event_fields: ['type', 'content.body'] } });
    assert.deepEqual(timeline(fields), [{ type: 'm.room.message', content: { body: 'x' } }]);
    const federation = await roomOf({ since, filter: { event_format: 'federation' } });
    assert.ok('hashes' in (timeline(federation)[0] ?? {}));
    const own = await say(bob, roomId, 'mine');
    const echo = timeline(await roomOf({ since })).find((event) => event.event_id === own);
    assert.equal(typeof echo?.unsigned?.transaction_id, 'string');
    assert.equal('room_id' in (echo ?? {}), false);
  });

  it('load members lazily: the senders, oneself, the heroes; none of them twice', async () => {
    const carol = await server.register('carol');
    const dave = await server.register('dave');
    for (const user of [carol, dave]) await join(user, roomId);
    await setState(alice, roomId, 'm.room.name', '', { name: 'So that there are no heroes' });
    for (const body of ['1', '2', '3']) await say(carol, roomId, body);
    const initial = await sync(bob, { filter: LAZY });
    const state = initial.rooms.join[roomId].state.events;
    assert.deepEqual(membersIn(state), [bob.userId, carol.userId].sort());
    await say(carol, roomId, '4');
    const second = await sync(bob, { since: initial.next_batch, filter: LAZY });
    assert.deepEqual(second.rooms.join[roomId].state.events, []);
    await say(dave, roomId, '5');
    await say(carol, roomId, '6');
    const third = await sync(bob, { since: second.next_batch, filter: LAZY });
    assert.deepEqual(membersIn(third.rooms.join[roomId].state.events), [dave.userId]);
    const again = await sync(bob, { since: second.next_batch, filter: LAZY });
    assert.deepEqual(membersIn(again.rooms.join[roomId].state.events), [dave.userId], 'the answer may have been lost');
    const redundant = { room: { ...LAZY.room, state: { lazy_load_members: true, include_redundant_members: true } } };
    const all = await sync(bob, { since: second.next_batch, filter: redundant });
    assert.deepEqual(membersIn(all.rooms.join[roomId].state.events), [carol.userId, dave.userId].sort());
    const ended = await sync(bob, { since: second.next_batch, filter: LAZY, use_state_after: true });
    assert.deepEqual(membersIn(ended.rooms.join[roomId].state_after.events), [dave.userId]);
    // A client that goes back to what it had stored has forgotten the rest.
    await sync(bob, { since: third.next_batch, filter: LAZY });
    const restored = await sync(bob, { since: initial.next_batch, filter: LAZY });
    assert.deepEqual(membersIn(restored.rooms.join[roomId].state.events), [dave.userId]);
    const full = await sync(bob, { since: third.next_batch, filter: LAZY, full_state: true });
    assert.deepEqual(membersIn(full.rooms.join[roomId].state.events), [bob.userId]);
  });

  it('tell lazily loading clients of every member that changed in a gap', async () => {
    const carol = await server.register('carol.again');
    const dave = await server.register('dave.again');
    await join(carol, roomId);
    const initial = await sync(bob, { filter: LAZY });
    await leave(carol, roomId);
    await join(dave, roomId);
    for (const body of ['1', '2', '3']) await say(alice, roomId, body);
    for (const params of [{}, { use_state_after: true }, { full_state: true }]) {
      const room = await roomOf({ since: initial.next_batch, filter: LAZY, ...params });
      const members = membersIn((room.state ?? room.state_after).events);
      for (const userId of [carol.userId, dave.userId]) assert.ok(members.includes(userId), JSON.stringify(params));
      assert.equal(room.summary['m.joined_member_count'], 3);
    }
  });

  it('give the members that are heroes to clients that load lazily', async () => {
    const initial = await roomOf({ filter: LAZY });
    assert.ok(membersIn(initial.state.events).includes(alice.userId));
    assert.deepEqual(initial.summary['m.heroes'], [alice.userId]);
  });

  it('tell of a profile that changed by its event in the timeline or the state', async () => {
    await ok(alice, 'PUT', `/profile/${alice.userId}/displayname`, { displayname: 'Alicia' });
    const deadline = Date.now() + 5_000;
    let room = await roomOf({ since });
    while (room === undefined && Date.now() < deadline) room = await roomOf({ since, timeout: 1_000 });
    assert.deepEqual(membersIn(timeline(room)), [alice.userId]);
  });

  it('refuse filters that are none', async () => {
    for (const filter of ['{', '{"room":5}', '[]', 'no-such-filter']) {
      const { status } = await bob.request('GET', `${V3}/sync?filter=${encodeURIComponent(filter)}`);
      assert.ok(status === 400 || status === 404, `${filter}: ${status}`);
    }
    const { filter_id: id } = await ok(bob, 'POST', `/user/${bob.userId}/filter`, limit(1));
    const stored = (await bob.request('GET', `${V3}/sync?filter=${id}`)).body;
    assert.equal(timeline(stored.rooms.join[roomId]).length, 1);
  });
});
