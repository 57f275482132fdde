import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { MatrixError } from '../../protocol/errors.ts';
import { isBadFilter, parseRoomEventFilter } from '../../protocol/filter/index.ts';
import type { UserId } from '../../protocol/ids/index.ts';
import type { JsonObject } from '../../protocol/json/index.ts';
import { forEachDatabase } from '../../testing/databases.ts';
import { testUser } from '../../testing/room-builder.ts';
import { type StoredRoom, StoredRooms } from '../../testing/stored-room.ts';
import { RoomReads } from './room-reads.ts';

const clock = { now: () => 1_700_000_500_000 };
const alice = testUser('alice');
const bob = testUser('bob');

interface Options {
  readonly dir: 'b' | 'f';
  readonly viewer?: UserId;
  readonly from?: string;
  readonly to?: string;
  readonly limit?: number;
  readonly filter?: JsonObject;
}

function filterOf(json: JsonObject) {
  const filter = parseRoomEventFilter(json);
  assert.ok(!isBadFilter(filter));
  return filter;
}

async function page(rooms: StoredRooms, room: StoredRoom, options: Options) {
  const { dir, viewer = alice, from, to, limit = 10, filter } = options;
  const json = await new RoomReads(rooms.reading).timeline({
    roomId: room.builder.roomId,
    viewer: { userId: viewer, deviceId: undefined },
    dir,
    from,
    to,
    limit,
    filter: filter && filterOf(filter),
  });
  return JSON.parse(json);
}

const idsOf = (events: { event_id: string }[]) => events.map((event) => event.event_id);

/** All pages one after the other, with the limits given in turn. */
async function allPages(rooms: StoredRooms, room: StoredRoom, limits: readonly number[], options: Options) {
  const ids: string[] = [];
  let from = options.from;
  for (let pages = 0; pages < 500; pages++) {
    const limit = limits[pages % limits.length] ?? 1;
    const { chunk, end } = await page(rooms, room, { ...options, limit, ...(from && { from }) });
    assert.ok(chunk.length <= limit);
    ids.push(...idsOf(chunk));
    if (end === undefined) return ids;
    from = end;
  }
  throw new Error('the timeline has no end');
}

const forbiddenError = (error: unknown) => error instanceof MatrixError && error.errcode === 'M_FORBIDDEN';

