import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createLogger } from './log.ts';

describe('the log', () => {
  it('is one JSON object a line, with time and level in words, from its level on', () => {
    const lines: string[] = [];
    const log = createLogger({ level: 'info' }, { write: (line) => lines.push(line) });
    log.debug('not written');
    log.child({ part: 'rooms' }).info({ roomId: '!r:x' }, 'room created');
    assert.equal(lines.length, 1);
    const { time, ...rest } = JSON.parse(lines[0] ?? '');
    assert.deepEqual(rest, { level: 'info', part: 'rooms', roomId: '!r:x', msg: 'room created' });
    assert.match(time, /^\d{4}-\d\d-\d\dT.*Z$/);
  });
});
