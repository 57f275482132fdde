import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JsonObject } from '../../protocol/json/index.ts';
import { RoomBuilder, testUser } from '../../testing/room-builder.ts';
import { draftFromTemplate } from './templates.ts';

const bob = testUser('bob');
const NOW = 1_700_000_123_000;

function draft(version: string, template: JsonObject) {
  const { rules, roomId } = RoomBuilder.createPublic({ version });
  const content = { membership: 'join' };
  return { draft: draftFromTemplate(template, rules, { roomId, userId: bob, content, nowTs: NOW }), roomId };
}

describe('a member event from another server’s template', () => {
  it('goes where the template says, and says what we say', () => {
    const template = {
      prev_events: ['$p1', '$p2'],
      auth_events: ['$a1'],
      depth: 7,
      type: 'm.room.power_levels',
      sender: '@mallory:evil.example',
      state_key: '@mallory:evil.example',
      room_id: '!elsewhere:evil.example',
      origin_server_ts: 1,
      content: { membership: 'ban' },
      redacts: '$x',
    };
    const made = draft('10', template);
    assert.deepEqual(made.draft, {
      type: 'm.room.member',
      roomId: made.roomId,
      sender: bob,
      stateKey: bob,
      content: { membership: 'join' },
      originServerTs: NOW,
      depth: 7,
      prevEvents: ['$p1', '$p2'],
      authEvents: ['$a1'],
    });
  });

  it('has the hashes of its predecessors in room version 1', () => {
    const prev_events = [['$p:example.org', { sha256: 'hash' }]];
    const made = draft('1', { prev_events, auth_events: [['$a:example.org', {}]], depth: 1 });
    assert.deepEqual(made.draft?.prevEvents, ['$p:example.org']);
    assert.deepEqual(made.draft?.referenceHashes, new Map([['$p:example.org', 'hash']]));
  });

  it('can’t be made of a template that lacks its place', () => {
    const good = { prev_events: ['$p'], auth_events: ['$a'], depth: 1 };
    assert(draft('10', good).draft);
    for (const bad of [
      { prev_events: 'x' },
      { prev_events: [7] },
      { auth_events: ['none'] },
      { depth: 1.5 },
      { depth: '1' },
    ]) {
      assert.equal(draft('10', { ...good, ...bad }).draft, undefined, JSON.stringify(bad));
    }
  });
});
