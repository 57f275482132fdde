/** Spec: data/api/client-server/room_send.yaml */
import { z } from 'zod';
import { type Route, route } from '../http/route.ts';
import { jsonObjectSchema, queryInteger, roomIdSchema } from '../http/schema.ts';
import type { Rooms } from '../rooms/index.ts';
import { STICKY_PARAM, v3 } from './paths.ts';

/** Sending messages. */
export function roomSendRoutes({ rooms }: { readonly rooms: Rooms }): Route[] {
  return [
    route({
      method: 'PUT',
      path: v3('/rooms/{roomId}/send/{eventType}/{txnId}'),
      operationId: 'sendMessage',
      spec: 'client-server-api/#put_matrixclientv3roomsroomidsendeventtypetxnid',
      auth: 'guest',
      rateLimit: 'message',
      // Suspended users may redact their own events.
      allowSuspended: true,
      params: z.object({ roomId: roomIdSchema, eventType: z.string(), txnId: z.string() }),
      query: z.object({ [STICKY_PARAM]: queryInteger().optional() }),
      body: jsonObjectSchema,
      handle: async ({ requester, params: { roomId, eventType: type, txnId }, query, body: content }) => {
        const { userId: sender, deviceId = '', isSuspended } = requester;
        const transaction = { userId: sender, deviceId, txnId };
        const stickyDurationMs = query[STICKY_PARAM];
        const request = { roomId, sender, type, content, transaction, isSuspended, stickyDurationMs };
        return { event_id: await rooms.send(request) };
      },
    }),
  ];
}
