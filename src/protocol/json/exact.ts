/**
 * Numbers as they were written. Room versions 1 to 5 allow floats, and integers beyond 2^53, in events: hashes and signatures
 * go over the digits that the sender wrote, which a parser to doubles loses. Where it matters such a number is kept as a
 * raw JSON value, which `JSON.stringify` and the lenient canonical encoding write as it came.
 */
import { parseJson } from './parse.ts';
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from './value.ts';

declare global {
  // Of ECMAScript 2026, not yet among the types.
  interface JSON {
    parse(
      text: string,
      reviver: (key: string, value: JsonValue, context: { readonly source?: string }) => JsonValue,
    ): JsonValue;
    rawJSON(text: string): JsonObject;
    isRawJSON(value: unknown): boolean;
  }
}

/** A quick look: something that may be such a number, if it isn't within a string. */
const MAY_BE_INEXACT = /[[:,]\s*-?(?:\d+[.eE]|\d{16})/;
const STRINGS_AND_NUMBERS = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g;
const INTEGER = /^-?\d+$/;

/**
 * Parses JSON text, with numbers other than integers within ±(2^53-1) kept as they were written.
 * @param valuesMax as for `parseJson`
 * @throws BadJsonError
 */
export function parseExactJson(text: string, valuesMax?: number): JsonValue {
  const value = parseJson(text, valuesMax);
  if (!MAY_BE_INEXACT.test(text) || !hasInexact(text)) return value;
  return JSON.parse(text, (_key, parsed, { source }) => {
    return typeof parsed !== 'number' || source === undefined || isExact(source) ? parsed : JSON.rawJSON(source);
  });
}

/** Whether the value is a number that was kept as it was written. */
export function isRawNumber(value: JsonObject): boolean {
  return JSON.isRawJSON(value);
}

/** The value with ordinary numbers throughout, to be read; the same one where it has no others. */
export function withPlainNumbers<T extends JsonValue>(value: T): T;
export function withPlainNumbers(value: JsonValue): JsonValue {
  if (isJsonArray(value)) {
    const items = value.map((item) => withPlainNumbers(item));
    return items.every((item, index) => item === value[index]) ? value : items;
  }
  if (!isJsonObject(value)) return value;
  if (isRawNumber(value)) return Number(value.rawJSON);
  const entries = Object.entries(value).map(([key, item]) => [key, withPlainNumbers(item)] as const);
  return entries.every(([key, item]) => item === value[key]) ? value : Object.fromEntries(entries);
}

function hasInexact(text: string): boolean {
  for (const [token] of text.matchAll(STRINGS_AND_NUMBERS)) {
    if (!token.startsWith('"') && !isExact(token)) return true;
  }
  return false;
}

function isExact(number: string): boolean {
  return INTEGER.test(number) && Number.isSafeInteger(Number(number));
}
