import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { canonicalJson, canonicalJsonLenient, NotCanonicalError, parseExactJson, withPlainNumbers } from './index.ts';

describe('numbers as they were written', () => {
  for (const number of ['1.0', '1e3', '1E+03', '-0.0', '1.50', '1e-07', '12345678901234567890', '9007199254740993']) {
    it(`keeps ${number}, which strict canonical JSON refuses`, () => {
      const value = parseExactJson(`{"b":[${number}],"a":"${number}"}`);
      assert.equal(canonicalJsonLenient(value), `{"a":"${number}","b":[${number}]}`);
      assert.equal(JSON.stringify(value), `{"b":[${number}],"a":"${number}"}`);
      assert.throws(() => canonicalJson(value), NotCanonicalError);
      assert.deepEqual(withPlainNumbers(value), { a: number, b: [Number(number)] });
    });
  }

  it('leaves integers that a double can hold, and what looks like others within strings', () => {
    const text = '{"a":[1,-2,9007199254740991],"b":"at: 1.5 or [1e3]","c":"\\":2.5"}';
    const value = parseExactJson(text);
    assert.deepEqual(value, JSON.parse(text));
    assert.equal(withPlainNumbers(value), value);
    assert.equal(canonicalJson(value), text);
  });

  it('takes an object that only looks like a kept number for an object', () => {
    const value = parseExactJson('{"a":{"rawJSON":"1.5"},"b":1.5}');
    assert.equal(canonicalJsonLenient(value), '{"a":{"rawJSON":"1.5"},"b":1.5}');
    assert.deepEqual(withPlainNumbers(value), { a: { rawJSON: '1.5' }, b: 1.5 });
  });

  it('has no infinities', () => {
    assert.throws(() => canonicalJsonLenient(parseExactJson('[1e999]')), NotCanonicalError);
  });

  it('writes floats of our own as Python does', () => {
    assert.equal(
      canonicalJsonLenient([0.5, 1e-7, -0.00001234, 0.0001, 1e21]),
      '[0.5,1e-07,-1.234e-05,0.0001,1000000000000000000000]',
    );
  });
});
