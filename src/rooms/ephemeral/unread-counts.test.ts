import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import type { EventId, UserId } from '../../protocol/ids/index.ts';
import { Hub } from '../../streams/index.ts';
import { forEachDatabase } from '../../testing/databases.ts';
import { testUser } from '../../testing/room-builder.ts';
import { type StoredRoom, StoredRooms, type StoreOptions } from '../../testing/stored-room.ts';
import type { StoredEvent } from '../store/index.ts';
import { Receipts } from './receipts.ts';
import { UnreadCounts } from './unread-counts.ts';
import { sumOf } from './unread-fold.ts';

const clock = { now: () => 1_700_000_500_000 };
const alice = testUser('alice');
const bob = testUser('bob');
const carol = testUser('carol');
const accountData = { find: async () => undefined, set: async () => 0 };

/** A room with alice and bob, and what counts for bob in it. */
async function setUp(open: Parameters<typeof StoredRooms.open>[0]) {
  const rooms = await StoredRooms.open(open, clock);
  const room = await rooms.createRoom();
  await room.send('alice', 'before bob', { unread: 1 });
  await room.store(room.builder.join('bob'));
  await room.store(room.builder.join('carol'));
  const unread = new UnreadCounts({ states: rooms.reading.states });
  const { database, reading } = rooms;
  const receipts = new Receipts({ database, clock, hub: new Hub(), events: reading.events, unread, accountData });
  return { rooms, room, unread, receipts };
}

async function countWith(
  rooms: StoredRooms,
  unread: UnreadCounts,
  room: StoredRoom,
  ignored: ReadonlySet<UserId> = new Set(),
) {
  const { positions } = rooms.database;
  const upTo = positions.current('events');
  const receiptsUpTo = positions.current('receipts');
  const request = { userId: bob, roomNids: [room.roomNid], ignored, upTo, receiptsUpTo };
  const counts = (await rooms.database.read((tx) => unread.count(tx, request))).get(room.roomNid);
  assert.ok(counts);
  const threads = Object.fromEntries([...counts.threads].filter(([, { notification }]) => notification > 0));
  return { main: counts.main, threads };
}

const counts = (notification: number, highlight = 0) => ({ notification, highlight });

