import assert from 'node:assert/strict';
import { it } from 'node:test';
import { relationOf } from '../../protocol/event/index.ts';
import type { EventId, UserId } from '../../protocol/ids/index.ts';
import type { JsonObject } from '../../protocol/json/index.ts';
import type { ReadTx } from '../../storage/index.ts';
import { forEachDatabase } from '../../testing/databases.ts';
import { testUser } from '../../testing/room-builder.ts';
import { type StoredRoom, StoredRooms } from '../../testing/stored-room.ts';
import { insertRelation, type StoredEvent } from '../store/index.ts';
import { aggregate } from './aggregations.ts';
import { RoomSight } from './visibility.ts';

const clock = { now: () => 1_700_000_500_000 };
const alice = testUser('alice');
const NOBODY: ReadonlySet<UserId> = new Set();

/** An event that relates to another one, as persisting writes it. */
async function relate(
  rooms: StoredRooms,
  room: StoredRoom,
  relatesTo: EventId,
  relType: string,
  content: JsonObject = {},
  position?: number,
) {
  const relation = { rel_type: relType, event_id: relatesTo };
  const draft = { type: 'm.room.message', sender: 'alice', content: { ...content, 'm.relates_to': relation } };
  const stored = await room.store(room.builder.add(draft), position === undefined ? {} : { position });
  const { event, nid, roomNid } = stored;
  await rooms.database.write('main', async (tx) => {
    await insertRelation(tx, {
      event_nid: nid,
      room_nid: roomNid,
      relates_to: relatesTo,
      rel_type: relType,
      key: relationOf(event)?.key ?? null,
      sender: event.sender,
      type: event.type,
      position: stored.position,
      origin_server_ts: event.originServerTs,
    });
    tx.onCommit(() => rooms.reading.events.add(stored));
  });
  return stored;
}

async function aggregationsOf(rooms: StoredRooms, events: readonly StoredEvent[]) {
  const { states, events: reader } = rooms.reading;
  const queries: unknown[] = [];
  const found = await rooms.database.read(async (tx) => {
    const sight = new RoomSight(states, alice, { kind: 'joined' });
    await sight.load(tx, events);
    const counted: ReadTx = Object.create(tx, {
      run: {
        value(...args: Parameters<ReadTx['run']>) {
          queries.push(args[0]);
          return tx.run(...args);
        },
      },
    });
    return aggregate(counted, reader, events, { viewer: alice, ignored: NOBODY, sight });
  });
  return { found, queries: queries.length };
}

forEachDatabase((_, open) => {
  it('asks once whether events have children, and never again where they have none', async () => {
    const rooms = await StoredRooms.open(open, clock);
    const room = await rooms.createRoom();
    const [one, two] = [await room.send('alice', 'one'), await room.send('alice', 'two')];
    assert.equal((await aggregationsOf(rooms, [one, two])).queries, 1);
    assert.equal((await aggregationsOf(rooms, [one, two])).queries, 0);
    const reply = await relate(rooms, room, one.event.eventId, 'm.thread');
    const { found } = await aggregationsOf(rooms, [one, two]);
    assert.deepEqual([...found.keys()], [one.nid]);
    assert.deepEqual(found.get(one.nid)?.thread, { latest: reply, count: 1, participated: true });
    // A reaction is not bundled, and costs nothing.
    await relate(rooms, room, two.event.eventId, 'm.annotation');
    assert.equal((await aggregationsOf(rooms, [two])).queries, 0);
  });

  it('takes the edit of the latest time, not the one that came last', async () => {
    const rooms = await StoredRooms.open(open, clock);
    const room = await rooms.createRoom();
    const original = await room.send('alice', 'original');
    const id = original.event.eventId;
    const edits = [];
    for (const body of ['a', 'b', 'c']) {
      edits.push(await relate(rooms, room, id, 'm.replace', { 'm.new_content': { body } }));
    }
    const backfilled = await relate(rooms, room, id, 'm.replace', { 'm.new_content': { body: 'late' } }, -5);
    const latest = [...edits, backfilled].reduce((a, b) =>
      b.event.originServerTs > a.event.originServerTs ||
      (b.event.originServerTs === a.event.originServerTs && b.event.eventId > a.event.eventId)
        ? b
        : a,
    );
    const { found } = await aggregationsOf(rooms, [original]);
    assert.equal(found.get(original.nid)?.edit?.nid, latest.nid);
  });
});
