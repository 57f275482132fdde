import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import canonicaljson from 'canonicaljson';
import fc from 'fast-check';
import { canonicalJson, canonicalJsonLenient, compareCodePoints, NotCanonicalError } from './canonical.ts';
import { JSON_DEPTH_MAX } from './parse.ts';
import type { JsonValue } from './value.ts';

const key = fc.string({ unit: 'binary' }).filter((text) => text !== '__proto__');
const scalar = fc.oneof(fc.string({ unit: 'binary' }), fc.maxSafeInteger(), fc.boolean(), fc.constant(null));
const { value: anyValue } = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    scalar,
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(key, tie('value'), { maxKeys: 6 }),
  ),
}));

function nested(depth: number): JsonValue {
  let value: JsonValue = [];
  for (let i = 1; i < depth; i++) value = [value];
  return value;
}

describe('canonicalJson', () => {
  it('is read back as the same value', () => {
    // -0 equals 0 here, and is written as 0.
    fc.assert(fc.property(anyValue, (value) => assert.deepEqual(JSON.parse(canonicalJson(value)), normalize(value))));
  });

  it('changes nothing in what is canonical', () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        const text = canonicalJson(value);
        assert.equal(canonicalJson(JSON.parse(text)), text);
      }),
    );
  });

  it('does not depend on the order in which keys were added', () => {
    fc.assert(
      fc.property(fc.dictionary(key, scalar), (object) => {
        const reversed = Object.fromEntries(Object.entries(object).reverse());
        assert.equal(canonicalJson(reversed), canonicalJson(object));
      }),
    );
  });

  it('sorts keys by code point, as their UTF-8 is sorted', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string({ unit: 'binary' })), (keys) => {
        const byUtf8 = [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
        assert.deepEqual([...keys].sort(compareCodePoints), byUtf8);
      }),
    );
    assert.equal(canonicalJson({ '\u{1F600}': 1, '\uFFFD': 2 }), '{"\uFFFD":2,"\u{1F600}":1}');
  });

  it('sorts keys that look like numbers as text', () => {
    assert.equal(canonicalJson({ 10: 1, 9: 2, a: 3 }), '{"10":1,"9":2,"a":3}');
  });

  it('agrees with the canonicaljson package where both must agree', () => {
    // That package writes control characters in upper-case hex, so they are left out.
    const printable = fc.string({ unit: 'grapheme-composite' });
    // It trips over objects without prototype, and over keys that such a prototype has.
    const dictionary = <T>(value: fc.Arbitrary<T>) =>
      fc.dictionary(
        printable.filter((text) => !(text in {}) && text !== 'toJSON'),
        value,
        { noNullPrototype: true },
      );
    const plain = fc.oneof(printable, fc.maxSafeInteger(), fc.boolean(), fc.constant(null));
    const object = dictionary(fc.oneof(plain, fc.array(plain), dictionary(plain)));
    fc.assert(fc.property(object, (value) => assert.equal(canonicalJson(value), canonicaljson.stringify(value))));
  });

  it('escapes control characters in lower-case hex, with the short escapes where there are', () => {
    assert.equal(
      canonicalJson('\u0000\u001f\b\t\n\f\r"\\/\u007f\u2028'),
      '"\\u0000\\u001f\\b\\t\\n\\f\\r\\"\\\\/\u007f\u2028"',
    );
  });

  it('keeps a key named __proto__', () => {
    assert.equal(canonicalJson(JSON.parse('{"b":1,"__proto__":{"x":1}}')), '{"__proto__":{"x":1},"b":1}');
  });

  it('accepts the outermost integers and refuses the next', () => {
    assert.equal(canonicalJson([2 ** 53 - 1, -(2 ** 53) + 1, -0]), '[9007199254740991,-9007199254740991,0]');
    for (const number of [2 ** 53, -(2 ** 53), 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      assert.throws(() => canonicalJson({ number }), NotCanonicalError);
    }
  });

  it('refuses lone surrogates in values and in keys', () => {
    assert.throws(() => canonicalJson('\ud800'), NotCanonicalError);
    assert.throws(() => canonicalJson({ 'a\udc00': 1 }), NotCanonicalError);
    assert.equal(canonicalJson('\ud83d\ude00'), '"😀"');
  });

  it('refuses nesting beyond the limit', () => {
    assert.equal(canonicalJson(nested(JSON_DEPTH_MAX)).length, 2 * JSON_DEPTH_MAX);
    assert.throws(() => canonicalJson(nested(JSON_DEPTH_MAX + 1)), NotCanonicalError);
  });
});

describe('canonicalJsonLenient', () => {
  it('writes what is canonical like the strict one', () => {
    fc.assert(fc.property(anyValue, (value) => assert.equal(canonicalJsonLenient(value), canonicalJson(value))));
  });

  it('keeps floats, and large integers without exponent', () => {
    assert.equal(canonicalJsonLenient([50.57, 2 ** 63, 1e21]), '[50.57,9223372036854775808,1000000000000000000000]');
  });

  it('refuses infinities', () => {
    assert.throws(() => canonicalJsonLenient([Number.POSITIVE_INFINITY]), NotCanonicalError);
  });
});

function normalize(value: JsonValue): unknown {
  return JSON.parse(JSON.stringify(value));
}
