/** Spec: data/api/client-server/kicking.yaml */
import { z } from 'zod';
import { type Route, route } from '../http/route.ts';
import { roomIdSchema } from '../http/schema.ts';
import type { Rooms } from '../rooms/index.ts';
import { v3 } from './paths.ts';
import { targetBodySchema } from './room-schemas.ts';

/** Making others leave. */
export function kickingRoutes({ rooms }: { readonly rooms: Rooms }): Route[] {
  return [
    route({
      method: 'POST',
      path: v3('/rooms/{roomId}/kick'),
      operationId: 'kick',
      spec: 'client-server-api/#post_matrixclientv3roomsroomidkick',
      auth: 'user',
      params: z.object({ roomId: roomIdSchema }),
      body: targetBodySchema,
      handle: async ({ requester, params: { roomId }, body: { user_id: target, reason } }) => {
        await rooms.kick({ roomId, sender: requester.userId, target, reason });
        return {};
      },
    }),
  ];
}
