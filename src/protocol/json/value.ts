/**
 * JSON values and typed readers for them. A value that came from outside is a `JsonValue`; only own properties are read,
 * so that a key such as `constructor` or `__proto__` never reaches a prototype.
 */

/** Any JSON value. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;

/** A JSON object. Values don't change once they are made. */
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

/** Whether `value` is an object that is neither null nor an array. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether `value` is an array of JSON values. */
export function isJsonArray(value: JsonValue | undefined): value is readonly JsonValue[] {
  return Array.isArray(value);
}

/** Whether `value` is an array with nothing but strings. */
export function isStringArray(value: JsonValue | undefined): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

/** The object's own value under `key`, or undefined. */
export function readValue(object: JsonObject, key: string): JsonValue | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/** The string under `key`, or undefined where there is none or it has another type. */
export function readString(object: JsonObject, key: string): string | undefined {
  const value = readValue(object, key);
  return typeof value === 'string' ? value : undefined;
}

/** The boolean under `key`, or undefined where there is none or it has another type. */
export function readBoolean(object: JsonObject, key: string): boolean | undefined {
  const value = readValue(object, key);
  return typeof value === 'boolean' ? value : undefined;
}

/** The integer within ±(2^53-1) under `key`, or undefined where there is none or it has another type. */
export function readInteger(object: JsonObject, key: string): number | undefined {
  const value = readValue(object, key);
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : undefined;
}

/** The object under `key`, or undefined where there is none or it has another type. */
export function readObject(object: JsonObject, key: string): JsonObject | undefined {
  const value = readValue(object, key);
  return isJsonObject(value) ? value : undefined;
}

/** The array under `key`, or undefined where there is none or it has another type. */
export function readArray(object: JsonObject, key: string): readonly JsonValue[] | undefined {
  const value = readValue(object, key);
  return isJsonArray(value) ? value : undefined;
}

/** The array of strings under `key`, or undefined where there is none or anything in it isn't a string. */
export function readStrings(object: JsonObject, key: string): readonly string[] | undefined {
  const value = readValue(object, key);
  return isStringArray(value) ? value : undefined;
}
