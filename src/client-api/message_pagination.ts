/** Spec: data/api/client-server/message_pagination.yaml */
import { z } from 'zod';
import { type Route, rawJson, route } from '../http/route.ts';
import { queryLimit, roomIdSchema } from '../http/schema.ts';
import type { RoomReads } from '../rooms/index.ts';
import { v3 } from './paths.ts';
import { queryRoomEventFilter } from './room-event-filter.ts';

const LIMIT_DEFAULT = 10;
const LIMIT_MAX = 1000;

/** Pages of a room's timeline. */
export function messagePaginationRoutes({ reads }: { readonly reads: RoomReads }): Route[] {
  return [
    route({
      method: 'GET',
      path: v3('/rooms/{roomId}/messages'),
      operationId: 'getRoomEvents',
      spec: 'client-server-api/#get_matrixclientv3roomsroomidmessages',
      auth: 'guest',
      params: z.object({ roomId: roomIdSchema }),
      query: z.object({
        from: z.string().optional(),
        to: z.string().optional(),
        dir: z.enum(['b', 'f']),
        limit: queryLimit({ max: LIMIT_MAX }).optional(),
        filter: queryRoomEventFilter().optional(),
      }),
      handle: async ({ requester, params, query }) => {
        const { from, to, dir, filter } = query;
        const limit = query.limit ?? Math.min(filter?.limit ?? LIMIT_DEFAULT, LIMIT_MAX);
        return rawJson(
          await reads.timeline({ roomId: params.roomId, viewer: requester, dir, from, to, limit, filter }),
        );
      },
    }),
  ];
}
