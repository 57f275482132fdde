/** What the headers and the query of a request say of who sends it. */
import { parse as parseQuery } from 'node:querystring';
import type { Masquerade } from './requester.ts';

/** No query has more params than this; what exceeds it is left out. */
const QUERY_KEYS_MAX = 200;

/** The token of `Authorization: Bearer …`; undefined where there is none. */
export function bearerToken(header: string | undefined): string | undefined {
  if (header === undefined || header.length < 8) return undefined;
  const scheme = header.slice(0, 7);
  if (scheme !== 'Bearer ' && scheme.toLowerCase() !== 'bearer ') return undefined;
  const token = header.slice(7).trim();
  return token === '' ? undefined : token;
}

/** `user_id` and `device_id` of the query, by which application services act as their users. */
export function masquerade(query: string): Masquerade | undefined {
  if (!query.includes('user_id=')) return undefined;
  const values = queryObject(query);
  const userId = firstOf(values.user_id);
  if (userId === undefined) return undefined;
  return { userId, deviceId: firstOf(values.device_id) ?? firstOf(values['org.matrix.msc3202.device_id']) };
}

/** The parameters of a query. */
export function queryObject(query: string) {
  return parseQuery(query, '&', '=', { maxKeys: QUERY_KEYS_MAX });
}

/** The first value of a parameter. */
export function firstOf(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === 'object' ? value[0] : value;
}
