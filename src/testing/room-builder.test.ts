import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkAuth } from '../protocol/auth/index.ts';
import { parsePdu } from '../protocol/event/index.ts';
import { isJsonObject, parseJson } from '../protocol/json/index.ts';
import { ROOM_VERSIONS } from '../protocol/room-versions/index.ts';
import { RoomBuilder, testUser } from './room-builder.ts';

describe('RoomBuilder', () => {
  it('makes events that another server takes, in every room version', () => {
    for (const { id: version } of ROOM_VERSIONS) {
      const room = RoomBuilder.createPublic({ version });
      room.join('bob');
      room.send('bob', 'hello');
      for (const event of room.events) {
        const value = parseJson(event.json);
        assert.ok(isJsonObject(value));
        assert.equal(parsePdu(value, room.rules).eventId, event.eventId);
        assert.equal(event.roomId, room.roomId);
      }
    }
  });

  it('forks and merges', () => {
    const room = RoomBuilder.createPublic({ version: '11' });
    const other = room.fork();
    room.join('bob');
    other.join('carol');
    assert.equal(room.find('m.room.member', testUser('carol')), undefined);
    room.merge(other);
    assert.ok(room.find('m.room.member', testUser('carol')));
    assert.equal(room.forwardExtremities.length, 2);
    const message = room.send('carol', 'hello');
    assert.equal(message.prevEvents.length, 2);
    assert.deepEqual(checkAuth(message, room.authState), { allowed: true });
  });
});
