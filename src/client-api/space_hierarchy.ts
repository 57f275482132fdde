/** Spec: data/api/client-server/space_hierarchy.yaml */
import { z } from 'zod';
import { type Route, route } from '../http/route.ts';
import { queryBoolean, queryInteger, queryLimit, roomIdSchema } from '../http/schema.ts';
import type { RoomReads } from '../rooms/index.ts';

const LIMIT_MAX = 50;
const DEPTH_MAX = 50;

/** The rooms in a space. */
export function spaceHierarchyRoutes({ reads }: { readonly reads: RoomReads }): Route[] {
  return [
    route({
      method: 'GET',
      // The second one is of MSC2946.
      path: [
        '/_matrix/client/v1/rooms/{roomId}/hierarchy',
        '/_matrix/client/unstable/org.matrix.msc2946/rooms/{roomId}/hierarchy',
      ],
      operationId: 'getSpaceHierarchy',
      spec: 'client-server-api/#get_matrixclientv1roomsroomidhierarchy',
      auth: 'guest',
      rateLimit: 'generic',
      params: z.object({ roomId: roomIdSchema }),
      query: z.object({
        suggested_only: queryBoolean().default(false),
        limit: queryLimit({ max: LIMIT_MAX }).default(LIMIT_MAX),
        max_depth: queryInteger()
          .default(DEPTH_MAX)
          .transform((depth) => Math.min(depth, DEPTH_MAX)),
        from: z.string().optional(),
      }),
      handle: ({ requester: { userId }, params: { roomId }, query }) => {
        const { suggested_only: suggestedOnly, max_depth: maxDepth, limit, from } = query;
        return reads.hierarchy({ roomId, userId, suggestedOnly, maxDepth, limit, from });
      },
    }),
  ];
}
