import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { UserId } from '../../protocol/ids/index.ts';
import { forEachDatabase } from '../../testing/databases.ts';
import { testUser } from '../../testing/room-builder.ts';
import { type StoredRoom, StoredRooms } from '../../testing/stored-room.ts';
import type { StoredEvent } from '../store/index.ts';
import { standingOf } from './access.ts';
import { maySee, type Sight } from './history-visibility.ts';
import { RoomSight } from './visibility.ts';

const clock = { now: () => 1_700_000_500_000 };
const bob = testUser('bob');

describe('history visibility', () => {
  it('follows the rules of the specification in every combination', () => {
    const visibilities = ['world_readable', 'shared', 'invited', 'joined'] as const;
    const memberships = ['join', 'invite', 'knock', 'leave', 'ban'] as const;
    const seen: string[] = [];
    for (const visibility of visibilities) {
      for (const membership of memberships) {
        for (const joinedLater of [false, true]) {
          const sight: Sight = { visibility, membership, joinedLater };
          if (maySee(sight)) seen.push(`${visibility} ${membership}${joinedLater ? ' later' : ''}`);
        }
      }
    }
    const world = memberships.flatMap((membership) => [
      `world_readable ${membership}`,
      `world_readable ${membership} later`,
    ]);
    assert.deepEqual(seen, [
      ...world,
      'shared join',
      ...memberships.map((membership) => `shared ${membership} later`),
      'invited join',
      'invited join later',
      'invited invite',
      'invited invite later',
      'joined join',
      'joined join later',
    ]);
  });
});

/** What a user sees of some events, by the events' names. */
async function seenBy(rooms: StoredRooms, room: StoredRoom, userId: UserId, events: Record<string, StoredEvent>) {
  return rooms.database.read(async (tx) => {
    const { states } = rooms.reading;
    const sight = new RoomSight(states, userId, await standingOf(tx, states, room.roomNid, userId));
    const visible = new Set(await sight.visible(tx, Object.values(events)));
    return Object.keys(events).filter((name) => {
      const event = events[name];
      return event !== undefined && visible.has(event);
    });
  });
}

