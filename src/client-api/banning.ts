/** Spec: data/api/client-server/banning.yaml */
import { z } from 'zod';
import { type Route, route } from '../http/route.ts';
import { roomIdSchema } from '../http/schema.ts';
import type { Rooms } from '../rooms/index.ts';
import { v3 } from './paths.ts';
import { targetBodySchema } from './room-schemas.ts';

const params = z.object({ roomId: roomIdSchema });

/** Banning users and lifting bans. */
export function banningRoutes({ rooms }: { readonly rooms: Rooms }): Route[] {
  return [
    route({
      method: 'POST',
      path: v3('/rooms/{roomId}/ban'),
      operationId: 'ban',
      spec: 'client-server-api/#post_matrixclientv3roomsroomidban',
      auth: 'user',
      params,
      body: targetBodySchema,
      handle: async ({ requester, params: { roomId }, body: { user_id: target, reason } }) => {
        await rooms.ban({ roomId, sender: requester.userId, target, reason });
        return {};
      },
    }),
    route({
      method: 'POST',
      path: v3('/rooms/{roomId}/unban'),
      operationId: 'unban',
      spec: 'client-server-api/#post_matrixclientv3roomsroomidunban',
      auth: 'user',
      params,
      body: targetBodySchema,
      handle: async ({ requester, params: { roomId }, body: { user_id: target, reason } }) => {
        await rooms.unban({ roomId, sender: requester.userId, target, reason });
        return {};
      },
    }),
  ];
}