forEachDatabase((_, open) => {
  it('gives the same events in pages of any size, forwards and backwards, without doubles and holes', async () => {
    const rooms = await StoredRooms.open(open, clock);
    const room = await rooms.createRoom();
    const other = await rooms.createRoom({ creator: 'zoe' });
    const sent: string[] = [];
    await room.store(room.builder.join('bob'));
    for (let index = 0; index < 60; index++) {
      sent.push((await room.send(index % 3 === 0 ? 'bob' : 'alice', `${index}`)).event.eventId);
      // What happens elsewhere makes holes in the positions.
      if (index % 4 === 0) await other.send('zoe', 'elsewhere');
    }
    const whole = idsOf((await page(rooms, room, { dir: 'f', limit: 1000 })).chunk);
    assert.deepEqual(whole.slice(-60), sent);
    const limits = fc.array(fc.integer({ min: 1, max: 25 }), { minLength: 1, maxLength: 5 });
    const filters: (JsonObject | undefined)[] = [
      undefined,
      { senders: [bob] },
      { not_types: ['m.room.message'] },
      { types: ['m.room.m*'], not_senders: [bob] },
    ];
    const property = fc.asyncProperty(limits, fc.constantFrom(...filters), async (sizes, filter) => {
      const expected = idsOf((await page(rooms, room, { dir: 'f', limit: 1000, ...(filter && { filter }) })).chunk);
      const options = filter === undefined ? {} : { filter };
      assert.deepEqual(await allPages(rooms, room, sizes, { dir: 'f', ...options }), expected);
      assert.deepEqual(await allPages(rooms, room, sizes, { dir: 'b', ...options }), expected.toReversed());
    });
    await fc.assert(property, { numRuns: 25 });
  });

  it('goes back the way it came: a token means the same place in both directions', async () => {
    const rooms = await StoredRooms.open(open, clock);
    const room = await rooms.createRoom();
    for (let index = 0; index < 10; index++) await room.send('alice', `${index}`);
    const back = await page(rooms, room, { dir: 'b', limit: 4 });
    const forth = await page(rooms, room, { dir: 'f', from: back.end, limit: 10 });
    assert.deepEqual(idsOf(forth.chunk), idsOf(back.chunk).toReversed());
    assert.equal('end' in forth, false);
    // The events component of a sync token is such a place too.
    const sync = back.end.replace('t', 's').concat('_1_2_3_4_5_6_7');
    assert.deepEqual(idsOf((await page(rooms, room, { dir: 'f', from: sync })).chunk), idsOf(forth.chunk));
    const between = await page(rooms, room, { dir: 'b', from: back.start, to: back.end });
    assert.deepEqual(idsOf(between.chunk), idsOf(back.chunk));
  });

  it('reads on where backfilled events lie before the ones that came first', async () => {
    const rooms = await StoredRooms.open(open, clock);
    const room = await rooms.createRoom();
    const old = await room.send('alice', 'old', { position: -5 });
    const older = await room.send('alice', 'older', { position: -9 });
    const ids = await allPages(rooms, room, [2], { dir: 'b' });
    assert.deepEqual(ids.slice(-2), [old.event.eventId, older.event.eventId]);
    assert.deepEqual((await allPages(rooms, room, [3], { dir: 'f' })).slice(0, 2), ids.slice(-2).toReversed());
  });

  it('leaves out what the viewer may not see, and reads on behind it', async () => {
    const rooms = await StoredRooms.open(open, clock);
    const room = await rooms.createRoom();
    await room.setVisibility('joined');
    for (let index = 0; index < 30; index++) await room.send('alice', `hidden ${index}`);
    const join = await room.store(room.builder.join('bob'));
    const after = await room.send('alice', 'seen');
    assert.deepEqual(idsOf((await page(rooms, room, { dir: 'f', viewer: bob, limit: 100 })).chunk).slice(-2), [
      join.event.eventId,
      after.event.eventId,
    ]);
    const ids = await allPages(rooms, room, [2], { dir: 'b', viewer: bob });
    assert.deepEqual(ids.slice(0, 2), [after.event.eventId, join.event.eventId]);
    // Before `joined` was set, the room was shared.
    assert.equal(ids.length, 2 + 1 + 4);
  });

  it('ends for those who left where they left, and is closed to strangers', async () => {
    const rooms = await StoredRooms.open(open, clock);
    const room = await rooms.createRoom();
    await room.store(room.builder.join('bob'));
    const leave = await room.store(room.builder.leave('bob'));
    await room.send('alice', 'later');
    const { chunk } = await page(rooms, room, { dir: 'b', viewer: bob, limit: 1 });
    assert.deepEqual(idsOf(chunk), [leave.event.eventId]);
    await assert.rejects(page(rooms, room, { dir: 'b', viewer: testUser('carol') }), forbiddenError);
    await rooms.database.write('main', async (tx) => {
      await tx.db.updateTable('memberships').set({ forgotten: 1 }).where('user_id', '=', bob).execute();
    });
    await assert.rejects(page(rooms, room, { dir: 'b', viewer: bob }), forbiddenError);
  });

  it('is open to strangers where the world may read it', async () => {
    const rooms = await StoredRooms.open(open, clock);
    const room = await rooms.createRoom();
    const hidden = await room.send('alice', 'hidden');
    await room.setVisibility('world_readable');
    const open_ = await room.send('alice', 'open');
    const ids = idsOf((await page(rooms, room, { dir: 'b', viewer: testUser('carol') })).chunk);
    assert.equal(ids[0], open_.event.eventId);
    assert.equal(ids.includes(hidden.event.eventId), false);
  });

  it('shows no messages of ignored users, but their state events', async () => {
    const rooms = await StoredRooms.open(open, clock);
    const room = await rooms.createRoom();
    const join = await room.store(room.builder.join('bob'));
    await room.send('bob', 'spam');
    rooms.ignored.set(alice, new Set([bob]));
    const ids = idsOf((await page(rooms, room, { dir: 'b', limit: 1 })).chunk);
    assert.deepEqual(ids, [join.event.eventId]);
  });

  it('adds the senders’ member events where members are loaded lazily', async () => {
    const rooms = await StoredRooms.open(open, clock);
    const room = await rooms.createRoom();
    await room.store(room.builder.join('bob', { displayname: 'Bob' }));
    await room.store(room.builder.join('carol'));
    await room.send('bob', 'Hi');
    await room.store(room.builder.join('bob', { displayname: 'Robert' }));
    await room.send('bob', 'Hi again');
    const filter = { lazy_load_members: true, types: ['m.room.message'] };
    const { state } = await page(rooms, room, { dir: 'b', filter });
    assert.deepEqual(
      state.map((event: JsonObject) => [event.state_key, event.content]),
      [[bob, { displayname: 'Robert', membership: 'join' }]],
    );
    assert.equal('state' in (await page(rooms, room, { dir: 'b' })), false);
  });

  it('refuses tokens that are none', async () => {
    const rooms = await StoredRooms.open(open, clock);
    const room = await rooms.createRoom();
    for (const from of ['', 'x1', 't', 't1.5', 's', 's1_x', 't99999999999999999']) {
      await assert.rejects(page(rooms, room, { dir: 'b', from }), /token/);
    }
  });
});
