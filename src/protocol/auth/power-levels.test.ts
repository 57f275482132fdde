import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RoomBuilder, testUser } from '../../testing/room-builder.ts';
import type { JsonObject } from '../json/index.ts';
import { powerLevels } from './power-levels.ts';

function levelsOf(version: string, content?: JsonObject) {
  const room = RoomBuilder.create({ version, content: { additional_creators: [testUser('co')] } });
  room.join('alice');
  if (content !== undefined) room.powerLevels('alice', content);
  return powerLevels(room.authState, room.rules);
}

describe('PowerLevels', () => {
  it('gives the creator 100 where there are no power levels, until version 11', () => {
    for (const version of ['1', '10', '11']) {
      const levels = levelsOf(version);
      assert.equal(levels.users(testUser('alice')), 100);
      assert.equal(levels.users(testUser('co')), 0);
      assert.equal(levelsOf(version, {}).users(testUser('alice')), 0);
    }
  });

  it('gives all creators infinite power in version 12, whatever the power levels are', () => {
    for (const content of [undefined, {}, { users_default: 5 }]) {
      const levels = levelsOf('12', content);
      assert.equal(levels.users(testUser('alice')), Number.POSITIVE_INFINITY);
      assert.equal(levels.users(testUser('co')), Number.POSITIVE_INFINITY);
      assert.equal(levels.users(testUser('bob')), content?.users_default ?? 0);
    }
  });

  it('fills in the defaults', () => {
    for (const levels of [levelsOf('11'), levelsOf('11', {}), levelsOf('9', { ban: 'x', events: 5, users: [] })]) {
      assert.deepEqual([levels.ban, levels.kick, levels.redact, levels.invite], [50, 50, 50, 0]);
      assert.deepEqual([levels.event('a', true), levels.event('a', false), levels.notifications('room')], [50, 0, 50]);
    }
  });

  it('reads what is set, from strings too until version 9', () => {
    const content = {
      users: { [testUser('bob')]: ' +0030 ' },
      users_default: '-1',
      events: { 'm.room.name': 7 },
      events_default: 1,
      state_default: 2,
      invite: 3,
      notifications: { room: 4 },
    };
    const levels = levelsOf('9', content);
    assert.deepEqual([levels.users(testUser('bob')), levels.users(testUser('eve'))], [30, -1]);
    assert.deepEqual([levels.event('m.room.name', true), levels.event('m.room.name', false)], [7, 7]);
    assert.deepEqual([levels.event('a', true), levels.event('a', false)], [2, 1]);
    assert.deepEqual([levels.invite, levels.notifications('room')], [3, 4]);
  });

  it('reads only own properties', () => {
    const levels = levelsOf('10', { users: {}, events: {} });
    assert.equal(levels.event('constructor', true), 50);
    assert.equal(levels.users('__proto__'), 0);
  });
});
