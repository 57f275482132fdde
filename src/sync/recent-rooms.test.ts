import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseRoomId } from '../protocol/ids/index.ts';
import type { SyncToken } from '../streams/index.ts';
import { RecentRooms } from './recent-rooms.ts';
import type { RoomStream } from './room-positions.ts';

const token = (events: number, receipts: number, typing: number): SyncToken => ({
  events,
  receipts,
  typing,
  accountData: 0,
  presence: 0,
  toDevice: 0,
  deviceLists: 0,
  profiles: 0,
  sticky: 0,
});

function room(index: number) {
  const roomId = parseRoomId(`!${index}:example.org`);
  assert.ok(roomId);
  return roomId;
}

describe('the recent rooms of a user', () => {
  it('are those that changed after a token, or unknown; never too few', () => {
    const changes = fc.array(
      fc.record({ stream: fc.constantFrom<RoomStream>('events', 'receipts', 'typing'), index: fc.nat(5) }),
      { maxLength: 400 },
    );
    fc.assert(
      fc.property(changes, fc.nat(400), (script, since) => {
        const recent = new RecentRooms();
        recent.begin({ events: 0, receipts: 0, typing: 0 });
        const positions = { events: 0, receipts: 0, typing: 0 };
        let asked = token(0, 0, 0);
        const changed = new Set<string>();
        for (const [at, { stream, index }] of script.entries()) {
          if (at === since) {
            asked = token(positions.events, positions.receipts, positions.typing);
            changed.clear();
          }
          positions[stream]++;
          recent.note(stream, room(index), positions[stream]);
          changed.add(room(index));
        }
        const after = recent.after(asked);
        if (after === undefined) assert.ok(script.length > 64, 'so few are remembered');
        else assert.deepEqual(new Set<string>(after), changed);
      }),
    );
  });

  it('are unknown for tokens from before the beginning', () => {
    const recent = new RecentRooms();
    recent.begin({ events: 10, receipts: 10, typing: 10 });
    assert.equal(recent.after(token(9, 10, 10)), undefined);
    assert.equal(recent.after(token(10, 10, 9)), undefined);
    assert.deepEqual(recent.after(token(10, 10, 10)), new Set());
  });
});
