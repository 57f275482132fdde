/** Spec: data/api/client-server/notifications.yaml */
import { z } from 'zod';
import { notificationsJson } from '../delivery/index.ts';
import { type Route, rawJson, route } from '../http/route.ts';
import { queryLimit } from '../http/schema.ts';
import type { Rooms } from '../rooms/index.ts';
import { v3 } from './paths.ts';

const LIMIT_DEFAULT = 20;
const LIMIT_MAX = 100;

/** What the user was notified of. */
export function notificationsRoutes({ rooms }: { readonly rooms: Rooms }): Route[] {
  return [
    route({
      method: 'GET',
      path: v3('/notifications'),
      operationId: 'getNotifications',
      spec: 'client-server-api/#get_matrixclientv3notifications',
      auth: 'user',
      rateLimit: 'generic',
      query: z.object({
        from: z.string().optional(),
        limit: queryLimit({ max: LIMIT_MAX }).optional(),
        only: z.string().optional(),
      }),
      handle: async ({ requester: viewer, query: { from, limit = LIMIT_DEFAULT, only } }) =>
        rawJson(await notificationsJson(rooms.reading, { viewer, from, limit, onlyHighlights: only === 'highlight' })),
    }),
  ];
}
