/** Spec: data/api/client-server/filter.yaml */
import { z } from 'zod';
import type { Accounts } from '../accounts/index.ts';
import { type Route, route } from '../http/route.ts';
import { jsonObjectSchema, userIdSchema } from '../http/schema.ts';
import { notFound } from '../protocol/errors.ts';
import { assertOwn } from './own-account.ts';
import { v3 } from './paths.ts';

const BODY_BYTES_MAX = 64 * 1024;

/** Filters that clients store, to name them in `/sync`. */
export function filterRoutes({ accounts: { filters } }: { accounts: Accounts }): Route[] {
  return [
    route({
      method: 'POST',
      path: v3('/user/{userId}/filter'),
      operationId: 'defineFilter',
      spec: 'client-server-api/#post_matrixclientv3useruseridfilter',
      auth: 'guest',
      allowSuspended: true,
      params: z.object({ userId: userIdSchema }),
      body: jsonObjectSchema,
      bodyBytesMax: BODY_BYTES_MAX,
      handle: async ({ requester, params: { userId }, body }) => {
        assertOwn(requester, userId);
        return { filter_id: await filters.create(userId, body) };
      },
    }),
    route({
      method: 'GET',
      path: v3('/user/{userId}/filter/{filterId}'),
      operationId: 'getFilter',
      spec: 'client-server-api/#get_matrixclientv3useruseridfilterfilterid',
      auth: 'guest',
      params: z.object({ userId: userIdSchema, filterId: z.string() }),
      handle: async ({ requester, params: { userId, filterId } }) => {
        assertOwn(requester, userId);
        const json = await filters.getJson(userId, filterId);
        if (json === undefined) throw notFound('No such filter');
        return json;
      },
    }),
  ];
}
