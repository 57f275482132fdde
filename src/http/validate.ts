/** Checks params, query and body against a route's schemas; says which key is wrong. */
import type { z } from 'zod';
import { badJson, invalidParam, type MatrixError, missingParam } from '../protocol/errors.ts';

/** Where a value stands in the request; it decides the errcode and the words. */
export type Part = 'path' | 'query' | 'body';

/**
 * The parsed value. Throws `M_MISSING_PARAM` where a required key is missing; for a wrong value `M_INVALID_PARAM` in
 * path or query, and `M_BAD_JSON` in the body. A schema may throw a `MatrixError` of its own.
 */
export function validate(schema: z.ZodType, value: unknown, part: Part): unknown {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw refusal(parsed.error.issues[0], value, part);
}

function refusal(issue: z.core.$ZodIssue | undefined, value: unknown, part: Part): MatrixError {
  const key = issue === undefined ? '' : keyText(issue.path);
  if (issue !== undefined && issue.path.length > 0 && isMissing(value, issue.path)) {
    return missingParam(`Missing ${KEY_NAME[part]}: ${key}`);
  }
  const reason = issue?.message ?? 'is not valid';
  const message = key === '' ? `Invalid ${part}: ${reason}` : `Invalid ${KEY_NAME[part]} ${key}: ${reason}`;
  return part === 'body' ? badJson(message) : invalidParam(message);
}

const KEY_NAME = { path: 'path parameter', query: 'query parameter', body: 'key' } as const;

/** Longer keys of the client's are cut in messages. */
const KEY_CHARACTERS_MAX = 100;

function keyText(path: readonly PropertyKey[]): string {
  return path.map(String).join('.').slice(0, KEY_CHARACTERS_MAX);
}

function isMissing(value: unknown, path: readonly PropertyKey[]): boolean {
  let here = value;
  for (const key of path) {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, key)) return true;
    here = Reflect.get(here, key);
  }
  return here === undefined;
}
