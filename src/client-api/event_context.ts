/** Spec: data/api/client-server/event_context.yaml */
import { z } from 'zod';
import { type Route, rawJson, route } from '../http/route.ts';
import { eventIdSchema, queryLimit, roomIdSchema } from '../http/schema.ts';
import type { RoomReads } from '../rooms/index.ts';
import { v3 } from './paths.ts';
import { queryRoomEventFilter } from './room-event-filter.ts';

const LIMIT_DEFAULT = 10;
const LIMIT_MAX = 200;

/** What stands around an event. */
export function eventContextRoutes({ reads }: { readonly reads: RoomReads }): Route[] {
  return [
    route({
      method: 'GET',
      path: v3('/rooms/{roomId}/context/{eventId}'),
      operationId: 'getEventContext',
      spec: 'client-server-api/#get_matrixclientv3roomsroomidcontexteventid',
      auth: 'guest',
      params: z.object({ roomId: roomIdSchema, eventId: eventIdSchema }),
      query: z.object({
        limit: queryLimit({ min: 0, max: LIMIT_MAX }).optional(),
        filter: queryRoomEventFilter().optional(),
      }),
      handle: async ({ requester, params: { roomId, eventId }, query }) => {
        const limit = query.limit ?? LIMIT_DEFAULT;
        return rawJson(await reads.context({ roomId, eventId, viewer: requester, limit, filter: query.filter }));
      },
    }),
  ];
}
