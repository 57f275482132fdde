import assert from 'node:assert/strict';
import { it } from 'node:test';
import { parseRoomId } from '../protocol/ids/index.ts';
import { RoomPositions } from './room-positions.ts';

const roomId = parseRoomId('!room:example.org');
assert.ok(roomId);

it('keeps the positions of a room as long as somebody listens to it', () => {
  const positions = new RoomPositions();
  positions.note('events', roomId, 5);
  assert.equal(positions.last('events', roomId), 0);
  positions.hold(roomId);
  positions.hold(roomId);
  positions.note('events', roomId, 5);
  positions.note('events', roomId, 4);
  positions.release(roomId);
  assert.equal(positions.last('events', roomId), 5);
  positions.release(roomId);
  assert.equal(positions.last('events', roomId), 0);
  assert.equal(positions.size, 0);
});
