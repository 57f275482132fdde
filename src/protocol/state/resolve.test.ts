import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RoomBuilder } from '../../testing/room-builder.ts';
import { makeEventId } from '../event/index.ts';
import { type EventId, serverNameOf } from '../ids/index.ts';
import { MissingEventError } from './inputs.ts';
import { resolveConflicts, resolveState, splitForResolution } from './resolve.ts';
import { splitStateKey, stateKeyOf } from './state-map.ts';

const TOPIC = stateKeyOf('m.room.topic', '');

function forkedTopics(version: string) {
  const room = RoomBuilder.createPublic({ version });
  const other = room.fork();
  const one = room.setState('alice', 'm.room.topic', { topic: 'one' });
  const two = other.setState('alice', 'm.room.topic', { topic: 'two' });
  return { room, other, one, two };
}

describe('resolveState', () => {
  it('throws MissingEventError where an event is not loaded', () => {
    for (const version of ['1', '2', '12']) {
      const { room, other, one } = forkedTopics(version);
      const inputs = { event: (id: EventId) => (id === one.eventId ? undefined : room.event(id)) };
      assert.throws(
        () => resolveState(room.rules, [room.state, other.state], inputs),
        (error) => error instanceof MissingEventError && error.eventId === one.eventId,
      );
    }
  });

  it('takes the edges of the auth graph without the events', () => {
    const { room, other, two } = forkedTopics('12');
    const asked = new Set<EventId>();
    const authEventIds = (id: EventId) => {
      asked.add(id);
      return room.event(id)?.authEvents;
    };
    const inputs = { ...room.inputs, authEventIds };
    assert.equal(resolveState(room.rules, [room.state, other.state], inputs).get(TOPIC), two.eventId);
    assert.ok(asked.size > 0);
  });

  it('ends where auth events go round in circles, which ids that are not hashes allow', () => {
    const room = RoomBuilder.createPublic({ version: '2' });
    const server = serverNameOf(room.create.sender);
    const [createId, memberId] = room.find('m.room.power_levels')?.authEvents ?? [];
    assert.ok(server && createId && memberId);
    const [a, b] = [makeEventId('a', server), makeEventId('b', server)];
    const other = room.fork();
    const levels = { type: 'm.room.power_levels', stateKey: '', sender: 'alice', content: {} };
    room.add({ ...levels, eventId: a, authEvents: [createId, memberId, b] });
    other.add({ ...levels, eventId: b, authEvents: [createId, memberId, a] });
    const before = room.build({ type: 'm.room.topic', stateKey: '', sender: 'alice' });
    room.append(before);
    assert.ok(resolveState(room.rules, [room.state, other.state], room.inputs).size > 0);
  });
});

describe('resolveConflicts', () => {
  it('gives only what goes beside the agreed state', () => {
    for (const version of ['1', '2', '12']) {
      const { room, other } = forkedTopics(version);
      const split = splitForResolution(room.rules, [room.state, other.state]);
      assert.deepEqual([...resolveConflicts(room.rules, split, room.inputs).keys()], [TOPIC]);
      const agreed = splitForResolution(room.rules, [room.state, new Map(room.state)]);
      assert.deepEqual(resolveConflicts(room.rules, agreed, room.inputs), new Map());
    }
  });
});

describe('splitForResolution', () => {
  it('takes a key that one state lacks for a conflict, except in version 1', () => {
    const absent = stateKeyOf('m.room.name', '');
    for (const version of ['1', '2']) {
      const room = RoomBuilder.createPublic({ version });
      const other = room.fork();
      const { eventId } = room.setState('alice', 'm.room.name', { name: 'Inglenook' });
      const { unconflicted, conflicted } = splitForResolution(room.rules, [room.state, other.state]);
      assert.equal(unconflicted.get(absent), version === '1' ? eventId : undefined);
      assert.deepEqual(
        conflicted.map(({ size }) => size),
        version === '1' ? [0, 0] : [1, 0],
      );
    }
  });
});

describe('stateKeyOf', () => {
  it('is undone by splitStateKey', () => {
    const pairs: readonly (readonly [string, string])[] = [
      ['m.room.member', '@a:b'],
      ['m.room.name', ''],
      ['a', 'b\0c'],
    ];
    for (const [type, stateKey] of pairs) assert.deepEqual(splitStateKey(stateKeyOf(type, stateKey)), [type, stateKey]);
  });
});
