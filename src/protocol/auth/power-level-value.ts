import { type JsonObject, type JsonValue, readValue } from '../json/index.ts';
import type { RoomVersionRules } from '../room-versions/index.ts';

/** Leading zeros and a sign are fine, a decimal point isn't. */
const INTEGER_TEXT = /^\s*[+-]?\d+\s*$/;

/**
 * A power level as a number, or undefined where the value isn't one. Before room version 10 an integer in a string
 * counts, and before version 6, which brought strict canonical JSON, a float does: it is cut off at its decimal point.
 * Spec: rooms/v1/#mroompower_levels-events-accept-values-as-strings, rooms/v10/#values-in-mroompower_levels-events-must-be-integers
 */
export function parsePowerLevel(value: JsonValue | undefined, rules: RoomVersionRules): number | undefined {
  if (typeof value === 'number') {
    if (Number.isSafeInteger(value)) return value;
    return rules.strictCanonicalJson ? undefined : finite(Math.trunc(value));
  }
  if (typeof value !== 'string' || rules.integerPowerLevels || !INTEGER_TEXT.test(value)) return undefined;
  return finite(Number(value));
}

/** The power level under `key`, or undefined where there is none that can be read. */
export function readPowerLevel(object: JsonObject, key: string, rules: RoomVersionRules): number | undefined {
  return parsePowerLevel(readValue(object, key), rules);
}

function finite(level: number): number | undefined {
  return Number.isFinite(level) ? level : undefined;
}
