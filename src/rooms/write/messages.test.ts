import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { EventId } from '../../protocol/ids/index.ts';
import { defaultPushRules, NO_ADDED_RULES } from '../../protocol/push/index.ts';
import { forEachDatabase } from '../../testing/databases.ts';
import { UNREAD } from '../store/index.ts';
import { ALICE, BOB, CAROL, openRooms, user } from './testing.ts';
import type { JoinedUsers } from './unread.ts';

const TEXT = 'm.room.message';

forEachDatabase((_dialect, open, createConfig) => {
  async function chat(roomVersion = '12') {
    const fixture = await openRooms(open);
    const roomId = await fixture.rooms.create(ALICE, { roomVersion, preset: 'public_chat' });
    await fixture.rooms.join({ roomId, userId: BOB });
    const send = (sender = BOB, content = {}, type = TEXT, transaction?: { txnId: string }) =>
      fixture.rooms.send({
        roomId,
        sender,
        type,
        content,
        transaction: transaction && { userId: sender, deviceId: 'D', ...transaction },
      });
    return { ...fixture, roomId, send };
  }

  it('refuses a message by somebody who is not in the room', async () => {
    const { rooms, roomId, send } = await chat();
    await assert.rejects(send(CAROL), { errcode: 'M_FORBIDDEN' });
    await rooms.join({ roomId, userId: CAROL });
    await send(CAROL);
  });

  it('keeps until when an event is sticky: from when it was sent, but not from the future, and an hour at most', async () => {
    const { rooms, database, clock, roomId } = await chat();
    const now = clock.now();
    const hour = 3_600_000;
    const stick = (body: string, stickyDurationMs: number, originServerTs: number) =>
      rooms.send({ roomId, sender: BOB, type: TEXT, content: { body }, stickyDurationMs, originServerTs });
    const rest = async (eventId: EventId): Promise<number | undefined> => {
      return database.read(async (tx) => {
        const events = await rooms.events.byIds(tx, [eventId]);
        return [...(await rooms.reading.states.stickyUntil(tx, events)).values()][0];
      });
    };
    const [plain, late, early, past, long] = [
      await stick('now', 60_000, now),
      await stick('from a slow clock', 60_000, now - 20_000),
      await stick('from a fast clock', 60_000, now + 10 * hour),
      await stick('over', 60_000, now - 60_000),
      await stick('too long', 50 * hour, now),
    ];
    assert.equal(await rest(plain), now + 60_000);
    assert.equal(await rest(late), now + 40_000);
    assert.equal(await rest(early), now + 60_000);
    assert.equal(await rest(past), undefined);
    assert.equal(await rest(long), now + hour);
    clock.set(now + 50_000);
    assert.deepEqual([await rest(late), await rest(plain)], [undefined, now + 60_000]);
    await rooms.deleteExpiredSticky();
    const count = () => database.read((tx) => tx.db.selectFrom('sticky_events').select('event_nid').execute());
    assert.equal((await count()).length, 3);
    clock.set(now + hour);
    await rooms.deleteExpiredSticky();
    assert.equal((await count()).length, 0);
  });

  it('puts 100 messages sent at once in one line, in few commits', async () => {
    const { rooms, roomId, send, timeline } = await chat();
    const before = (await timeline(roomId)).length;
    const ids = await Promise.all(
      Array.from({ length: 100 }, (_, n) => send(n % 2 === 0 ? ALICE : BOB, { body: `${n}` })),
    );
    const events = (await timeline(roomId)).slice(before);
    assert.deepEqual(
      events.map(({ event }) => event.eventId),
      ids,
    );
    for (const [index, { event }] of events.entries()) {
      if (index > 0) assert.deepEqual(event.prevEvents, [ids[index - 1]]);
    }
    assert.deepEqual((await rooms.snapshot(roomId))?.extremities, [ids.at(-1)]);
  });

  it('answers a resend with the first event, also one under way and one after a restart', async () => {
    const config = await createConfig();
    const first = await openRooms((migrations, deps) => open(migrations, deps, config));
    const roomId = await first.rooms.create(ALICE, {});
    const transaction = { userId: ALICE, deviceId: 'D', txnId: '1' };
    const request = { roomId, sender: ALICE, type: TEXT, content: { body: 'once' }, transaction };
    const [one, two] = await Promise.all([first.rooms.send(request), first.rooms.send(request)]);
    assert.equal(one, two);
    assert.equal(await first.rooms.send(request), one);
    const count = (await first.timeline(roomId)).length;
    await first.database[Symbol.asyncDispose]();
    const second = await openRooms((migrations, deps) => open(migrations, deps, config));
    assert.equal(await second.rooms.send(request), one);
    assert.equal((await second.timeline(roomId)).length, count);
    const other = await second.rooms.send({ ...request, transaction: { ...transaction, deviceId: 'E' } });
    assert.notEqual(other, one);
  });

  it('goes on after a restart from where it was', async () => {
    const config = await createConfig();
    const first = await openRooms((migrations, deps) => open(migrations, deps, config));
    const roomId = await first.rooms.create(ALICE, { preset: 'public_chat' });
    await first.rooms.join({ roomId, userId: BOB });
    const before = await first.rooms.snapshot(roomId);
    await first.database[Symbol.asyncDispose]();
    const { rooms } = await openRooms((migrations, deps) => open(migrations, deps, config));
    const after = await rooms.snapshot(roomId);
    assert.deepEqual(after?.extremities, before?.extremities);
    assert.equal(after?.stateRoot, before?.stateRoot);
    assert.equal(after?.lastPosition, before?.lastPosition);
    assert.deepEqual(after?.digest, before?.digest);
    assert.deepEqual([...(after?.members() ?? [])], [...(before?.members() ?? [])]);
    await rooms.send({ roomId, sender: BOB, type: TEXT, content: {} });
  });

  it('sets state once: the same content again makes no event', async () => {
    const { rooms, roomId, timeline } = await chat();
    const set = (name: string) =>
      rooms.setState({ roomId, sender: ALICE, type: 'm.room.name', stateKey: '', content: { name } });
    const first = await set('a');
    assert.equal(await set('a'), first);
    const count = (await timeline(roomId)).length;
    assert.notEqual(await set('b'), first);
    assert.equal((await timeline(roomId)).length, count + 1);
    assert.equal((await rooms.snapshot(roomId))?.digest.name, 'b');
    const asBob = { roomId, sender: BOB, type: 'm.room.name', stateKey: '', content: { name: 'c' } };
    await assert.rejects(rooms.setState(asBob), { errcode: 'M_FORBIDDEN' });
  });

  it('checks the canonical alias', async () => {
    const { rooms, roomId } = await chat();
    const set = (content: object) =>
      rooms.setState({ roomId, sender: ALICE, type: 'm.room.canonical_alias', stateKey: '', content: { ...content } });
    const alias = rooms.aliases.ofLocalpart('here');
    await assert.rejects(set({ alias }), { errcode: 'M_BAD_ALIAS' });
    await assert.rejects(set({ alias: 'no alias' }), { errcode: 'M_INVALID_PARAM' });
    await rooms.aliases.set(alias, roomId, ALICE);
    await set({ alias, alt_aliases: [alias] });
    await assert.rejects(set({ alias, alt_aliases: ['#else:test.example'] }), { errcode: 'M_BAD_ALIAS' });
    await rooms.aliases.delete(alias, { userId: ALICE, isAdmin: false });
    assert.equal((await rooms.snapshot(roomId))?.digest.canonical_alias, null);
  });

  it('redacts an event in every way a room version knows', async () => {
    for (const version of ['1', '2', '3', '10', '11', '12']) {
      const { rooms, roomId, send, timeline } = await chat(version);
      const eventId = await send(BOB, { body: 'secret' });
      const viaSend = await send(BOB, { body: 'secret too' });
      await rooms.redact({ roomId, sender: ALICE, redacts: eventId, content: { reason: 'r' } });
      const redaction = await send(BOB, { redacts: viaSend }, 'm.room.redaction');
      const events = await timeline(roomId);
      for (const id of [eventId, viaSend]) {
        const target = events.find(({ event }) => event.eventId === id);
        assert.deepEqual(target?.event.content, {}, version);
        assert.equal(target?.unread, UNREAD.none);
      }
      const found = events.find(({ event }) => event.eventId === redaction);
      assert.equal(found?.event.redacts, viaSend);
      const other = await send(ALICE, { body: 'mine' });
      await assert.rejects(rooms.redact({ roomId, sender: BOB, redacts: other, content: {} }), {
        errcode: 'M_FORBIDDEN',
      });
      const nowhere = '$nowhere:test.example' as EventId;
      await assert.rejects(rooms.redact({ roomId, sender: BOB, redacts: nowhere, content: {} }), {
        errcode: 'M_NOT_FOUND',
      });
    }
  });

  it('lets suspended users redact their own events, and nothing else', async () => {
    const { rooms, roomId, send } = await chat();
    const own = await send(ALICE);
    const other = await send(BOB);
    const suspended = { roomId, sender: ALICE, content: {}, isSuspended: true };
    await rooms.redact({ ...suspended, redacts: own });
    await assert.rejects(rooms.redact({ ...suspended, redacts: other }), { errcode: 'M_USER_SUSPENDED' });
    assert.throws(() => rooms.send({ ...suspended, type: TEXT }), { errcode: 'M_USER_SUSPENDED' });
  });

  it('takes name and topic of redacted state out of the digest', async () => {
    const { rooms, roomId } = await chat();
    const set = { roomId, sender: ALICE, type: 'm.room.name', stateKey: '', content: { name: 'bad' } };
    const redacts = await rooms.setState(set);
    await rooms.redact({ roomId, sender: ALICE, redacts, content: {} });
    assert.equal((await rooms.snapshot(roomId))?.digest.name, null);
  });

  it('refuses what is too large or no event', async () => {
    const { send } = await chat();
    await assert.rejects(send(BOB, { body: 'x'.repeat(66_000) }), { errcode: 'M_TOO_LARGE' });
    await assert.rejects(send(BOB, {}, 'x'.repeat(300)), { errcode: 'M_TOO_LARGE' });
    await assert.rejects(send(BOB, { half: 0.5 }), { errcode: 'M_BAD_JSON' });
  });

  it('refuses the same annotation twice, also at once', async () => {
    const { send } = await chat();
    const target = await send();
    const reaction = { 'm.relates_to': { rel_type: 'm.annotation', event_id: target, key: '👍' } };
    const outcomes = await Promise.allSettled([send(BOB, reaction, 'm.reaction'), send(BOB, reaction, 'm.reaction')]);
    assert.deepEqual(outcomes.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
    await assert.rejects(send(BOB, reaction, 'm.reaction'), { errcode: 'M_DUPLICATE_ANNOTATION' });
    await send(ALICE, reaction, 'm.reaction');
  });

  it('keeps relations and threads', async () => {
    const { roomId, send, timeline, database } = await chat();
    const root = await send();
    const reply = await send(ALICE, { 'm.relates_to': { rel_type: 'm.thread', event_id: root } });
    await send(BOB, { 'm.relates_to': { rel_type: 'm.annotation', event_id: reply, key: 'x' } }, 'm.reaction');
    const threads = (await timeline(roomId)).map(({ threadRoot }) => threadRoot);
    assert.deepEqual(threads.slice(-3), [undefined, root, root]);
    const rows = await database.read((tx) => tx.db.selectFrom('relations').selectAll().orderBy('position').execute());
    assert.deepEqual(
      rows.map((row) => [row.relates_to, row.rel_type, row.key]),
      [
        [root, 'm.thread', null],
        [reply, 'm.annotation', 'x'],
      ],
    );
  });

  it('judges a message once for the room, and writes rows only for those whom it names', async () => {
    const { roomId, rooms, send, timeline, database } = await chat();
    await rooms.join({ roomId, userId: CAROL });
    await send(BOB, { msgtype: 'm.text', body: 'hello' });
    await send(BOB, { msgtype: 'm.notice', body: 'beep' });
    const mentions = { user_ids: [ALICE, BOB, user('stranger')] };
    await send(BOB, { msgtype: 'm.text', body: 'hello', 'm.mentions': mentions });
    await send(ALICE, { msgtype: 'm.text', body: 'all', 'm.mentions': { room: true } });
    await send(BOB, { msgtype: 'm.text', body: 'all', 'm.mentions': { room: true } });
    const { none, notifies, highlights } = UNREAD;
    assert.deepEqual(
      (await timeline(roomId)).slice(-5).map(({ unread }) => unread),
      [notifies, none, notifies, highlights, notifies],
    );
    const rows = await database.read((tx) => tx.db.selectFrom('notifications').selectAll().execute());
    assert.deepEqual(
      rows.map((row) => [row.user_id, row.notify, row.highlight]),
      [[ALICE, 1, 1]],
    );
  });

  it('writes a row for a user whose own rules say something else', async () => {
    const rules = {
      ...defaultPushRules(BOB),
      override: [{ rule_id: 'x', default: false, enabled: true, conditions: [], actions: [] }],
    };
    const own = { userId: BOB, rules, asksForName: false };
    const pushRules = {
      added: NO_ADDED_RULES,
      usersWithOwnRules: ({ isJoined }: JoinedUsers) => (isJoined(BOB) ? [own] : []),
    };
    const { rooms, database } = await openRooms(open, { pushRules });
    const roomId = await rooms.create(ALICE, { preset: 'public_chat' });
    await rooms.join({ roomId, userId: BOB });
    await rooms.send({ roomId, sender: ALICE, type: TEXT, content: { msgtype: 'm.text', body: 'x' } });
    const rows = await database.read((tx) => tx.db.selectFrom('notifications').selectAll().execute());
    assert.deepEqual(
      rows.map((row) => [row.user_id, row.notify]),
      [[BOB, 0]],
    );
  });

  it('follows several forward extremities, and leaves one', async () => {
    const { rooms, roomId, send, database, timeline } = await chat();
    const one = await send();
    await send();
    const events = await timeline(roomId);
    const fork = events.find(({ event }) => event.eventId === one);
    await database.write('main', async (tx) => {
      await tx.db
        .insertInto('forward_extremities')
        .values({ room_nid: fork?.roomNid ?? 0, event_nid: fork?.nid ?? 0 })
        .execute();
    });
    const restarted = await openRooms(database);
    const joined = await restarted.rooms.send({ roomId, sender: BOB, type: TEXT, content: {} });
    const [stored] = await database.read((tx) => rooms.events.byIds(tx, [joined]));
    assert.equal(stored?.event.prevEvents.length, 2);
    assert.deepEqual((await restarted.rooms.snapshot(roomId))?.extremities, [joined]);
  });

  it('refuses a write by an owner who has lost the room, and recovers', async () => {
    const first = await chat();
    const second = await openRooms(first.database);
    await second.rooms.send({ roomId: first.roomId, sender: BOB, type: TEXT, content: { body: 'second' } });
    await assert.rejects(first.send(), /not there|another owner/);
    const eventId = await first.send();
    assert.deepEqual((await first.rooms.snapshot(first.roomId))?.extremities, [eventId]);
  });
});
