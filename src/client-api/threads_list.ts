/** Spec: data/api/client-server/threads_list.yaml */
import { z } from 'zod';
import { type Route, rawJson, route } from '../http/route.ts';
import { queryLimit, roomIdSchema } from '../http/schema.ts';
import type { RoomReads } from '../rooms/index.ts';

const LIMIT_DEFAULT = 20;
const LIMIT_MAX = 100;

/** The threads of a room. */
export function threadsListRoutes({ reads }: { readonly reads: RoomReads }): Route[] {
  return [
    route({
      method: 'GET',
      // The second one is of MSC3856.
      path: [
        '/_matrix/client/v1/rooms/{roomId}/threads',
        '/_matrix/client/unstable/org.matrix.msc3856/rooms/{roomId}/threads',
      ],
      operationId: 'getThreadRoots',
      spec: 'client-server-api/#get_matrixclientv1roomsroomidthreads',
      auth: 'guest',
      rateLimit: 'generic',
      params: z.object({ roomId: roomIdSchema }),
      query: z.object({
        include: z.enum(['all', 'participated']).default('all'),
        limit: queryLimit({ max: LIMIT_MAX }).default(LIMIT_DEFAULT),
        from: z.string().optional(),
      }),
      handle: async ({ requester: viewer, params: { roomId }, query: { include, limit, from } }) =>
        rawJson(await reads.threads({ roomId, viewer, include, limit, from })),
    }),
  ];
}
