/** Servers that let us into a room and then tell of it what isn't so. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Event } from '../../src/protocol/event/index.ts';
import { RoomBuilder } from '../../src/testing/room-builder.ts';
import { act, eventually, join, joinedRooms, membership, send, stateContent } from '../../src/testing/room-client.ts';
import type { TestUser } from '../../src/testing/test-user.ts';
import { HostilePeer, pduOf } from './hostile-peer.ts';
import { type Lies, ScriptedRoom } from './scripted-room.ts';

const MEMBERS = 40;
const e = encodeURIComponent;

const without =
  (...types: readonly string[]) =>
  (events: readonly Event[]) =>
    events.filter(({ type }) => !types.includes(type));

describe('a server that lies about a room', () => {
  let liar: HostilePeer;
  let honest: HostilePeer;
  let zoe: TestUser;
  let count = 0;

  before(async () => {
    liar = await HostilePeer.start({}, true);
    honest = await liar.ally();
    zoe = await liar.victim.register('zoe');
  });

  after(async () => {
    await honest[Symbol.asyncDispose]();
    await liar[Symbol.asyncDispose]();
  });

  function newRoom(lies: Lies, members = MEMBERS): ScriptedRoom {
    const room = new ScriptedRoom(`lies${count++}`, [liar, honest]);
    const [alice, bob] = [liar.user('alice'), honest.user('bob')];
    room.builder.join(bob);
    for (let index = 0; index < members; index++) room.builder.join(honest.user(`member${index}`));
    room.builder.ban(alice, honest.user('member1'));
    room.builder.setState(alice, 'm.room.topic', { topic: 'true' });
    room.answer(liar, lies);
    return room;
  }

  /** The create event of another room, and one with which the room began as the liar has it. */
  const otherCreate = () => RoomBuilder.create({ version: '10', creator: liar.user('alice'), name: 'other' }).create;
  const falseCreate = (room: ScriptedRoom) =>
    RoomBuilder.create({
      version: '10',
      creator: liar.user('mallory'),
      name: room.roomId.slice(1).split(':')[0] ?? '',
      content: { room_version: '9' },
    }).create;

  function timesAsked(peer: HostilePeer, room: ScriptedRoom): number {
    return peer.asked.filter((line) => line.includes(`/state_ids/${e(room.roomId)}`)).length;
  }

  async function isWell(): Promise<void> {
    assert.equal((await liar.victim.request('GET', '/health')).status, 200);
    const synced = await zoe.request('GET', '/_matrix/client/v3/sync?timeout=0');
    assert.equal(synced.status, 200);
  }

  const refused: Record<string, Lies> = {
    'leaves out who may join': { joinState: without('m.room.join_rules') },
    'leaves out the create event': {
      joinState: without('m.room.create'),
      joinChain: (all) => without('m.room.create')(all).map(pduOf),
    },
    'gives nothing at all': { joinState: () => [], joinChain: () => [] },
    'gives no auth chain': { joinChain: () => [] },
    'gives the auth chain of another room': { joinChain: () => [pduOf(otherCreate())] },
    'gives what are no events': { joinChain: () => [{}, { type: 'm.room.create' }, { auth_events: 7, room_id: null }] },
    'gives a chain with spoiled signatures': {
      joinChain: (all) => all.map((event) => ({ ...pduOf(event), signatures: {} })),
    },
  };
  for (const [what, lies] of Object.entries(refused)) {
    it(`lets nobody in where it ${what}, and the next server does`, async () => {
      const room = newRoom(lies);
      room.tellAll();
      const target = `/_matrix/client/v3/join/${e(room.roomId)}?via=${e(liar.name)}`;
      const answer = await zoe.request('POST', target, {});
      assert.deepEqual([answer.status, answer.body.errcode], [502, 'M_UNKNOWN'], answer.bytes.toString());
      assert.ok(!(await joinedRooms(zoe)).includes(room.roomId));
      await isWell();
      await join(zoe, room.roomId, honest.name);
      await expectWhole(room);
    });
  }

  it('does not stand in the way of the next one', async () => {
    const room = newRoom({ joinChain: () => [] });
    room.tellAll();
    const target = `/_matrix/client/v3/join/${e(room.roomId)}?via=${e(liar.name)}&via=${e(honest.name)}`;
    const answer = await zoe.request('POST', target, {});
    assert.equal(answer.status, 200, answer.bytes.toString());
    await expectWhole(room);
  });

  it('and is alone in the room leaves it partial, usable, and easy to leave', async () => {
    const room = new ScriptedRoom(`lies${count++}`, [liar]);
    room.answer(liar, { laterState: without('m.room.create') });
    await join(zoe, room.roomId, liar.name);
    room.tellAll();
    await eventually(
      async () => timesAsked(liar, room),
      (times) => times > 1,
    );
    await send(zoe, room.roomId, 'usable');
    await isWell();
    await act(zoe, room.roomId, 'leave');
    assert.ok(!(await joinedRooms(zoe)).includes(room.roomId));
  });

  it('is passed over where it keeps a single event of the state to itself', async () => {
    const room = newRoom({}, 0);
    // With so many others the few that are missing are asked for one by one.
    for (let index = 0; index < 20; index++) room.builder.setState(liar.user('alice'), 'org.example', {}, `${index}`);
    room.answer(liar, { idsOnly: true });
    await join(zoe, room.roomId, liar.name);
    room.tellAll();
    await expectWhole(room, 0);
    assert.ok(liar.asked.some((line) => line.includes(`/event/`)));
  });

  const later: Record<string, (room: ScriptedRoom) => Lies> = {
    'names the create event of another room': () => ({
      laterState: (state) => [otherCreate(), ...without('m.room.create')(state)],
    }),
    'names a create event with another version': (room) => ({
      laterState: (state) => [falseCreate(room), ...without('m.room.create')(state)],
    }),
    'tells a state that does not allow the join': () => ({ laterState: without('m.room.join_rules') }),
    'tells nothing': () => ({ laterState: () => [], laterChain: () => [] }),
    'tells of members only': () => ({
      laterState: (state) => state.filter(({ type }) => type === 'm.room.member'),
    }),
    'tells the ids of the state and none of its events': () => ({ idsOnly: true }),
  };
  for (const [what, lies] of Object.entries(later)) {
    it(`is passed over where it ${what} afterwards`, async () => {
      const room = newRoom({});
      room.answer(liar, lies(room));
      await join(zoe, room.roomId, liar.name);
      room.tellAll();
      await expectWhole(room);
      assert.deepEqual([timesAsked(liar, room), timesAsked(honest, room)], [1, 1]);
    });
  }

  it('that left out the power levels is found out when all is known', async () => {
    const room = newRoom({ joinState: without('m.room.power_levels', 'm.room.topic') });
    await join(zoe, room.roomId, liar.name);
    room.tellAll();
    await expectWhole(room);
    const levels = await stateContent(zoe, room.roomId, 'm.room.power_levels');
    assert.equal(levels.users?.[liar.user('alice')], 100);
  });

  /** The room is as it truly is, and can be used. */
  async function expectWhole(room: ScriptedRoom, members = MEMBERS): Promise<void> {
    const joined = await zoe.request('GET', `/_matrix/client/v3/rooms/${e(room.roomId)}/joined_members`);
    assert.equal(joined.status, 200, joined.bytes.toString());
    // alice, bob, zoe, and all but the one who is banned.
    assert.equal(Object.keys(joined.body.joined).length, Math.max(members - 1, 0) + 3);
    assert.equal(await membership(zoe, room.roomId, honest.user('member1')), 'ban');
    const create = await zoe.request(
      'GET',
      `/_matrix/client/v3/rooms/${e(room.roomId)}/event/${e(room.builder.create.eventId)}`,
    );
    assert.notEqual(create.status, 500);
    assert.equal((await stateContent(zoe, room.roomId, 'm.room.create')).creator, liar.user('alice'));
    assert.equal((await stateContent(zoe, room.roomId, 'm.room.topic')).topic, 'true');
    await send(zoe, room.roomId, 'usable');
    await isWell();
  }
});
