/** Every field of a filter, in /sync and in /messages. Spec: client-server-api/#filtering, MSC3440, MSC3874 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { AnswerBody } from '../../src/testing/http-client.ts';
import { TestServer } from '../../src/testing/test-server.ts';
import type { TestUser } from '../../src/testing/test-user.ts';
import { eventually } from './helpers.ts';
import { type ClientEvent, createRoom, join, keysOf, leave, ok, say, setState, sync } from './sync-client.ts';

const ALL = ['root', 'bob', 'image', 'reply', 'reaction', 'state'];
const NOTHING: readonly string[] = [];

/** What people sent has a label; the rest has none. */
const labels = (events: readonly ClientEvent[]) =>
  events.flatMap((event) => (typeof event.content.label === 'string' ? [event.content.label] : []));

const sendersOfPresence = (answer: AnswerBody) =>
  (answer.presence?.events ?? []).map((event: ClientEvent) => event.sender).sort();

describe('filters', () => {
  let hs: TestServer;
  let alice: TestUser;
  let bob: TestUser;
  let roomId: string;
  let otherId: string;
  let leftId: string;

  before(async () => {
    hs = await TestServer.start({ inProcess: true, config: { presence: { enabled: true } } });
    alice = await hs.register('alice');
    bob = await hs.register('bob');
    [roomId, otherId, leftId] = [await createRoom(alice), await createRoom(alice), await createRoom(alice)];
    for (const id of [roomId, leftId]) await join(bob, id);
    const root = await say(alice, roomId, '', { label: 'root' });
    const ofBob = await say(bob, roomId, '', { label: 'bob' });
    await say(alice, roomId, '', { label: 'image', url: 'mxc://x/y' });
    await say(bob, roomId, '', { label: 'reply', 'm.relates_to': { rel_type: 'm.thread', event_id: root } });
    await ok(alice, 'PUT', `/rooms/${roomId}/send/m.reaction/filters`, {
      label: 'reaction',
      'm.relates_to': { rel_type: 'm.annotation', event_id: ofBob, key: 'x' },
    });
    await setState(alice, roomId, 'org.example.state', 'key', { label: 'state' });
    const own = `/user/${alice.userId}`;
    for (const type of ['org.example.one', 'org.example.two']) {
      await ok(alice, 'PUT', `${own}/account_data/${type}`, { type });
      await ok(alice, 'PUT', `${own}/rooms/${roomId}/account_data/${type}`, { type });
    }
    await ok(bob, 'PUT', `/rooms/${roomId}/typing/${bob.userId}`, { typing: true, timeout: 60_000 });
    await ok(bob, 'POST', `/rooms/${roomId}/receipt/m.read/${root}`, {});
    await ok(bob, 'PUT', `/presence/${bob.userId}/status`, { presence: 'online' });
    await leave(alice, leftId);
    // Presence is told with a delay.
    await eventually(async () => assert.equal(sendersOfPresence(await sync(alice)).length, 2));
  });
  after(() => hs[Symbol.asyncDispose]());

  /** By what the events of a room are filtered, and which of them pass. Ids are known only when the test runs. */
  const OF_ROOMS: readonly (readonly [string, () => object, readonly string[]])[] = [
    ['nothing', () => ({}), ALL],
    ['types', () => ({ types: ['m.room.message'] }), ['root', 'bob', 'image', 'reply']],
    ['types with a star', () => ({ types: ['m.reac*', 'org.*.state'] }), ['reaction', 'state']],
    ['no types', () => ({ types: [] }), NOTHING],
    ['not_types', () => ({ not_types: ['m.room.*'] }), ['reaction', 'state']],
    ['no not_types', () => ({ not_types: [] }), ALL],
    ['not_types before types', () => ({ types: ['m.reaction'], not_types: ['m.reaction'] }), NOTHING],
    ['senders', () => ({ senders: [bob.userId] }), ['bob', 'reply']],
    ['no senders', () => ({ senders: [] }), NOTHING],
    ['not_senders', () => ({ not_senders: [bob.userId] }), ['root', 'image', 'reaction', 'state']],
    ['not_senders before senders', () => ({ senders: [bob.userId], not_senders: [bob.userId] }), NOTHING],
    ['contains_url', () => ({ contains_url: true }), ['image']],
    ['contains_url: false', () => ({ contains_url: false }), ALL.filter((label) => label !== 'image')],
    ['rooms', () => ({ rooms: [roomId] }), ALL],
    ['rooms without this one', () => ({ rooms: [otherId] }), NOTHING],
    ['no rooms', () => ({ rooms: [] }), NOTHING],
    ['not_rooms', () => ({ not_rooms: [roomId] }), NOTHING],
    ['not_rooms without this one', () => ({ not_rooms: [otherId] }), ALL],
    ['not_rooms before rooms', () => ({ rooms: [roomId], not_rooms: [roomId] }), NOTHING],
    ['rel_types', () => ({ rel_types: ['m.thread'] }), ['reply']],
    ['rel_types by its older name', () => ({ 'org.matrix.msc3874.rel_types': ['m.annotation'] }), ['reaction']],
    ['not_rel_types', () => ({ not_rel_types: ['m.thread'] }), ALL.filter((label) => label !== 'reply')],
    [
      'not_rel_types by its older name',
      () => ({ 'org.matrix.msc3874.not_rel_types': ['m.thread', 'm.annotation'] }),
      ['root', 'bob', 'image', 'state'],
    ],
    ['related_by_rel_types', () => ({ related_by_rel_types: ['m.thread'] }), ['root']],
    ['no related_by_rel_types', () => ({ related_by_rel_types: [] }), NOTHING],
    ['related_by_senders', () => ({ related_by_senders: [alice.userId] }), ['bob']],
    [
      'related_by_senders and related_by_rel_types of one relation',
      () => ({ related_by_senders: [bob.userId], related_by_rel_types: ['m.thread'] }),
      ['root'],
    ],
    [
      'related_by_senders and related_by_rel_types of different relations',
      () => ({ related_by_senders: [bob.userId], related_by_rel_types: ['m.annotation'] }),
      NOTHING,
    ],
    ['limit', () => ({ limit: 2 }), ['reaction', 'state']],
    ['limit and types', () => ({ limit: 2, types: ['m.room.message'] }), ['image', 'reply']],
    ['limit: 0', () => ({ limit: 0 }), NOTHING],
    ['a field that nobody knows', () => ({ 'org.example.field': 1 }), ALL],
  ];

  for (const [name, filterOf, expected] of OF_ROOMS) {
    it(`of /sync let pass by ${name} what they should`, async () => {
      const timeline = { limit: 50, ...filterOf() };
      const first = await sync(alice, { filter: { room: { timeline } } });
      const room = first.rooms.join[roomId];
      assert.deepEqual(labels(room.timeline.events), expected);
      // What the timeline leaves out of the state stands in the state.
      const isState = (event: ClientEvent) => event.content.label === 'state';
      assert.equal([...room.timeline.events, ...room.state.events].filter(isState).length, 1);
    });

    it(`of /messages let pass by ${name} what they should`, async () => {
      const text = encodeURIComponent(JSON.stringify({ limit: 50, ...filterOf() }));
      const page = await ok(alice, 'GET', `/rooms/${roomId}/messages?dir=b&filter=${text}`);
      assert.deepEqual(labels(page.chunk).reverse(), expected);
      const forwards = await ok(alice, 'GET', `/rooms/${roomId}/messages?dir=f&limit=50&filter=${text}`);
      if (!name.startsWith('limit')) assert.deepEqual(labels(forwards.chunk), expected);
    });
  }

  const typesOf = (section: { events: readonly ClientEvent[] } | undefined) =>
    (section?.events ?? [])
      .map((event) => event.type)
      .filter((type) => type !== 'm.push_rules')
      .sort();
  const roomOf = (answer: AnswerBody): AnswerBody => answer.rooms?.join?.[roomId];
  const ONE = 'org.example.one';
  const TWO = 'org.example.two';
  const labelsOfState = (answer: AnswerBody) => labels(roomOf(answer).state.events);
  /** Without a timeline, the state is whole. */
  const withState = (state: object) => ({ room: { timeline: { types: [] }, state } });

  const OF_SYNC: readonly (readonly [string, () => object, (answer: AnswerBody) => unknown, () => unknown])[] = [
    ['account_data.types', () => ({ account_data: { types: [ONE] } }), (a) => typesOf(a.account_data), () => [ONE]],
    [
      'account_data.not_types',
      () => ({ account_data: { not_types: ['*one'] } }),
      (a) => typesOf(a.account_data),
      () => [TWO],
    ],
    [
      'room.account_data.types',
      () => ({ room: { account_data: { types: [TWO] } } }),
      (a) => typesOf(roomOf(a).account_data),
      () => [TWO],
    ],
    [
      'room.account_data.not_rooms',
      () => ({ room: { account_data: { not_rooms: [roomId] } } }),
      (a) => typesOf(roomOf(a).account_data),
      () => [],
    ],
    [
      'room.ephemeral.types',
      () => ({ room: { ephemeral: { types: ['m.typing'] } } }),
      (a) => typesOf(roomOf(a).ephemeral),
      () => ['m.typing'],
    ],
    [
      'room.ephemeral.not_types',
      () => ({ room: { ephemeral: { not_types: ['m.typing'] } } }),
      (a) => typesOf(roomOf(a).ephemeral),
      () => ['m.receipt'],
    ],
    [
      'room.ephemeral.rooms',
      () => ({ room: { ephemeral: { rooms: [otherId] } } }),
      (a) => typesOf(roomOf(a).ephemeral),
      () => [],
    ],
    ['presence.senders', () => ({ presence: { senders: [bob.userId] } }), sendersOfPresence, () => [bob.userId]],
    [
      'presence.not_senders',
      () => ({ presence: { not_senders: [bob.userId] } }),
      sendersOfPresence,
      () => [alice.userId],
    ],
    ['presence.types', () => ({ presence: { types: [] } }), sendersOfPresence, () => []],
    ['presence.limit', () => ({ presence: { limit: 1 } }), (a) => sendersOfPresence(a).length, () => 1],
    ['room.state.types', () => withState({ types: ['org.example.*'] }), labelsOfState, () => ['state']],
    ['room.state.not_types', () => withState({ not_types: ['org.example.*'] }), labelsOfState, () => []],
    ['room.state.senders', () => withState({ senders: [bob.userId] }), labelsOfState, () => []],
    ['room.state.not_senders', () => withState({ not_senders: [bob.userId] }), labelsOfState, () => ['state']],
    ['room.state.rooms', () => withState({ rooms: [otherId] }), labelsOfState, () => []],
    ['room.state.not_rooms', () => withState({ not_rooms: [otherId] }), labelsOfState, () => ['state']],
    ['room.state.contains_url', () => withState({ contains_url: true }), labelsOfState, () => []],
    [
      'room.state.related_by_rel_types',
      () => withState({ related_by_rel_types: ['m.thread'] }),
      labelsOfState,
      () => [],
    ],
    [
      'room.state.lazy_load_members',
      () => ({ room: { timeline: { limit: 1 }, state: { lazy_load_members: true } } }),
      (a) => keysOf(roomOf(a).state.events).filter((key) => key.startsWith('m.room.member')),
      // The summary names the room after its other member.
      () => [`m.room.member|${alice.userId}`, `m.room.member|${bob.userId}`],
    ],
    ['room.rooms', () => ({ room: { rooms: [roomId] } }), (a) => Object.keys(a.rooms.join), () => [roomId]],
    ['room.not_rooms', () => ({ room: { not_rooms: [roomId] } }), (a) => Object.keys(a.rooms.join), () => [otherId]],
    [
      'room.include_leave',
      () => ({ room: { include_leave: true } }),
      (a) => Object.keys(a.rooms.leave),
      () => [leftId],
    ],
    ['room.include_leave: false', () => ({ room: {} }), (a) => a.rooms.leave, () => undefined],
    [
      'room.timeline.unread_thread_notifications',
      () => ({ room: { timeline: { unread_thread_notifications: true } } }),
      (a) => Object.values(roomOf(a).unread_thread_notifications),
      () => [{ notification_count: 1, highlight_count: 0 }],
    ],
    [
      'room.timeline.unread_thread_notifications: false',
      () => ({ room: {} }),
      (a) => ['unread_thread_notifications' in roomOf(a), roomOf(a).unread_notifications.notification_count],
      () => [false, 1],
    ],
    [
      'event_fields',
      () => ({ event_fields: ['content.label'], room: { timeline: { limit: 1 } } }),
      (a) => roomOf(a).timeline.events,
      () => [{ content: { label: 'state' } }],
    ],
    [
      'event_format',
      () => ({ event_format: 'federation', room: { timeline: { limit: 1 } } }),
      (a) => Object.keys(roomOf(a).timeline.events[0]).includes('prev_events'),
      () => true,
    ],
  ];

  for (const [name, filterOf, pick, expected] of OF_SYNC) {
    it(`of /sync let pass by ${name} what they should, inline and stored`, async () => {
      const filter = filterOf();
      assert.deepEqual(pick(await sync(alice, { filter })), expected());
      const { filter_id: id } = await ok(alice, 'POST', `/user/${alice.userId}/filter`, filter);
      assert.deepEqual(pick(await ok(alice, 'GET', `/sync?filter=${id}`)), expected());
    });
  }

  it('with limit 0 leave a timeline that is known to be cut, from which one can page back', async () => {
    const filter = { room: { timeline: { limit: 0 } } };
    const first = await sync(alice, { filter });
    const { timeline, state } = roomOf(first);
    assert.deepEqual([timeline.events, timeline.limited], [[], true]);
    assert.deepEqual(labels(state.events), ['state']);
    const page = await ok(alice, 'GET', `/rooms/${roomId}/messages?dir=b&limit=2&from=${timeline.prev_batch}`);
    assert.deepEqual(labels(page.chunk), ['state', 'reaction']);
    await say(alice, roomId, '', { label: 'later' });
    const next = await sync(alice, { filter, since: first.next_batch });
    assert.deepEqual([roomOf(next).timeline.events, roomOf(next).timeline.limited], [[], true]);
    const newer = await ok(
      alice,
      'GET',
      `/rooms/${roomId}/messages?dir=b&limit=1&from=${roomOf(next).timeline.prev_batch}`,
    );
    assert.deepEqual(labels(newer.chunk), ['later']);
  });

  it('with include_redundant_members tell members again that a lazily loading client knows', async () => {
    const lazy = (redundant: boolean) => ({
      room: { timeline: { limit: 1 }, state: { lazy_load_members: true, include_redundant_members: redundant } },
    });
    for (const redundant of [false, true]) {
      const first = await sync(alice, { filter: lazy(redundant) });
      await say(bob, roomId, 'again');
      const next = await sync(alice, { filter: lazy(redundant), since: first.next_batch });
      const members = keysOf(roomOf(next).state.events).includes(`m.room.member|${bob.userId}`);
      assert.equal(members, redundant);
    }
  });

  it('that are no filters are refused, and the field is named', async () => {
    for (const [filter, field] of [
      [{ room: { timeline: { limit: -1 } } }, 'room.timeline.limit'],
      [{ room: { timeline: { types: 'x' } } }, 'room.timeline.types'],
      [{ room: { rooms: ['#x:y'] } }, 'room.rooms'],
      [{ presence: { senders: [5] } }, 'presence.senders'],
      [{ event_fields: 'content' }, 'event_fields'],
    ] as const) {
      const target = `/_matrix/client/v3/sync?filter=${encodeURIComponent(JSON.stringify(filter))}`;
      const answer = await alice.request('GET', target);
      assert.equal(answer.status, 400, field);
      assert(String(answer.body.error).includes(field), answer.body.error);
    }
  });
});
