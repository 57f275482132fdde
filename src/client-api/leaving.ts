/** Spec: data/api/client-server/leaving.yaml */
import { z } from 'zod';
import { type Route, route } from '../http/route.ts';
import { roomIdSchema } from '../http/schema.ts';
import type { Rooms } from '../rooms/index.ts';
import { v3 } from './paths.ts';
import { reasonBodySchema } from './room-schemas.ts';

const params = z.object({ roomId: roomIdSchema });

/** Leaving and forgetting rooms. */
export function leavingRoutes({ rooms }: { readonly rooms: Rooms }): Route[] {
  return [
    route({
      method: 'POST',
      path: v3('/rooms/{roomId}/leave'),
      operationId: 'leaveRoom',
      spec: 'client-server-api/#post_matrixclientv3roomsroomidleave',
      auth: 'guest',
      rateLimit: 'generic',
      allowSuspended: true,
      params,
      body: reasonBodySchema,
      handle: async ({ requester: { userId }, params: { roomId }, body: { reason } }) => {
        await rooms.leave({ roomId, userId, reason });
        return {};
      },
    }),
    route({
      method: 'POST',
      path: v3('/rooms/{roomId}/forget'),
      operationId: 'forgetRoom',
      spec: 'client-server-api/#post_matrixclientv3roomsroomidforget',
      auth: 'user',
      rateLimit: 'generic',
      allowSuspended: true,
      params,
      handle: async ({ requester: { userId }, params: { roomId } }) => {
        await rooms.forget(roomId, userId);
        return {};
      },
    }),
  ];
}