forEachDatabase((_, open) => {
  /** One message at each stage of bob's life in a room of one visibility. */
  async function liveThrough(visibility: string) {
    const rooms = await StoredRooms.open(open, clock);
    const room = await rooms.createRoom();
    const events: Record<string, StoredEvent> = {};
    await room.setVisibility(visibility);
    events.before = await room.send('alice', 'before');
    await room.store(room.builder.invite('alice', 'bob'));
    events.invited = await room.send('alice', 'invited');
    await room.store(room.builder.join('bob'));
    events.joined = await room.send('alice', 'joined');
    events.kick = await room.store(room.builder.kick('alice', 'bob'));
    events.gone = await room.send('alice', 'gone');
    return { rooms, room, events };
  }

  const expectations: Record<string, { left: string[]; back: string[]; stranger: string[] }> = {
    world_readable: {
      left: ['before', 'invited', 'joined', 'kick', 'gone'],
      back: ['before', 'invited', 'joined', 'kick', 'gone', 'again'],
      stranger: ['before', 'invited', 'joined', 'kick', 'gone', 'again'],
    },
    shared: {
      left: ['before', 'invited', 'joined', 'kick'],
      back: ['before', 'invited', 'joined', 'kick', 'gone', 'again'],
      stranger: [],
    },
    invited: {
      left: ['invited', 'joined', 'kick'],
      back: ['invited', 'joined', 'kick', 'again'],
      stranger: [],
    },
    joined: { left: ['joined', 'kick'], back: ['joined', 'kick', 'again'], stranger: [] },
  };

  for (const [visibility, expected] of Object.entries(expectations)) {
    it(`shows in a room with ${visibility} history what it says, to members, to those who left and to strangers`, async () => {
      const { rooms, room, events } = await liveThrough(visibility);
      assert.deepEqual(await seenBy(rooms, room, bob, events), expected.left);
      await room.store(room.builder.join('bob'));
      events.again = await room.send('alice', 'again');
      assert.deepEqual(await seenBy(rooms, room, bob, events), expected.back);
      assert.deepEqual(await seenBy(rooms, room, testUser('carol'), events), expected.stranger);
      assert.deepEqual(await seenBy(rooms, room, testUser('alice'), events), Object.keys(events));
    });
  }

  it('applies the visibility of the time at which an event was sent', async () => {
    const rooms = await StoredRooms.open(open, clock);
    const room = await rooms.createRoom();
    const events: Record<string, StoredEvent> = {};
    for (const visibility of ['joined', 'world_readable', 'joined', 'shared'] as const) {
      events[`set ${visibility} ${Object.keys(events).length}`] = await room.setVisibility(visibility);
      events[`in ${visibility} ${Object.keys(events).length}`] = await room.send('alice', visibility);
    }
    // The changes from and to world_readable are seen from outside as well.
    assert.deepEqual(await seenBy(rooms, room, bob, events), [
      'set world_readable 2',
      'in world_readable 3',
      'set joined 4',
    ]);
    await room.store(room.builder.join('bob'));
    assert.deepEqual(await seenBy(rooms, room, bob, events), [
      // The room was shared before anything was set.
      'set joined 0',
      'set world_readable 2',
      'in world_readable 3',
      'set joined 4',
      'set shared 6',
      'in shared 7',
    ]);
  });

  it('shows users their own joins and leaves whatever the visibility', async () => {
    const rooms = await StoredRooms.open(open, clock);
    const room = await rooms.createRoom();
    await room.setVisibility('joined');
    const join = await room.store(room.builder.join('bob'));
    const leave = await room.store(room.builder.leave('bob'));
    const invite = await room.store(room.builder.invite('alice', 'bob'));
    assert.deepEqual(await seenBy(rooms, room, bob, { join, leave, invite }), ['join', 'leave']);
  });

  it('judges an event on a branch without the join by its own state, not by when it came', async () => {
    const rooms = await StoredRooms.open(open, clock);
    const room = await rooms.createRoom();
    await room.setVisibility('joined');
    const rootBefore = room.root;
    await room.store(room.builder.join('bob'));
    const late = await room.store(room.builder.send('alice', 'elsewhere'), { stateBefore: rootBefore });
    const here = await room.send('alice', 'here');
    assert.deepEqual(await seenBy(rooms, room, bob, { late, here }), ['here']);
    await rooms.database.read(async (tx) => {
      const { states, presenter } = rooms.reading;
      const sight = new RoomSight(states, bob, { kind: 'joined' });
      const json = await presenter.present(tx, [late, here], { userId: bob, deviceId: undefined }, { sight });
      assert.deepEqual(
        json.map((one) => JSON.parse(one).unsigned.membership),
        ['leave', 'join'],
      );
    });
  });

  it('takes a declined invite for no stay, and finds the last stay behind later events', async () => {
    const rooms = await StoredRooms.open(open, clock);
    const room = await rooms.createRoom();
    const standing = () => rooms.database.read((tx) => standingOf(tx, rooms.reading.states, room.roomNid, bob));
    assert.deepEqual(await standing(), { kind: 'stranger' });
    await room.store(room.builder.invite('alice', 'bob'));
    await room.store(room.builder.leave('bob'));
    assert.deepEqual(await standing(), { kind: 'stranger' });
    await room.store(room.builder.join('bob'));
    assert.deepEqual(await standing(), { kind: 'joined' });
    const leave = await room.store(room.builder.leave('bob'));
    await room.store(room.builder.invite('alice', 'bob'));
    await room.store(room.builder.ban('alice', 'bob'));
    assert.deepEqual(await standing(), { kind: 'left', departure: leave });
  });
});
