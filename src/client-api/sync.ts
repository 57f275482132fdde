import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { type Route, rawJson, route } from '../http/route.ts';
import { queryBoolean, queryInteger } from '../http/schema.ts';
import type { Presence } from '../presence/index.ts';
import { invalidParam, notFound } from '../protocol/errors.ts';
import { type Filter, isBadFilter, parseFilter } from '../protocol/filter/index.ts';
import type { UserId } from '../protocol/ids/index.ts';
import { isJsonObject } from '../protocol/json/index.ts';
import type { Sync } from '../sync/index.ts';

/** Waiting longer than this brings nothing: proxies give up on such requests. */
const TIMEOUT_MS_MAX = 10 * 60 * 1000;

const EVERYTHING = everything();
/** Clients send the same filter with every request. */
const inlineFilters = new LRUCache<string, Filter>({
  max: 500,
  maxSize: 1_000_000,
  sizeCalculation: (_, text) => text.length + 1,
});

/** What the route needs beside sync itself: the filters that clients have stored. */
export interface StoredFilters {
  get(userId: UserId, filterId: string): Promise<Filter | undefined>;
}

/** `/sync`. Spec: client-server-api/#syncing */
export function syncRoutes(parts: {
  readonly sync: Sync;
  readonly filters: StoredFilters;
  readonly presence: Presence;
}): Route[] {
  const { sync, filters, presence } = parts;
  return [
    route({
      method: 'GET',
      path: ['/_matrix/client/v3/sync', '/_matrix/client/r0/sync'],
      operationId: 'sync',
      spec: 'client-server-api/#get_matrixclientv3sync',
      auth: 'guest',
      isLongPoll: true,
      query: z.object({
        filter: z.string().optional(),
        since: z.string().optional(),
        full_state: queryBoolean().optional(),
        set_presence: z.enum(['offline', 'online', 'unavailable', 'busy']).optional(),
        timeout: queryInteger().optional(),
        use_state_after: queryBoolean().optional(),
        'org.matrix.msc4222.use_state_after': queryBoolean().optional(),
      }),
      handle: async ({ query, requester, signal }) => {
        const filter = await filterOf(filters, requester.userId, query.filter);
        const isStable = query.use_state_after ?? false;
        const isUnstable = query['org.matrix.msc4222.use_state_after'] ?? false;
        const endSync = presence.beginSync(requester.userId, requester.deviceId ?? '', query.set_presence ?? 'online');
        const answering = sync.sync(
          { userId: requester.userId, deviceId: requester.deviceId },
          {
            since: query.since,
            filter,
            fullState: query.full_state ?? false,
            useStateAfter: isStable || isUnstable,
            stateAfterKey: isStable ? 'state_after' : 'org.matrix.msc4222.state_after',
            timeoutMs: Math.min(query.timeout ?? 0, TIMEOUT_MS_MAX),
          },
          signal,
        );
        return rawJson(await answering.finally(endSync));
      },
    }),
  ];
}

/** What a client names as its filter: an id, the filter itself as JSON, or nothing, which lets everything pass. */
async function filterOf(filters: StoredFilters, userId: UserId, text: string | undefined): Promise<Filter> {
  if (text === undefined || text === '') return EVERYTHING;
  if (text.startsWith('{')) return inlineFilter(text);
  const filter = await filters.get(userId, text);
  if (filter === undefined) throw notFound('No such filter');
  return filter;
}

function inlineFilter(text: string): Filter {
  const known = inlineFilters.get(text);
  if (known !== undefined) return known;
  const json = parseJsonText(text);
  if (!isJsonObject(json)) throw invalidParam('filter must be an id or a JSON object');
  const filter = parseFilter(json);
  if (isBadFilter(filter)) throw invalidParam(`filter: ${filter.problem}`);
  inlineFilters.set(text, filter);
  return filter;
}

function parseJsonText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function everything(): Filter {
  const filter = parseFilter({});
  if (isBadFilter(filter)) throw new Error('the empty filter is a filter');
  return filter;
}
