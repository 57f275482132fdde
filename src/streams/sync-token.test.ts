import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { encodeSyncToken, encodeTimelineToken, parseSyncToken, parseTimelineToken } from './sync-token.ts';

const position = fc.maxSafeNat();
const token = fc.record({
  events: position,
  accountData: position,
  receipts: position,
  typing: position,
  presence: position,
  toDevice: position,
  deviceLists: position,
  profiles: position,
  sticky: position,
});

describe('a sync token', () => {
  it('is read back as it was written', () => {
    fc.assert(fc.property(token, (value) => assert.deepEqual(parseSyncToken(encodeSyncToken(value)), { ...value })));
    const example = encodeSyncToken({
      events: 1,
      accountData: 2,
      receipts: 3,
      typing: 4,
      presence: 5,
      toDevice: 6,
      deviceLists: 7,
      profiles: 8,
      sticky: 9,
    });
    assert.equal(example, 's1_2_3_4_5_6_7_8_9');
  });

  it('of an older version has the beginning of the streams that it does not know', () => {
    const old = parseSyncToken('s1_2_3_4_5_6_7_8');
    assert.equal(old?.events, 1);
    assert.equal(old.profiles, 8);
    assert.equal(old.sticky, 0);
  });

  for (const malformed of [
    '',
    's',
    's1',
    's1_2_3_4_5_6_7',
    's1_2_3_4_5_6_7_8_9_10',
    's1_2_3_4_5_6_7_8_x',
    's1_2_3_4_5_6_7_8_',
    's1_2_3_4_5_6_7_',
    's-1_2_3_4_5_6_7_8',
    's01_2_3_4_5_6_7_8',
    's1e3_2_3_4_5_6_7_8',
    's1.5_2_3_4_5_6_7_8',
    's 1_2_3_4_5_6_7_8',
    's0x1_2_3_4_5_6_7_8',
    's9007199254740993_2_3_4_5_6_7_8',
    's99999999999999999999_2_3_4_5_6_7_8',
    'S1_2_3_4_5_6_7_8',
    's1_2_3_4_5_6_7_8\n',
    't1_2_3_4_5_6_7_8',
    's72594_4483_1934',
    `s${'1_'.repeat(100_000)}`,
  ]) {
    it(`is refused as ${JSON.stringify(malformed.slice(0, 40))}`, () =>
      assert.equal(parseSyncToken(malformed), undefined));
  }

  it('is refused as any text that is not one of ours', () => {
    fc.assert(fc.property(fc.string(), (text) => assert.equal(parseSyncToken(text), undefined)));
  });
});

describe('a timeline token', () => {
  it('is read back as it was written, also before backfilled events', () => {
    for (const value of [0, 1, -1, 2 ** 53 - 1, 1 - 2 ** 53]) {
      assert.equal(parseTimelineToken(encodeTimelineToken(value)), value);
    }
  });

  it('may be a sync token', () => assert.equal(parseTimelineToken('s17_2_3_4_5_6_7_8'), 17));

  it('is refused where it is malformed', () => {
    for (const text of ['', 't', 't-', 't-0', 't01', 't1.5', 't1e3', 't99999999999999999', 'x1', 't1 ', 's1']) {
      assert.equal(parseTimelineToken(text), undefined, text);
    }
  });
});
