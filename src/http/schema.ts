/** Pieces for the schemas of routes: query values, which come as strings, and branded identifiers. */
import { z } from 'zod';
import { parseEventId, parseRoomAlias, parseRoomId, parseServerName, parseUserId } from '../protocol/ids/index.ts';
import { isJsonObject, type JsonObject } from '../protocol/json/index.ts';

/** A query parameter's boolean: `true` or `false`, nothing else. */
export function queryBoolean() {
  return z.enum(['true', 'false']).transform((text) => text === 'true');
}

/** A query parameter's integer within bounds, both included. Default bounds: 0 and 2^53 - 1. */
export function queryInteger({ min = 0, max = Number.MAX_SAFE_INTEGER }: { min?: number; max?: number } = {}) {
  return z
    .string()
    .regex(/^-?[0-9]{1,16}$/, 'must be an integer')
    .transform(Number)
    .pipe(z.int().min(min).max(max));
}

/** A query parameter's count: at least `min` (1), and what exceeds `max` is taken as `max`, as for `limit`. */
export function queryLimit({ min = 1, max }: { min?: number; max: number }) {
  return queryInteger({ min }).transform((count) => Math.min(count, max));
}

/** A query parameter that may be repeated: always an array, empty where it is missing. */
export function queryStrings() {
  return z
    .union([z.string().transform((one) => [one]), z.array(z.string())])
    .optional()
    .transform((values): readonly string[] => values ?? []);
}

/** A query parameter that holds a JSON object, as inline filters do. */
export function queryJson() {
  return z.string().transform((text, context): JsonObject => {
    try {
      const value: unknown = JSON.parse(text);
      if (isJsonObject(value)) return value;
    } catch {}
    context.addIssue({ code: 'custom', message: 'must be a JSON object' });
    return z.NEVER;
  });
}

/** A string that `parse` turns into a branded type; `what` completes "must be …". */
export function branded<T extends string>(parse: (text: string) => T | undefined, what: string) {
  return z.string().transform((text, context): T => {
    const value = parse(text);
    if (value !== undefined) return value;
    context.addIssue({ code: 'custom', message: `must be ${what}` });
    return z.NEVER;
  });
}

export const userIdSchema = branded(parseUserId, 'a user id');
export const roomIdSchema = branded(parseRoomId, 'a room id');
export const eventIdSchema = branded(parseEventId, 'an event id');
export const roomAliasSchema = branded(parseRoomAlias, 'a room alias');
export const serverNameSchema = branded(parseServerName, 'a server name');

/** Any JSON object, its keys kept as they are: event contents, account data. */
export const jsonObjectSchema = z.custom<JsonObject>(isJsonObject, 'must be an object');