forEachDatabase((_, open) => {
  it('counts what notifies since the user joined, and nothing that others must not be told of', async () => {
    const { rooms, room, unread } = await setUp(open);
    const now = () => countWith(rooms, unread, room);
    assert.deepEqual(await now(), { main: counts(0), threads: {} });
    await room.send('alice', 'one', { unread: 1 });
    await room.send('alice', 'silent', { unread: 0 });
    await room.send('alice', '@room', { unread: 2 });
    const forCarol = [{ userId: carol, notify: true, highlight: true }];
    await room.send('alice', 'carol', { unread: 1, notifications: forCarol });
    assert.deepEqual(await now(), { main: counts(3, 1), threads: {} });
    const forBob = (notify: boolean, highlight: boolean) => [{ userId: bob, notify, highlight }];
    await room.send('alice', 'bob', { unread: 1, notifications: forBob(true, true) });
    await room.send('alice', 'muted', { unread: 1, notifications: forBob(false, false) });
    await room.send('alice', 'keyword', { unread: 0, notifications: forBob(true, false) });
    assert.deepEqual(await now(), { main: counts(5, 2), threads: {} });
    assert.deepEqual(await countWith(rooms, new UnreadCounts({ states: rooms.reading.states }), room), await now());
  });

  it('is cleared by receipts of either type, never by an older one', async () => {
    const { rooms, room, unread, receipts } = await setUp(open);
    const sent: StoredEvent[] = [];
    for (let index = 0; index < 4; index++) sent.push(await room.send('alice', `${index}`, { unread: 1 }));
    const read = async (type: 'm.read' | 'm.read.private', index: number) => {
      const eventId = sent[index]?.event.eventId;
      assert.ok(eventId);
      await receipts.set({ roomId: room.builder.roomId, userId: bob, type, eventId, threadId: undefined });
      return (await countWith(rooms, unread, room)).main.notification;
    };
    assert.equal((await countWith(rooms, unread, room)).main.notification, 4);
    assert.equal(await read('m.read', 1), 2);
    assert.equal(await read('m.read.private', 0), 2);
    assert.equal(await read('m.read.private', 2), 1);
    assert.equal(await read('m.read', 0), 1);
    assert.equal(await read('m.read', 3), 0);
  });

  it('counts threads apart, each with its own receipts', async () => {
    const { rooms, room, unread, receipts } = await setUp(open);
    const { roomId } = room.builder;
    const root = await room.send('alice', 'root', { unread: 1 });
    const threadRoot = root.event.eventId;
    const first = await room.send('alice', 'in thread', { unread: 1, threadRoot });
    await room.send('alice', 'in thread', { unread: 2, threadRoot });
    const last = await room.send('alice', 'main', { unread: 1 });
    const now = () => countWith(rooms, unread, room);
    assert.deepEqual(await now(), { main: counts(2), threads: { [threadRoot]: counts(2, 1) } });
    const receipt = { roomId, userId: bob, type: 'm.read' } as const;
    await receipts.set({ ...receipt, eventId: last.event.eventId, threadId: 'main' });
    assert.deepEqual(await now(), { main: counts(0), threads: { [threadRoot]: counts(2, 1) } });
    await receipts.set({ ...receipt, eventId: first.event.eventId, threadId: threadRoot });
    assert.deepEqual(await now(), { main: counts(0), threads: { [threadRoot]: counts(1, 1) } });
    await receipts.set({ ...receipt, eventId: last.event.eventId, threadId: undefined });
    assert.deepEqual(await now(), { main: counts(0), threads: {} });
  });

  it('takes what the user sends as read, in its thread, but not a change of profile', async () => {
    const { rooms, room, unread } = await setUp(open);
    const now = () => countWith(rooms, unread, room);
    const root = await room.send('alice', 'root', { unread: 1 });
    const threadRoot = root.event.eventId;
    await room.send('alice', 'reply', { unread: 1, threadRoot });
    await now();
    await room.store(room.builder.join('bob', { displayname: 'Robert' }));
    assert.deepEqual(await now(), { main: counts(1), threads: { [threadRoot]: counts(1) } });
    assert.deepEqual(await countWith(rooms, new UnreadCounts({ states: rooms.reading.states }), room), await now());
    await room.send('bob', 'Hi', { unread: 1 });
    assert.deepEqual(await now(), { main: counts(0), threads: { [threadRoot]: counts(1) } });
    await room.send('bob', 'me too', { unread: 1, threadRoot });
    assert.deepEqual(await now(), { main: counts(0), threads: {} });
  });

  it('begins anew with the stay of a user who comes back, also where it was counted before', async () => {
    const { rooms, room, unread } = await setUp(open);
    await room.send('alice', 'one', { unread: 1 });
    assert.deepEqual(await countWith(rooms, unread, room), { main: counts(1), threads: {} });
    await room.store(room.builder.leave('bob'));
    await room.send('alice', 'behind his back', { unread: 1 });
    await room.store(room.builder.join('bob'));
    assert.deepEqual(await countWith(rooms, unread, room), { main: counts(0), threads: {} });
    await room.send('alice', 'two', { unread: 1 });
    assert.deepEqual(await countWith(rooms, unread, room), { main: counts(1), threads: {} });
  });

  it('equals a plain model after any sequence of messages, mentions, threads, redactions, receipts and ignoring', async () => {
    const step = fc.oneof(
      fc.record({
        kind: fc.constant('send' as const),
        sender: fc.constantFrom('alice', 'carol', 'bob'),
        unread: fc.constantFrom(0 as const, 1 as const, 2 as const),
        own: fc.option(fc.record({ notify: fc.boolean(), highlight: fc.boolean() }), { nil: undefined, freq: 5 }),
        thread: fc.option(fc.nat(), { nil: undefined, freq: 2 }),
      }),
      fc.record({ kind: fc.constant('redact' as const), target: fc.nat() }),
      fc.record({
        kind: fc.constant('read' as const),
        target: fc.nat(),
        isPrivate: fc.boolean(),
        isThreaded: fc.boolean(),
      }),
      fc.record({ kind: fc.constant('ignore' as const), ignored: fc.subarray([alice, carol]) }),
    );
    const property = fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
      const { rooms, room, unread, receipts } = await setUp(open);
      const { roomId } = room.builder;
      const model: ModelEvent[] = [];
      const reads: ModelRead[] = [];
      let ignored: ReadonlySet<UserId> = new Set();
      for (const one of steps) {
        const target = 'target' in one ? model[one.target % Math.max(1, model.length)] : undefined;
        if (one.kind === 'send') {
          const roots = model.filter(({ threadRoot }) => threadRoot === undefined);
          const root = one.thread === undefined ? undefined : roots[one.thread % Math.max(1, roots.length)];
          const threadRoot = root?.stored.event.eventId;
          const notifications = one.own === undefined || one.sender === 'bob' ? [] : [{ userId: bob, ...one.own }];
          const options: StoreOptions = { unread: one.unread, notifications, ...(threadRoot && { threadRoot }) };
          const stored = await room.send(one.sender, 'x', options);
          model.push({ stored, threadRoot, unread: one.unread, own: notifications[0], isRedacted: false });
        } else if (one.kind === 'redact' && target !== undefined && !target.isRedacted) {
          await room.redact(target.stored);
          target.isRedacted = true;
        } else if (one.kind === 'read' && target !== undefined) {
          const threadId = one.isThreaded ? (target.threadRoot ?? 'main') : undefined;
          const type = one.isPrivate ? 'm.read.private' : 'm.read';
          await receipts.set({ roomId, userId: bob, type, eventId: target.stored.event.eventId, threadId });
          reads.push({ position: target.stored.position, threadId });
        } else if (one.kind === 'ignore') ignored = new Set(one.ignored);
        assert.deepEqual(await countWith(rooms, unread, room, ignored), modelCounts(model, reads, ignored));
      }
      const fresh = new UnreadCounts({ states: rooms.reading.states });
      assert.deepEqual(await countWith(rooms, fresh, room, ignored), modelCounts(model, reads, ignored));
    });
    await fc.assert(property, { numRuns: 25 });
  });

  it('sums up threads for clients that do not tell them apart', () => {
    const threads = new Map([['$a' as EventId, counts(2, 1)]]);
    assert.deepEqual(sumOf({ main: counts(1, 1), threads }), counts(3, 2));
  });
});

