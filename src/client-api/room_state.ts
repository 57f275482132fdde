/** Spec: data/api/client-server/room_state.yaml */
import { z } from 'zod';
import { type Route, route } from '../http/route.ts';
import { jsonObjectSchema, queryInteger, roomIdSchema } from '../http/schema.ts';
import type { Rooms } from '../rooms/index.ts';
import { STICKY_PARAM, v3 } from './paths.ts';

/** Setting state. Without a state key it is the empty one. */
export function roomStateRoutes({ rooms }: { readonly rooms: Rooms }): Route[] {
  return [
    route({
      method: 'PUT',
      path: [...v3('/rooms/{roomId}/state/{eventType}/{stateKey}'), ...v3('/rooms/{roomId}/state/{eventType}')],
      operationId: 'setRoomStateWithKey',
      spec: 'client-server-api/#put_matrixclientv3roomsroomidstateeventtypestatekey',
      auth: 'guest',
      rateLimit: 'message',
      // Suspended users may leave.
      allowSuspended: true,
      params: z.object({ roomId: roomIdSchema, eventType: z.string(), stateKey: z.string().default('') }),
      query: z.object({ [STICKY_PARAM]: queryInteger().optional() }),
      body: jsonObjectSchema,
      handle: async ({ requester, params: { roomId, eventType: type, stateKey }, query, body: content }) => {
        const { userId: sender, isSuspended, isGuest } = requester;
        const stickyDurationMs = query[STICKY_PARAM];
        const request = { roomId, sender, type, stateKey, content, isSuspended, isGuest, stickyDurationMs };
        return { event_id: await rooms.setState(request) };
      },
    }),
  ];
}
