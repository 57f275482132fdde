import assert from 'node:assert/strict';
import { it } from 'node:test';
import { MatrixError } from '../../protocol/errors.ts';
import { isBadFilter, parseRoomEventFilter } from '../../protocol/filter/index.ts';
import type { UserId } from '../../protocol/ids/index.ts';
import { encodeTimelineToken } from '../../streams/index.ts';
import { forEachDatabase } from '../../testing/databases.ts';
import { testUser } from '../../testing/room-builder.ts';
import { StoredRooms } from '../../testing/stored-room.ts';
import { RoomReads } from './room-reads.ts';
import { Summaries } from './summary.ts';

const clock = { now: () => 1_700_000_500_000 };
const alice = testUser('alice');
const bob = testUser('bob');
const carol = testUser('carol');

const as = (userId: UserId) => ({ userId, deviceId: undefined });
const refused = (errcode: string) => (error: unknown) => error instanceof MatrixError && error.errcode === errcode;
const idsOf = (events: { event_id: string }[]) => events.map((event) => event.event_id);

forEachDatabase((_, open) => {
  async function setUp() {
    const rooms = await StoredRooms.open(open, clock);
    const room = await rooms.createRoom();
    return { rooms, room, reads: new RoomReads(rooms.reading), roomId: room.builder.roomId };
  }

  it('puts an event between what stood before and after it, with tokens to go on', async () => {
    const { room, reads, roomId } = await setUp();
    const sent: string[] = [];
    for (let index = 0; index < 9; index++) sent.push((await room.send('alice', `${index}`)).event.eventId);
    const around = async (eventIndex: number, limit: number) => {
      const [stored] = await room.eventsById([sent[eventIndex] ?? '']);
      assert.ok(stored);
      const request = { roomId, eventId: stored.event.eventId, viewer: as(alice), limit, filter: undefined };
      return JSON.parse(await reads.context(request));
    };
    const context = await around(4, 5);
    assert.deepEqual(idsOf(context.events_before), [sent[3], sent[2]]);
    assert.equal(context.event.event_id, sent[4]);
    assert.deepEqual(idsOf(context.events_after), [sent[5], sent[6], sent[7]]);
    assert.equal(context.state.length, 4);
    const page = { roomId, viewer: as(alice), to: undefined, limit: 2, filter: undefined } as const;
    const before = JSON.parse(await reads.timeline({ ...page, dir: 'b', from: context.start }));
    assert.deepEqual(idsOf(before.chunk), [sent[1], sent[0]]);
    const after = JSON.parse(await reads.timeline({ ...page, dir: 'f', from: context.end }));
    assert.deepEqual(idsOf(after.chunk), [sent[8]]);
    const alone = await around(4, 0);
    assert.deepEqual([alone.events_before, alone.events_after], [[], []]);
  });

  it('gives with a context the state at its last event, of lazily loaded members the senders', async () => {
    const { room, reads, roomId } = await setUp();
    await room.store(room.builder.join('bob'));
    const before = await room.setState('alice', 'm.room.topic', { topic: 'Then' });
    await room.setState('alice', 'm.room.topic', { topic: 'Now' });
    const filter = parseRoomEventFilter({ lazy_load_members: true });
    assert.ok(!isBadFilter(filter));
    const request = { roomId, eventId: before.event.eventId, viewer: as(alice), limit: 0, filter };
    const { state } = JSON.parse(await reads.context(request));
    const topic = state.find((event: { type: string }) => event.type === 'm.room.topic');
    assert.equal(topic.content.topic, 'Then');
    const members = state.filter((event: { type: string }) => event.type === 'm.room.member');
    assert.deepEqual(
      members.map((event: { state_key: string }) => event.state_key),
      [alice],
    );
  });

  it('shows an event only to those who may see it, and only in its room', async () => {
    const { rooms, room, reads, roomId } = await setUp();
    await room.setVisibility('joined');
    const hidden = await room.send('alice', 'hidden');
    await room.store(room.builder.join('bob'));
    const { eventId } = hidden.event;
    assert.equal(JSON.parse(await reads.event({ roomId, eventId, viewer: as(alice) })).event_id, eventId);
    await assert.rejects(reads.event({ roomId, eventId, viewer: as(bob) }), refused('M_NOT_FOUND'));
    await assert.rejects(reads.event({ roomId, eventId, viewer: as(carol) }), refused('M_NOT_FOUND'));
    const other = await rooms.createRoom({ creator: 'bob' });
    const elsewhere = { roomId: other.builder.roomId, eventId, viewer: as(bob) };
    await assert.rejects(reads.event(elsewhere), refused('M_NOT_FOUND'));
  });

  it('gives those who left the state in which they left', async () => {
    const { room, reads, roomId } = await setUp();
    await room.setState('alice', 'm.room.topic', { topic: 'Then' });
    await room.store(room.builder.join('bob'));
    await room.store(room.builder.leave('bob'));
    await room.setState('alice', 'm.room.topic', { topic: 'Now' });
    await room.store(room.builder.join('carol'));
    const topic = { roomId, type: 'm.room.topic', stateKey: '', format: 'content' } as const;
    assert.equal(await reads.stateEvent({ ...topic, viewer: as(alice) }), '{"topic":"Now"}');
    assert.equal(await reads.stateEvent({ ...topic, viewer: as(bob) }), '{"topic":"Then"}');
    const own = { roomId, type: 'm.room.member', stateKey: bob, format: 'event', viewer: as(bob) } as const;
    assert.equal(JSON.parse(await reads.stateEvent(own)).content.membership, 'leave');
    const state = JSON.parse(await reads.state({ roomId, viewer: as(bob) }));
    assert.equal(state.length, 6);
    const members = { roomId, at: undefined, membership: undefined, notMembership: undefined };
    assert.equal(JSON.parse(await reads.members({ ...members, viewer: as(bob) })).chunk.length, 2);
    assert.equal(JSON.parse(await reads.members({ ...members, viewer: as(alice) })).chunk.length, 3);
    await assert.rejects(reads.state({ roomId, viewer: as(testUser('dave')) }), refused('M_FORBIDDEN'));
    await assert.rejects(reads.stateEvent({ ...topic, type: 'x', viewer: as(alice) }), refused('M_NOT_FOUND'));
    await assert.rejects(reads.joinedMembers({ roomId, userId: bob }), refused('M_FORBIDDEN'));
  });

  it('lists members by membership and at an earlier place', async () => {
    const { room, reads, roomId } = await setUp();
    const join = await room.store(room.builder.join('bob'));
    await room.store(room.builder.invite('alice', 'carol'));
    await room.store(room.builder.ban('alice', 'bob'));
    const list = async (options: { at?: string; membership?: 'ban' | 'invite'; notMembership?: 'join' }) => {
      const { at, membership, notMembership } = options;
      const json = await reads.members({ roomId, viewer: as(alice), at, membership, notMembership });
      return JSON.parse(json).chunk.map((event: { state_key: string }) => event.state_key);
    };
    assert.deepEqual(await list({}), [alice, carol, bob]);
    assert.deepEqual(await list({ membership: 'ban' }), [bob]);
    assert.deepEqual(await list({ notMembership: 'join' }), [carol, bob]);
    assert.deepEqual(await list({ membership: 'invite', notMembership: 'join' }), [carol, bob]);
    assert.deepEqual(await list({ at: encodeTimelineToken(join.position) }), [alice, bob]);
  });

  it('lists the joined members anew when their profiles change or are redacted', async () => {
    const { room, reads, roomId } = await setUp();
    const joined = async () => JSON.parse(await reads.joinedMembers({ roomId, userId: alice })).joined;
    const join = await room.store(room.builder.join('bob', { displayname: 'Bob "B"', avatar_url: 'mxc://a/b' }));
    assert.deepEqual(await joined(), { [alice]: {}, [bob]: { display_name: 'Bob "B"', avatar_url: 'mxc://a/b' } });
    assert.deepEqual(await joined(), { [alice]: {}, [bob]: { display_name: 'Bob "B"', avatar_url: 'mxc://a/b' } });
    await room.redact(join);
    assert.deepEqual(await joined(), { [alice]: {}, [bob]: {} });
    await room.store(room.builder.leave('bob'));
    assert.deepEqual(await joined(), { [alice]: {} });
  });

  it('finds the event nearest to a time, though clocks differ a little', async () => {
    const { room, reads, roomId } = await setUp();
    const at = async (ts: number) =>
      room.store(room.builder.add({ type: 'm.room.message', sender: 'alice', originServerTs: ts }));
    const start = 1_800_000_000_000;
    const first = await at(start);
    const late = await at(start + 5_000);
    const early = await at(start + 3_000);
    const last = await at(start + 9_000);
    const nearest = async (ts: number, dir: 'b' | 'f', userId = alice) =>
      (await reads.eventByTimestamp({ roomId, viewer: as(userId), ts, dir })).eventId;
    assert.equal(await nearest(start, 'f'), first.event.eventId);
    assert.equal(await nearest(start, 'b'), first.event.eventId);
    assert.equal(await nearest(start + 1, 'f'), early.event.eventId);
    assert.equal(await nearest(start + 4_000, 'f'), late.event.eventId);
    assert.equal(await nearest(start + 8_000, 'b'), late.event.eventId);
    assert.equal(await nearest(start + 99_000, 'b'), last.event.eventId);
    await assert.rejects(nearest(start + 99_000, 'f'), refused('M_NOT_FOUND'));
    await assert.rejects(nearest(1, 'b'), refused('M_NOT_FOUND'));
    await assert.rejects(nearest(start, 'f', bob), refused('M_FORBIDDEN'));
  });

  it('names up to five others as heroes, those who left only where nobody else is there', async () => {
    const { rooms, room } = await setUp();
    const summaries = new Summaries();
    const heroes = (userId: UserId) =>
      rooms.database.read(
        async (tx) => (await summaries.summariesOf(tx, [room.roomNid], userId)).get(room.roomNid)?.heroes,
      );
    assert.deepEqual(await heroes(alice), []);
    await room.store(room.builder.join('bob'));
    await room.store(room.builder.leave('bob'));
    assert.deepEqual(await heroes(alice), [bob]);
    for (const name of ['c', 'd', 'e', 'f', 'g', 'h']) await room.store(room.builder.join(name));
    await room.store(room.builder.invite('alice', 'i'));
    assert.deepEqual(await heroes(alice), ['c', 'd', 'e', 'f', 'g'].map(testUser));
    assert.deepEqual(await heroes(testUser('d')), ['alice', 'c', 'e', 'f', 'g'].map(testUser));
  });

  it('pages through the directory in both directions while rooms are counted anew', async () => {
    const { rooms, reads } = await setUp();
    for (let index = 0; index < 12; index++) {
      const room = await rooms.createRoom(
        { creator: `u${index}` },
        { name: `Room ${index}`, room_type: index % 3 ? null : 'm.space' },
      );
      await rooms.database.write('main', async (tx) => {
        const values = { is_public: 1, joined_count: Math.floor(index / 2) };
        await tx.db.updateTable('rooms').set(values).where('room_nid', '=', room.roomNid).execute();
      });
    }
    const list = (since: string | undefined, limit = 5) =>
      reads.publicRooms({ limit, since, searchTerm: undefined, roomTypes: undefined });
    const names = (page: { chunk: readonly { name?: string }[] }) =>
      page.chunk.map(({ name }) => name?.slice(5)).join(' ');
    const first = await list(undefined);
    assert.equal(names(first), '10 11 8 9 6');
    assert.equal(first.prev_batch, undefined);
    assert.equal(first.total_room_count_estimate, 12);
    const second = await list(first.next_batch);
    assert.equal(names(second), '7 4 5 2 3');
    const third = await list(second.next_batch);
    assert.equal(names(third), '0 1');
    assert.equal(third.next_batch, undefined);
    assert.equal(names(await list(third.prev_batch)), '7 4 5 2 3');
    const start = await list((await list(third.prev_batch)).prev_batch);
    assert.equal(names(start), names(first));
    assert.equal(start.prev_batch, undefined);
    const search = { limit: 10, since: undefined };
    const found = await reads.publicRooms({ ...search, searchTerm: 'ROOM 1', roomTypes: undefined });
    assert.equal(names(found), '10 11 1');
    const spaces = await reads.publicRooms({ ...search, searchTerm: undefined, roomTypes: new Set(['m.space']) });
    assert.equal(names(spaces), '9 6 3 0');
    const untyped = await reads.publicRooms({ ...search, searchTerm: '1', roomTypes: new Set([null]) });
    assert.equal(names(untyped), '10 11 1');
    await assert.rejects(list('p'), refused('M_INVALID_PARAM'));
  });
});
