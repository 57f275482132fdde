import assert from 'node:assert/strict';
import { it } from 'node:test';
import { wantedOf } from './ranges.ts';

const TAG = '"abc"';
const range = (text: string, sizeBytes = 100) => wantedOf({ range: text }, TAG, sizeBytes);

it('takes both ends, open ends and the last bytes', () => {
  assert.deepEqual(range('bytes=0-9'), { start: 0, end: 9 });
  assert.deepEqual(range('bytes=90-'), { start: 90, end: 99 });
  assert.deepEqual(range('bytes=90-500'), { start: 90, end: 99 });
  assert.deepEqual(range('bytes=-5'), { start: 95, end: 99 });
  assert.deepEqual(range('bytes=-500'), { start: 0, end: 99 });
});

it('refuses ranges outside of the file', () => {
  assert.equal(range('bytes=100-'), 'unsatisfiable');
  assert.equal(range('bytes=-0'), 'unsatisfiable');
  assert.equal(range('bytes=0-', 0), 'unsatisfiable');
});

it('gives the whole file for what it does not understand', () => {
  for (const text of ['bytes=5-2', 'bytes=-', 'bytes=0-1,5-6', 'lines=1-2', 'bytes=a-b'])
    assert.equal(range(text), 'all');
});

it('says that nothing has changed to who has the tag, weak or in a list', () => {
  for (const known of [TAG, `W/${TAG}`, `"x", ${TAG}`, '*']) {
    assert.equal(wantedOf({ 'if-none-match': known, range: 'bytes=0-1' }, TAG, 100), 'unchanged');
  }
  assert.equal(wantedOf({ 'if-none-match': '"x"' }, TAG, 100), 'all');
});

it('gives the whole file where the part was of another one', () => {
  assert.equal(wantedOf({ 'if-range': '"x"', range: 'bytes=0-1' }, TAG, 100), 'all');
  assert.deepEqual(wantedOf({ 'if-range': TAG, range: 'bytes=0-1' }, TAG, 100), { start: 0, end: 1 });
});
