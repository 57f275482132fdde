/** Spec: data/api/client-server/room_send.yaml */
import { z } from 'zod';
import { type Route, route } from '../http/route.ts';
import { jsonObjectSchema, roomIdSchema } from '../http/schema.ts';
import type { Rooms } from '../rooms/index.ts';
import { v3 } from './paths.ts';

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
      body: jsonObjectSchema,
      handle: async ({ requester, params: { roomId, eventType: type, txnId }, body: content }) => {
        const { userId: sender, deviceId = '', isSuspended } = requester;
        const transaction = { userId: sender, deviceId, txnId };
        return { event_id: await rooms.send({ roomId, sender, type, content, transaction, isSuspended }) };
      },
    }),
  ];
}