interface ModelEvent {
  readonly stored: StoredEvent;
  readonly threadRoot: EventId | undefined;
  readonly unread: 0 | 1 | 2;
  readonly own: { readonly notify: boolean; readonly highlight: boolean } | undefined;
  isRedacted: boolean;
}

interface ModelRead {
  readonly position: number;
  /** Undefined: the whole room. */
  readonly threadId: string | undefined;
}

/** The counts by looking at everything for every event. */
function modelCounts(events: readonly ModelEvent[], reads: readonly ModelRead[], ignored: ReadonlySet<UserId>) {
  const main = { notification: 0, highlight: 0 };
  const threads: Record<string, { notification: number; highlight: number }> = {};
  for (const { stored, threadRoot, unread, own, isRedacted } of events) {
    const { sender } = stored.event;
    const { position } = stored;
    const isOwnLater = events.some(
      (later) =>
        later.stored.position > position && later.stored.event.sender === bob && later.threadRoot === threadRoot,
    );
    const isRead = reads.some(
      (read) => read.position >= position && (read.threadId === undefined || read.threadId === (threadRoot ?? 'main')),
    );
    const notifies = own === undefined ? unread > 0 : own.notify;
    if (sender === bob || ignored.has(sender) || isRedacted || isOwnLater || isRead || !notifies) continue;
    let into = main;
    if (threadRoot !== undefined) {
      threads[threadRoot] ??= { notification: 0, highlight: 0 };
      into = threads[threadRoot] ?? main;
    }
    into.notification++;
    if (own === undefined ? unread === 2 : own.highlight) into.highlight++;
  }
  return { main, threads };
}
