/** Spec: data/api/client-server/room_event_by_timestamp.yaml */
import { z } from 'zod';
import { type Route, route } from '../http/route.ts';
import { queryInteger, roomIdSchema } from '../http/schema.ts';
import type { RoomReads } from '../rooms/index.ts';

/** The event nearest to a time. */
export function roomEventByTimestampRoutes({ reads }: { readonly reads: RoomReads }): Route[] {
  return [
    route({
      method: 'GET',
      path: [
        '/_matrix/client/v1/rooms/{roomId}/timestamp_to_event',
        '/_matrix/client/unstable/org.matrix.msc3030/rooms/{roomId}/timestamp_to_event',
      ],
      operationId: 'getEventByTimestamp',
      spec: 'client-server-api/#get_matrixclientv1roomsroomidtimestamp_to_event',
      auth: 'user',
      rateLimit: 'generic',
      params: z.object({ roomId: roomIdSchema }),
      query: z.object({ ts: queryInteger(), dir: z.enum(['b', 'f']) }),
      handle: async ({ requester, params: { roomId }, query: { ts, dir } }) => {
        const { eventId, originServerTs } = await reads.eventByTimestamp({ roomId, viewer: requester, ts, dir });
        return { event_id: eventId, origin_server_ts: originServerTs };
      },
    }),
  ];
}
