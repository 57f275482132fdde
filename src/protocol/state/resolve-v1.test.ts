import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { RoomBuilder, testUser } from '../../testing/room-builder.ts';
import type { Event } from '../event/index.ts';
import type { EventId } from '../ids/index.ts';
import { type StateMap, stateKeyOf } from './state-map.ts';
import type { ResolutionStep } from './trace.ts';

function roomWithBob(): RoomBuilder {
  const room = RoomBuilder.createPublic({ version: '1' });
  room.powerLevels('alice', levels({ bob: 50 }));
  for (const name of ['bob', 'carol']) room.join(name);
  return room;
}

function levels(users: Record<string, number>) {
  const others = Object.fromEntries(Object.entries(users).map(([name, level]) => [testUser(name), level]));
  return { users: { [testUser('alice')]: 100, ...others } };
}

function resolve(room: RoomBuilder, other: RoomBuilder): StateMap<EventId> {
  const state = room.resolve(other);
  assert.deepEqual(new Map([...other.resolve(room)].toSorted()), new Map([...state].toSorted()));
  return state;
}

function assertWins(state: StateMap<EventId>, event: Event): void {
  assert.equal(state.get(stateKeyOf(event.type, event.stateKey ?? '')), event.eventId);
}

function sha1(text: string): string {
  return createHash('sha1').update(text).digest('hex');
}

describe('state resolution in room version 1', () => {
  it('takes what only one state has without asking', () => {
    const room = roomWithBob();
    const other = room.fork();
    room.ban('alice', 'bob');
    const topic = other.setState('bob', 'm.room.topic', { topic: 'Mine' });
    assertWins(resolve(room, other), topic);
  });

  it('goes from the shallowest power levels on for as long as each is allowed', () => {
    const room = roomWithBob();
    const other = room.fork();
    const shallow = room.powerLevels('alice', levels({ bob: 0 }));
    other.send('bob', 'one deeper');
    other.powerLevels('bob', levels({ bob: 50, carol: 50 }));
    assertWins(resolve(room, other), shallow);
    const third = roomWithBob();
    const fourth = third.fork();
    third.powerLevels('bob', levels({ bob: 50, carol: 10 }));
    fourth.send('alice', 'one deeper');
    const deep = fourth.powerLevels('alice', levels({ bob: 40 }));
    assertWins(resolve(third, fourth), deep);
  });

  it('judges members by the resolved join rules', () => {
    const room = roomWithBob();
    const other = room.fork();
    room.setState('alice', 'm.room.join_rules', { join_rule: 'public', fresh: true });
    other.send('alice', 'one deeper');
    other.setState('alice', 'm.room.join_rules', { join_rule: 'invite' });
    const kick = room.kick('alice', 'carol');
    other.send('alice', 'and more');
    other.join('carol', { displayname: 'Carol' });
    assertWins(resolve(room, other), kick);
  });

  it('takes the deepest of other events that is allowed, among equals that with the smaller SHA-1', () => {
    const room = roomWithBob();
    const other = room.fork();
    const shallow = room.setState('bob', 'm.room.topic', { topic: 'one' });
    other.send('bob', 'one deeper');
    const deep = other.setState('bob', 'm.room.topic', { topic: 'two' });
    assertWins(resolve(room, other), deep);
    room.powerLevels('alice', levels({ bob: 0 }));
    assertWins(resolve(room, other), shallow);

    const a = roomWithBob();
    const b = a.fork();
    const one = a.setState('bob', 'm.room.topic', { topic: 'one' });
    const two = b.setState('bob', 'm.room.topic', { topic: 'two' });
    assertWins(resolve(a, b), sha1(one.eventId) < sha1(two.eventId) ? one : two);
  });

  it('tells which candidates were passed over', () => {
    const room = roomWithBob();
    const other = room.fork();
    const one = room.setState('bob', 'm.room.topic', { topic: 'one' });
    other.send('bob', 'one deeper');
    other.setState('bob', 'm.room.topic', { topic: 'two' });
    const steps: ResolutionStep[] = [];
    room.resolveTraced((step) => steps.push(step), other);
    const lost = steps.find(({ eventId }) => eventId === one.eventId);
    assert.deepEqual([lost?.phase, lost?.verdict.allowed], ['others', false]);
  });
});
