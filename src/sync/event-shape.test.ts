import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { pickFields } from './event-shape.ts';

const event = JSON.stringify({
  type: 'm.room.message',
  sender: '@a:b',
  content: { body: 'hi', msgtype: 'm.text', 'm.relates_to': { rel_type: 'm.thread' } },
});

describe('event_fields', () => {
  it('keeps whole fields and parts of objects, and nothing else', () => {
    const picked = pickFields(event, [['type'], ['content', 'body'], ['content', 'm.relates_to', 'rel_type']]);
    assert.deepEqual(JSON.parse(picked), {
      type: 'm.room.message',
      content: { body: 'hi', 'm.relates_to': { rel_type: 'm.thread' } },
    });
  });

  it('passes over paths that lead nowhere', () => {
    assert.equal(pickFields(event, [['nothing'], ['type', 'deeper'], ['content', 'absent'], []]), '{}');
  });

  it('does not let an event change the prototype', () => {
    const picked = pickFields('{"__proto__":{"polluted":true}}', [['__proto__', 'polluted']]);
    assert.equal(picked, '{"__proto__":{"polluted":true}}');
    assert.equal(Reflect.get({}, 'polluted'), undefined);
  });
});
