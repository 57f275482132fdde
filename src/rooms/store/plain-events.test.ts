import assert from 'node:assert/strict';
import { it } from 'node:test';
import { parseEventId } from '../../protocol/ids/index.ts';
import { PlainEvents } from './plain-events.ts';

const eventId = parseEventId('$event');
assert.ok(eventId);

it('an event is plain once a reader found no children, until it gets one', () => {
  const plain = new PlainEvents();
  assert.equal(plain.has(eventId), false);
  plain.note(eventId);
  assert.equal(plain.has(eventId), true);
  plain.noteChild(eventId);
  assert.equal(plain.has(eventId), false);
});

it('a reader on a snapshot from before the first child does not make the event plain again', () => {
  const plain = new PlainEvents();
  plain.noteChild(eventId);
  plain.note(eventId);
  assert.equal(plain.has(eventId), false);
});
