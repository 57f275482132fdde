import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { generateSigningKey } from '../crypto/index.ts';
import { parseEventId, parseRoomId, parseServerName, parseUserId } from '../ids/index.ts';
import { canonicalJson } from '../json/index.ts';
import { ROOM_VERSIONS } from '../room-versions/index.ts';
import { buildEvent, Event, makeEventId, parsePdu, redactEvent, stickyUntil, verifyContentHash } from './index.ts';
import { stickyDurationOf } from './sticky.ts';

const serverName = parseServerName('x.org');
const sender = parseUserId('@a:x.org');
const hashed = parseEventId(`$${'a'.repeat(43)}`);
assert(serverName !== undefined && sender !== undefined && hashed !== undefined);
const key = generateSigningKey('1', new Uint8Array(32));

describe('a sticky event', () => {
  for (const rules of ROOM_VERSIONS) {
    it(`of room version ${rules.id} is hashed with its duration and signed without it`, () => {
      const roomId = parseRoomId(rules.createEventIsRoomId ? `!${'b'.repeat(43)}` : '!r:x.org');
      assert(roomId !== undefined);
      const draft = {
        roomId,
        type: 'm.x',
        sender,
        content: { body: 'x' },
        originServerTs: 5,
        depth: 1,
        prevEvents: [],
        authEvents: [],
        ...(rules.eventIds === 'in-event' ? { eventId: makeEventId('abc', serverName) } : {}),
      };
      const event = buildEvent({ ...draft, stickyDurationMs: 1_000 }, rules, serverName, key);
      const plain = buildEvent(draft, rules, serverName, key);
      assert.equal(event.stickyDurationMs, 1_000);
      assert.equal(plain.stickyDurationMs, undefined);
      assert.notDeepEqual(event.pdu.hashes, plain.pdu.hashes);
      assert.equal(event.json, canonicalJson(event.pdu));
      assert.deepEqual(JSON.parse(event.json).msc4354_sticky, { duration_ms: 1_000 });
      const received = parsePdu(JSON.parse(event.json), rules);
      assert.equal(received.eventId, event.eventId);
      assert.equal(received.stickyDurationMs, 1_000);
      assert(verifyContentHash(received));
      assert.equal(verifyContentHash(Event.fromJson(event.eventId, event.json.replace('1000', '9000'), rules)), false);
      assert.equal(redactEvent(event).stickyDurationMs, undefined);
      assert.equal(redactEvent(event).eventId, event.eventId);
    });
  }

  it('is one only where the duration is a count of milliseconds', () => {
    assert.equal(stickyDurationOf({ duration_ms: 0 }), 0);
    assert.equal(stickyDurationOf({ duration_ms: 1e15 }), 1e15);
    for (const bad of [
      undefined,
      null,
      5,
      '5',
      [],
      {},
      { duration_ms: -1 },
      { duration_ms: '5' },
      { duration_ms: 1.5 },
      { duration_ms: true },
    ]) {
      assert.equal(stickyDurationOf(bad), undefined, JSON.stringify(bad));
    }
  });

  it('lasts from when it was sent, not from the future, and an hour at most', () => {
    assert.equal(stickyUntil(1_000, 50_000, 60_000), 51_000);
    assert.equal(stickyUntil(1_000, 9e15, 60_000), 61_000);
    assert.equal(stickyUntil(9e15, 60_000, 60_000), 3_660_000);
    assert.equal(stickyUntil(1_000, -9e15, 60_000) < 60_000, true);
  });
});
