/** Spec: data/api/client-server/search.yaml */
import { z } from 'zod';
import { type Route, rawJson, route } from '../http/route.ts';
import { jsonObjectSchema } from '../http/schema.ts';
import { invalidParam } from '../protocol/errors.ts';
import { isBadFilter, parseRoomEventFilter } from '../protocol/filter/index.ts';
import type { Rooms } from '../rooms/index.ts';
import { answerJson, SEARCH_KEYS, type Search } from '../search/index.ts';
import { v3 } from './paths.ts';

const LIMIT_DEFAULT = 10;
const LIMIT_MAX = 100;
const CONTEXT_DEFAULT = 5;
const CONTEXT_MAX = 50;

const contextLimit = z
  .int()
  .min(0)
  .default(CONTEXT_DEFAULT)
  .transform((count) => Math.min(count, CONTEXT_MAX));

const roomEvents = z.object({
  search_term: z.string().max(2000),
  keys: z.array(z.enum(SEARCH_KEYS)).optional(),
  filter: jsonObjectSchema.optional(),
  order_by: z.enum(['recent', 'rank']).default('rank'),
  event_context: z
    .object({ before_limit: contextLimit, after_limit: contextLimit, include_profile: z.boolean().default(false) })
    .optional(),
  include_state: z.boolean().default(false),
  groupings: z.object({ group_by: z.array(z.object({ key: z.enum(['room_id', 'sender']) })).default([]) }).optional(),
});

/** Searching in rooms. */
export function searchRoutes({ search, rooms }: { readonly search: Search; readonly rooms: Rooms }): Route[] {
  return [
    route({
      method: 'POST',
      path: v3('/search'),
      operationId: 'search',
      spec: 'client-server-api/#post_matrixclientv3search',
      auth: 'user',
      allowSuspended: true,
      rateLimit: 'search',
      query: z.object({ next_batch: z.string().max(100).optional() }),
      body: z.object({ search_categories: z.object({ room_events: roomEvents.optional() }) }),
      handle: async ({ requester: viewer, query, body }) => {
        const wanted = body.search_categories.room_events;
        if (wanted === undefined) return { search_categories: {} };
        const filter = parseRoomEventFilter(wanted.filter ?? {});
        if (isBadFilter(filter)) throw invalidParam(`filter: ${filter.problem}`);
        const page = await search.find({
          viewer,
          term: wanted.search_term,
          keys: wanted.keys ?? [],
          filter,
          order: wanted.order_by,
          limit: Math.min(filter.limit ?? LIMIT_DEFAULT, LIMIT_MAX),
          from: query.next_batch,
        });
        const context = wanted.event_context && {
          before: wanted.event_context.before_limit,
          after: wanted.event_context.after_limit,
          includeProfile: wanted.event_context.include_profile,
        };
        const groupBy = (wanted.groupings?.group_by ?? []).map(({ key }) => key);
        const options = { context, groupBy, includeState: wanted.include_state };
        const json = await answerJson(rooms.reading, rooms.reads, viewer, page, options);
        return rawJson(`{"search_categories":{"room_events":${json}}}`);
      },
    }),
  ];
}
