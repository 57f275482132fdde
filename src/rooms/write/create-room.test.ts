import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { JsonObject } from '../../protocol/json/index.ts';
import { ROOM_VERSIONS } from '../../protocol/room-versions/index.ts';
import { forEachDatabase } from '../../testing/databases.ts';
import type { StoredEvent } from '../store/index.ts';
import { ALICE, BOB, CAROL, openRooms } from './testing.ts';

function contentOf(events: readonly StoredEvent[], type: string, stateKey = ''): JsonObject | undefined {
  return events.findLast(({ event }) => event.type === type && event.stateKey === stateKey)?.event.content;
}

forEachDatabase((_dialect, open) => {
  it('creates rooms of every version, and they talk', async () => {
    const { rooms, timeline } = await openRooms(open);
    for (const { id: roomVersion } of ROOM_VERSIONS) {
      const roomId = await rooms.create(ALICE, { roomVersion, preset: 'public_chat', name: `version ${roomVersion}` });
      await rooms.join({ roomId, userId: BOB });
      const eventId = await rooms.send({ roomId, sender: BOB, type: 'm.room.message', content: { body: 'hello' } });
      const events = await timeline(roomId);
      assert.equal(events.at(-1)?.event.eventId, eventId);
      assert.deepEqual(events.map(({ event }) => event.type).filter((type) => type === 'm.room.member').length, 2);
      assert.equal(events[0]?.event.content.room_version, roomVersion);
      const snapshot = await rooms.snapshot(roomId);
      assert.equal(snapshot?.joinedCount, 2);
      assert.equal(snapshot?.digest.name, `version ${roomVersion}`);
      assert.deepEqual(snapshot?.extremities, [eventId]);
    }
  });

  it('sends the events in the order of the specification', async () => {
    const { rooms, timeline } = await openRooms(open);
    const roomId = await rooms.create(ALICE, {
      name: 'A room',
      topic: 'of things',
      aliasLocalpart: 'things',
      invite: [BOB],
      isDirect: true,
      initialState: [{ type: 'm.room.encryption', stateKey: '', content: { algorithm: 'm.megolm.v1.aes-sha2' } }],
    });
    const events = await timeline(roomId);
    assert.deepEqual(
      events.map(({ event }) => event.type),
      [
        'm.room.create',
        'm.room.member',
        'm.room.power_levels',
        'm.room.canonical_alias',
        'm.room.join_rules',
        'm.room.history_visibility',
        'm.room.guest_access',
        'm.room.encryption',
        'm.room.name',
        'm.room.topic',
        'm.room.member',
      ],
    );
    assert.deepEqual(contentOf(events, 'm.room.member', BOB), { membership: 'invite', is_direct: true });
    assert.deepEqual(contentOf(events, 'm.room.topic')?.['m.topic'], {
      'm.text': [{ body: 'of things', mimetype: 'text/plain' }],
    });
    assert.equal((await rooms.aliases.resolve(rooms.aliases.ofLocalpart('things'))).roomId, roomId);
  });

  it('refuses an alias that is taken and leaves nothing behind', async () => {
    const { rooms } = await openRooms(open);
    await rooms.create(ALICE, { aliasLocalpart: 'mine' });
    await assert.rejects(rooms.create(BOB, { aliasLocalpart: 'mine' }), { errcode: 'M_ROOM_IN_USE' });
    assert.deepEqual(await rooms.joinedRooms(BOB), []);
  });

  it('gives the alias to one of two who ask for it at once', async () => {
    const { rooms } = await openRooms(open);
    const both = [rooms.create(ALICE, { aliasLocalpart: 'x' }), rooms.create(BOB, { aliasLocalpart: 'x' })];
    const outcomes = await Promise.allSettled(both);
    assert.equal(outcomes.filter((outcome) => outcome.status === 'fulfilled').length, 1);
    const refused = outcomes.find((outcome) => outcome.status === 'rejected');
    assert.equal(refused?.reason.errcode, 'M_ROOM_IN_USE');
  });

  it('lets initial state win over the preset, and name over initial state', async () => {
    const { rooms, timeline } = await openRooms(open);
    const roomId = await rooms.create(ALICE, {
      name: 'new',
      initialState: [
        { type: 'm.room.join_rules', stateKey: '', content: { join_rule: 'knock' } },
        { type: 'm.room.name', stateKey: '', content: { name: 'old' } },
      ],
    });
    const events = await timeline(roomId);
    assert.deepEqual(contentOf(events, 'm.room.join_rules'), { join_rule: 'knock' });
    assert.deepEqual(contentOf(events, 'm.room.name'), { name: 'new' });
    assert.equal(events.filter(({ event }) => event.type === 'm.room.join_rules').length, 1);
  });

  it('gives trusted invitees the power of the creator', async () => {
    const { rooms, timeline } = await openRooms(open);
    const options = { preset: 'trusted_private_chat', invite: [BOB] } as const;
    const before = await timeline(await rooms.create(ALICE, { ...options, roomVersion: '11' }));
    assert.deepEqual(contentOf(before, 'm.room.power_levels')?.users, { [ALICE]: 100, [BOB]: 100 });
    const creationContent = { additional_creators: [CAROL, BOB] };
    const after = await timeline(await rooms.create(ALICE, { ...options, roomVersion: '12', creationContent }));
    assert.deepEqual(contentOf(after, 'm.room.create')?.additional_creators, [CAROL, BOB]);
    assert.deepEqual(contentOf(after, 'm.room.power_levels')?.users, {});
  });

  it('derives the room id of version 12 from the create event', async () => {
    const { rooms, timeline } = await openRooms(open);
    const roomId = await rooms.create(ALICE, { roomVersion: '12' });
    const [create] = await timeline(roomId);
    assert.equal(create?.event.eventId, `$${roomId.slice(1)}`);
  });

  it('makes two rooms of two requests that are alike, at once', async () => {
    const { rooms } = await openRooms(open);
    const ids = await Promise.all([rooms.create(ALICE, {}), rooms.create(ALICE, {})]);
    assert.equal(new Set(ids).size, 2);
    assert.deepEqual(new Set(await rooms.joinedRooms(ALICE)), new Set(ids));
  });

  it('refuses options that make no valid room', async () => {
    const { rooms } = await openRooms(open);
    const refused: [Parameters<typeof rooms.create>[1], string][] = [
      [{ roomVersion: '99' }, 'M_UNSUPPORTED_ROOM_VERSION'],
      [{ name: 'x', roomVersion: '11', powerLevels: { users: { [ALICE]: 0 } } }, 'M_INVALID_ROOM_STATE'],
      [{ powerLevels: { users: { [ALICE]: 100 } } }, 'M_INVALID_ROOM_STATE'],
      [{ powerLevels: { ban: 'x' } }, 'M_BAD_JSON'],
      [{ aliasLocalpart: 'with space' }, 'M_INVALID_PARAM'],
      [{ creationContent: { additional_creators: ['nobody'] } }, 'M_INVALID_PARAM'],
      [{ name: 'x'.repeat(70_000) }, 'M_TOO_LARGE'],
    ];
    for (const [options, errcode] of refused) {
      await assert.rejects(rooms.create(ALICE, options), { errcode }, JSON.stringify(options).slice(0, 80));
    }
    assert.deepEqual(await rooms.joinedRooms(ALICE), []);
  });
});
