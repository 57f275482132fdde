/** What users read of rooms, over HTTP. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { TestServer } from '../../src/testing/test-server.ts';
import type { TestUser } from '../../src/testing/test-user.ts';

const V3 = '/_matrix/client/v3';

interface ClientEvent {
  readonly event_id: string;
  readonly type: string;
  readonly state_key?: string;
  readonly content: { readonly body?: string; readonly membership?: string };
  readonly unsigned: { readonly transaction_id?: string; readonly membership?: string };
}

const bodiesOf = (events: readonly ClientEvent[]) =>
  events.filter(({ type }) => type === 'm.room.message').map(({ content }) => content.body);
const idsOf = (events: readonly ClientEvent[]) => events.map(({ event_id: id }) => id);

describe('reading rooms', () => {
  let server: TestServer;
  let alice: TestUser;
  let bob: TestUser;
  let carol: TestUser;
  let txn = 0;

  before(async () => {
    server = await TestServer.start({ inProcess: true });
    alice = await server.register('alice');
    bob = await server.register('bob');
    carol = await server.register('carol');
  });
  after(() => server[Symbol.asyncDispose]());

  async function ok(user: TestUser, method: string, path: string, body?: unknown) {
    const response = await user.request(method, path, body);
    assert.equal(response.status, 200, `${method} ${path}: ${response.bytes.toString('utf8')}`);
    return response.body;
  }

  async function refused(user: TestUser, method: string, path: string, body?: unknown) {
    const response = await user.request(method, path, body);
    return [response.status, response.body.errcode];
  }

  async function createRoom(options: object = {}): Promise<string> {
    return (await ok(alice, 'POST', `${V3}/createRoom`, { preset: 'public_chat', ...options })).room_id;
  }

  async function send(user: TestUser, roomId: string, body: string, content: object = {}): Promise<string> {
    const path = `${V3}/rooms/${roomId}/send/m.room.message/t${txn++}`;
    return (await ok(user, 'PUT', path, { msgtype: 'm.text', body, ...content })).event_id;
  }

  const setVisibility = (roomId: string, visibility: string) =>
    ok(alice, 'PUT', `${V3}/rooms/${roomId}/state/m.room.history_visibility/`, { history_visibility: visibility });
  const join = (user: TestUser, roomId: string) => ok(user, 'POST', `${V3}/join/${roomId}`, {});
  const leave = (user: TestUser, roomId: string) => ok(user, 'POST', `${V3}/rooms/${roomId}/leave`, {});
  const messages = (user: TestUser, roomId: string, query: string) =>
    ok(user, 'GET', `${V3}/rooms/${roomId}/messages?${query}`);

  it('shows each member what the history visibility of the time lets them see', async () => {
    const expected: Record<string, { joined: string[]; left: string[] }> = {
      world_readable: { joined: ['before', 'invited', 'joined'], left: ['before', 'invited', 'joined', 'gone'] },
      shared: { joined: ['before', 'invited', 'joined'], left: ['before', 'invited', 'joined'] },
      invited: { joined: ['invited', 'joined'], left: ['invited', 'joined'] },
      joined: { joined: ['joined'], left: ['joined'] },
    };
    for (const [visibility, { joined, left }] of Object.entries(expected)) {
      const roomId = await createRoom();
      await setVisibility(roomId, visibility);
      await send(alice, roomId, 'before');
      await ok(alice, 'POST', `${V3}/rooms/${roomId}/invite`, { user_id: bob.userId });
      await send(alice, roomId, 'invited');
      await join(bob, roomId);
      await send(alice, roomId, 'joined');
      assert.deepEqual(bodiesOf((await messages(bob, roomId, 'dir=f&limit=100')).chunk), joined, visibility);
      await leave(bob, roomId);
      await send(alice, roomId, 'gone');
      assert.deepEqual(bodiesOf((await messages(bob, roomId, 'dir=f&limit=100')).chunk), left, visibility);
      const backwards = bodiesOf((await messages(bob, roomId, 'dir=b&limit=100')).chunk);
      assert.deepEqual(backwards, left.toReversed(), visibility);
      const stranger = await carol.request('GET', `${V3}/rooms/${roomId}/messages?dir=b`);
      assert.equal(stranger.status, visibility === 'world_readable' ? 200 : 403);
    }
  });

  it('gives the same timeline in pages of any size in both directions', async () => {
    const roomId = await createRoom();
    for (let index = 0; index < 23; index++) await send(alice, roomId, `${index}`);
    const whole = idsOf((await messages(alice, roomId, 'dir=f&limit=1000')).chunk);
    for (const limit of [1, 2, 7, 30, 31]) {
      for (const dir of ['f', 'b']) {
        const ids: string[] = [];
        let from = '';
        for (;;) {
          const page = await messages(alice, roomId, `dir=${dir}&limit=${limit}${from}`);
          ids.push(...idsOf(page.chunk));
          if (page.end === undefined) break;
          from = `&from=${page.end}`;
        }
        assert.deepEqual(dir === 'f' ? ids : ids.toReversed(), whole, `${dir} ${limit}`);
      }
    }
  });

  it('filters pages, and loads members lazily', async () => {
    const roomId = await createRoom();
    await join(bob, roomId);
    await send(alice, roomId, 'of alice');
    await send(bob, roomId, 'of bob', { url: 'mxc://a/b' });
    const filtered = async (filter: object) =>
      messages(alice, roomId, `dir=b&filter=${encodeURIComponent(JSON.stringify(filter))}`);
    assert.deepEqual(bodiesOf((await filtered({ senders: [bob.userId] })).chunk), ['of bob']);
    assert.deepEqual(bodiesOf((await filtered({ contains_url: true })).chunk), ['of bob']);
    const lazy = await filtered({ types: ['m.room.message'], not_senders: [alice.userId], lazy_load_members: true });
    assert.deepEqual(bodiesOf(lazy.chunk), ['of bob']);
    assert.deepEqual(
      lazy.state.map((event: ClientEvent) => event.state_key),
      [bob.userId],
    );
    const path = `${V3}/rooms/${roomId}/messages?dir=b&filter=`;
    for (const bad of ['x', '[]', '{"types":1}']) {
      assert.deepEqual(await refused(alice, 'GET', path + encodeURIComponent(bad)), [400, 'M_INVALID_PARAM'], bad);
    }
    assert.deepEqual(await refused(alice, 'GET', `${V3}/rooms/${roomId}/messages`), [400, 'M_MISSING_PARAM']);
  });

  it('goes on from the tokens of sync', async () => {
    const roomId = await createRoom();
    await send(alice, roomId, 'first');
    const filter = encodeURIComponent(JSON.stringify({ room: { timeline: { limit: 1 }, rooms: [roomId] } }));
    const sync = await ok(alice, 'GET', `${V3}/sync?filter=${filter}`);
    const { timeline } = sync.rooms.join[roomId];
    assert.deepEqual(bodiesOf(timeline.events), ['first']);
    const older = await messages(alice, roomId, `dir=b&limit=100&from=${timeline.prev_batch}`);
    assert.equal(older.chunk.at(-1).type, 'm.room.create');
    assert.equal(bodiesOf(older.chunk).length, 0);
    await send(alice, roomId, 'second');
    const newer = await messages(alice, roomId, `dir=f&from=${sync.next_batch}`);
    assert.deepEqual(bodiesOf(newer.chunk), ['second']);
  });

  it('shows an event with its context, its transaction id to its device only, and its time', async () => {
    const roomId = await createRoom();
    await join(bob, roomId);
    const ids: string[] = [];
    for (let index = 0; index < 5; index++) ids.push(await send(alice, roomId, `${index}`));
    const middle = `${V3}/rooms/${roomId}/context/${ids[2]}`;
    const context = await ok(bob, 'GET', `${middle}?limit=2`);
    assert.deepEqual(
      [idsOf(context.events_before), context.event.event_id, idsOf(context.events_after)],
      [[ids[1]], ids[2], [ids[3]]],
    );
    assert.ok(context.state.some((event: ClientEvent) => event.type === 'm.room.create'));
    const event = await ok(alice, 'GET', `${V3}/rooms/${roomId}/event/${ids[2]}`);
    assert.match(event.unsigned.transaction_id, /^t\d+$/);
    const seenByBob = await ok(bob, 'GET', `${V3}/rooms/${roomId}/event/${ids[2]}`);
    assert.equal('transaction_id' in seenByBob.unsigned, false);
    assert.equal(seenByBob.unsigned.membership, 'join');
    const byTime = `/_matrix/client/v1/rooms/${roomId}/timestamp_to_event?dir=f&ts=`;
    const { event_id, origin_server_ts } = await ok(alice, 'GET', byTime + event.origin_server_ts);
    assert.equal(origin_server_ts, event.origin_server_ts);
    assert.ok(ids.includes(event_id));
    assert.deepEqual(await refused(alice, 'GET', `${byTime}${Date.now() + 1e6}`), [404, 'M_NOT_FOUND']);
    assert.deepEqual(await refused(carol, 'GET', middle), [403, 'M_FORBIDDEN']);
    assert.deepEqual(await refused(bob, 'GET', `${V3}/rooms/${roomId}/event/$none`), [404, 'M_NOT_FOUND']);
  });

  it('gives state and members as they are, or as they were when one left', async () => {
    const roomId = await createRoom({ name: 'Then', topic: 'x' });
    await join(bob, roomId);
    await leave(bob, roomId);
    await ok(alice, 'PUT', `${V3}/rooms/${roomId}/state/m.room.name`, { name: 'Now' });
    await join(carol, roomId);
    const name = `${V3}/rooms/${roomId}/state/m.room.name`;
    assert.deepEqual(await ok(alice, 'GET', name), { name: 'Now' });
    assert.deepEqual(await ok(alice, 'GET', `${name}/`), { name: 'Now' });
    assert.equal((await ok(alice, 'GET', `${name}?format=event`)).content.name, 'Now');
    assert.deepEqual(await ok(bob, 'GET', name), { name: 'Then' });
    assert.deepEqual(await refused(alice, 'GET', `${V3}/rooms/${roomId}/state/none/x`), [404, 'M_NOT_FOUND']);
    const members = async (user: TestUser, query = '') => {
      const { chunk } = await ok(user, 'GET', `${V3}/rooms/${roomId}/members${query}`);
      return chunk.map((event: ClientEvent) => `${event.state_key} ${event.content.membership}`).sort();
    };
    assert.deepEqual(await members(bob), [`${alice.userId} join`, `${bob.userId} leave`]);
    assert.deepEqual(await members(alice, '?membership=join'), [`${alice.userId} join`, `${carol.userId} join`]);
    assert.deepEqual(await members(alice, '?not_membership=join'), [`${bob.userId} leave`]);
    const { joined } = await ok(carol, 'GET', `${V3}/rooms/${roomId}/joined_members`);
    assert.deepEqual(Object.keys(joined).sort(), [alice.userId, carol.userId]);
    assert.deepEqual(await refused(bob, 'GET', `${V3}/rooms/${roomId}/joined_members`), [403, 'M_FORBIDDEN']);
    assert.ok((await ok(carol, 'GET', `${V3}/joined_rooms`)).joined_rooms.includes(roomId));
    assert.equal((await ok(bob, 'GET', `${V3}/joined_rooms`)).joined_rooms.includes(roomId), false);
    await ok(bob, 'POST', `${V3}/rooms/${roomId}/forget`, {});
    assert.deepEqual(await refused(bob, 'GET', `${V3}/rooms/${roomId}/messages?dir=b`), [403, 'M_FORBIDDEN']);
    assert.deepEqual(await refused(bob, 'GET', name), [403, 'M_FORBIDDEN']);
  });

  it('lists published rooms to everybody, by members, searched and in pages', async () => {
    const few = await createRoom({ visibility: 'public', name: 'Quiet tea room' });
    const many = await createRoom({ visibility: 'public', name: 'Loud TEA room' });
    await createRoom({ visibility: 'private', name: 'Secret tea room' });
    await join(bob, many);
    const search = { filter: { generic_search_term: 'tea' } };
    const found = await ok(carol, 'POST', `${V3}/publicRooms`, search);
    assert.deepEqual(
      found.chunk.map((room: { room_id: string }) => room.room_id),
      [many, few],
    );
    assert.equal(found.chunk[0].num_joined_members, 2);
    assert.equal(found.chunk[0].join_rule, 'public');
    const first = await ok(carol, 'POST', `${V3}/publicRooms`, { ...search, limit: 1 });
    const second = await ok(carol, 'POST', `${V3}/publicRooms`, { ...search, limit: 1, since: first.next_batch });
    assert.equal(second.chunk[0].room_id, few);
    assert.equal('next_batch' in second, false);
    const anonymous = await server.request('GET', `${V3}/publicRooms?limit=500`);
    assert.equal(anonymous.status, 200);
    assert.ok(anonymous.body.chunk.some((room: { room_id: string }) => room.room_id === few));
  });
});
