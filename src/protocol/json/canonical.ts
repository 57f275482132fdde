/**
 * Canonical JSON: the one encoding over which events are hashed and signed.
 * Spec: appendices/#canonical-json
 */
import { isRawNumber } from './exact.ts';
import { JSON_DEPTH_MAX } from './parse.ts';
import { isJsonArray, type JsonObject, type JsonValue } from './value.ts';

/** A value that has no canonical encoding. */
export class NotCanonicalError extends Error {
  override readonly name = 'NotCanonicalError';
}

/**
 * The canonical encoding of `value`: shortest form, keys sorted by code point, integers only. Negative zero becomes 0.
 * @throws NotCanonicalError on numbers that aren't integers within ±(2^53-1), on lone surrogates (they have no UTF-8),
 *   and on nesting beyond `JSON_DEPTH_MAX`
 */
export function canonicalJson(value: JsonValue): string {
  return encode(value, strictNumber, 0);
}

/**
 * The canonical encoding as room versions 1 to 5 need it, which never enforced its limits on numbers: those that
 * `parseExactJson` kept are written as they came. Other floats are written as Synapse writes them, whose hashes go over them
 * after parsing; integers beyond 2^53 without exponent.
 * @throws NotCanonicalError on lone surrogates, infinities, and nesting beyond `JSON_DEPTH_MAX`
 */
export function canonicalJsonLenient(value: JsonValue): string {
  return encode(value, lenientNumber, 0);
}

type NumberEncoder = (value: number | JsonObject) => string;

function strictNumber(value: number | JsonObject): string {
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) {
    throw new NotCanonicalError('Canonical JSON has only integers from -(2^53-1) to 2^53-1');
  }
  return value === 0 ? '0' : String(value);
}

function lenientNumber(value: number | JsonObject): string {
  if (typeof value !== 'number') return rawText(value);
  if (Number.isSafeInteger(value)) return strictNumber(value);
  if (!Number.isFinite(value)) throw new NotCanonicalError('JSON has no infinities');
  return Number.isInteger(value) ? BigInt(value).toString() : floatText(value);
}

function rawText({ rawJSON: text }: JsonObject): string {
  if (typeof text !== 'string' || !Number.isFinite(Number(text))) throw new NotCanonicalError('JSON has no infinities');
  return text;
}

/** A float that isn't an integer as Python writes it: with an exponent of two digits below 0.0001. */
function floatText(value: number): string {
  if (Math.abs(value) >= 1e-4) return String(value);
  return value.toExponential().replace(/e-(\d)$/, 'e-0$1');
}

function encode(value: JsonValue, number: NumberEncoder, depth: number): string {
  switch (typeof value) {
    case 'string':
      return encodeString(value);
    case 'number':
      return number(value);
    case 'boolean':
      return value ? 'true' : 'false';
    case 'object':
      if (value === null) return 'null';
      if (depth >= JSON_DEPTH_MAX) {
        throw new NotCanonicalError(`JSON is nested deeper than ${JSON_DEPTH_MAX} levels`);
      }
      if (isJsonArray(value)) return encodeArray(value, number, depth + 1);
      return isRawNumber(value) ? number(value) : encodeObject(value, number, depth + 1);
    default:
      throw new NotCanonicalError(`JSON has no ${typeof value}`);
  }
}

function encodeArray(array: readonly JsonValue[], number: NumberEncoder, depth: number): string {
  let out = '[';
  for (let i = 0; i < array.length; i++) {
    const item = array[i];
    if (item === undefined) throw new NotCanonicalError('JSON has no undefined');
    out += i === 0 ? encode(item, number, depth) : `,${encode(item, number, depth)}`;
  }
  return `${out}]`;
}

function encodeObject(object: JsonObject, number: NumberEncoder, depth: number): string {
  const keys = sortKeys(Object.keys(object));
  let out = '{';
  let separator = '';
  for (const key of keys) {
    const value = object[key];
    if (value === undefined) continue; // an absent optional field, as JSON.stringify has it
    out += `${separator}${encodeString(key)}:${encode(value, number, depth)}`;
    separator = ',';
  }
  return `${out}}`;
}

// What must be escaped, and surrogates, which must be looked at.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const UNUSUAL = /["\\\u0000-\u001f\ud800-\udfff]/;

/** The canonical encoding of one string, quotes included. */
function encodeString(value: string): string {
  if (!UNUSUAL.test(value)) return `"${value}"`;
  if (!value.isWellFormed()) throw new NotCanonicalError('A string has a lone surrogate');
  // JSON.stringify escapes exactly as the grammar demands: short escapes where there are, lower-case hex elsewhere.
  return JSON.stringify(value);
}

const SURROGATE = /[\ud800-\udfff]/;

/** Sorts by code point. JavaScript sorts by UTF-16 unit, which differs only where there are surrogates. */
function sortKeys(keys: string[]): string[] {
  if (keys.length < 2) return keys;
  return keys.some((key) => SURROGATE.test(key)) ? keys.sort(compareCodePoints) : keys.sort();
}

/** The order of two strings by Unicode code point. */
export function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return weight(x) - weight(y);
  }
  return a.length - b.length;
}

/** Lifts surrogates (code points from U+10000) above U+E000 to U+FFFF. */
function weight(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}
