import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MatrixError } from '../../protocol/errors.ts';
import { parseEventId, type UserId } from '../../protocol/ids/index.ts';
import type { JsonObject } from '../../protocol/json/index.ts';
import { Hub } from '../../streams/index.ts';
import { forEachDatabase } from '../../testing/databases.ts';
import { testUser } from '../../testing/room-builder.ts';
import { type StoredRoom, StoredRooms } from '../../testing/stored-room.ts';
import type { StoredEvent } from '../store/index.ts';
import { receiptContent } from './receipt-content.ts';
import { Receipts } from './receipts.ts';
import { UnreadCounts } from './unread-counts.ts';

const clock = { now: () => 1_700_000_500_000 };
const bob = testUser('bob');
const carol = testUser('carol');
const refused = (errcode: string) => (error: unknown) => error instanceof MatrixError && error.errcode === errcode;

forEachDatabase((_, open) => {
  async function setUp() {
    const rooms = await StoredRooms.open(open, clock);
    const room = await rooms.createRoom();
    await room.store(room.builder.join('bob'));
    const hub = new Hub();
    const kept = new Map<string, JsonObject>();
    const accountData = {
      find: async (userId: UserId) => (kept.has(userId) ? JSON.stringify(kept.get(userId)) : undefined),
      set: async (_tx: unknown, userId: UserId, _room: unknown, _type: string, content: JsonObject) => {
        kept.set(userId, content);
        return 1;
      },
    };
    const { database, reading } = rooms;
    const unread = new UnreadCounts({ states: reading.states });
    const receipts = new Receipts({ database, clock, hub, events: reading.events, unread, accountData });
    return { rooms, room, receipts, hub, kept };
  }

  const receiptOf = (room: StoredRoom, stored: StoredEvent, threadId?: string) => ({
    roomId: room.builder.roomId,
    userId: bob,
    type: 'm.read' as const,
    eventId: stored.event.eventId,
    threadId,
  });

  it('go forwards only, and wake the room when they do', async () => {
    const { rooms, room, receipts, hub } = await setUp();
    const first = await room.send('alice', 'first');
    const second = await room.send('alice', 'second');
    const news: unknown[] = [];
    hub.listen(`room:${room.builder.roomId}`, (payload) => news.push(payload));
    const since = (after: number) =>
      rooms.database.read(async (tx) => {
        const upTo = rooms.database.positions.current('receipts');
        return (await receipts.since(tx, { roomNids: [room.roomNid], after, upTo }, carol)).get(room.roomNid);
      });
    await receipts.set(receiptOf(room, second));
    await receipts.set(receiptOf(room, first));
    await receipts.set(receiptOf(room, second));
    const expected = { [second.event.eventId]: { 'm.read': { [bob]: { ts: clock.now() } } } };
    assert.deepEqual(await since(0), expected);
    assert.equal(await since(1), undefined);
    assert.deepEqual(news, [{ stream: 'receipts', position: 1 }]);
  });

  it('are refused for events that are not in the room, and for users who are not', async () => {
    const { rooms, room, receipts } = await setUp();
    const stored = await room.send('alice', 'Hi');
    const other = await rooms.createRoom({ creator: 'bob' });
    const elsewhere = await other.send('bob', 'elsewhere');
    const missing = parseEventId('$missing');
    assert.ok(missing);
    await assert.rejects(receipts.set({ ...receiptOf(room, stored), eventId: missing }), refused('M_NOT_FOUND'));
    await assert.rejects(receipts.set(receiptOf(room, elsewhere)), refused('M_NOT_FOUND'));
    await assert.rejects(receipts.set({ ...receiptOf(room, stored), userId: carol }), refused('M_FORBIDDEN'));
  });

  it('for a thread stand at an event of the thread', async () => {
    const { room, receipts } = await setUp();
    const root = await room.send('alice', 'root');
    const threadRoot = root.event.eventId;
    const reply = await room.send('alice', 'reply', { threadRoot });
    const outside = await room.send('alice', 'outside');
    await receipts.set(receiptOf(room, root, 'main'));
    await receipts.set(receiptOf(room, root, threadRoot));
    await receipts.set(receiptOf(room, reply, threadRoot));
    await assert.rejects(receipts.set(receiptOf(room, reply, 'main')), refused('M_INVALID_PARAM'));
    await assert.rejects(receipts.set(receiptOf(room, outside, threadRoot)), refused('M_INVALID_PARAM'));
  });

  it('move the fully-read marker forwards only, and only to events of the room', async () => {
    const { room, receipts, kept } = await setUp();
    const first = await room.send('alice', 'first');
    const second = await room.send('alice', 'second');
    await receipts.setFullyRead(receiptOf(room, first));
    assert.deepEqual(kept.get(bob), { event_id: first.event.eventId });
    await receipts.setFullyRead(receiptOf(room, second));
    await receipts.setFullyRead(receiptOf(room, first));
    assert.deepEqual(kept.get(bob), { event_id: second.event.eventId });
    const missing = parseEventId('$missing');
    assert.ok(missing);
    await assert.rejects(
      receipts.setFullyRead({ ...receiptOf(room, first), eventId: missing }),
      refused('M_NOT_FOUND'),
    );
  });
});

describe('the content of m.receipt', () => {
  const eventId = parseEventId('$event');
  assert.ok(eventId);
  const row = {
    room_nid: 1,
    user_id: bob,
    type: 'm.read',
    thread_id: '',
    event_id: eventId,
    event_position: 1,
    ts: 5,
    position: 1,
  };

  it('holds private receipts for their own user only', () => {
    const rows = [{ ...row, type: 'm.read.private' }];
    assert.equal(receiptContent(rows, carol), undefined);
    assert.deepEqual(receiptContent(rows, bob), { $event: { 'm.read.private': { [bob]: { ts: 5 } } } });
  });

  it('names the thread of threaded receipts, of several on one event the unthreaded one', () => {
    const threaded = { ...row, thread_id: 'main' };
    assert.deepEqual(receiptContent([threaded], carol), {
      $event: { 'm.read': { [bob]: { ts: 5, thread_id: 'main' } } },
    });
    for (const rows of [
      [row, threaded],
      [threaded, row],
    ]) {
      assert.deepEqual(receiptContent(rows, carol), { $event: { 'm.read': { [bob]: { ts: 5 } } } });
    }
  });
});
