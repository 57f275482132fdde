/** Spec: data/api/client-server/joining.yaml */
import { z } from 'zod';
import { type Route, route } from '../http/route.ts';
import { roomIdSchema } from '../http/schema.ts';
import type { Rooms } from '../rooms/index.ts';
import { v3 } from './paths.ts';
import { reasonBodySchema, roomIdOrAliasSchema, viaQuerySchema } from './room-schemas.ts';

const body = reasonBodySchema;

/** Joining rooms, by id and by alias. */
export function joiningRoutes({ rooms }: { readonly rooms: Rooms }): Route[] {
  return [
    route({
      method: 'POST',
      path: v3('/rooms/{roomId}/join'),
      operationId: 'joinRoomById',
      spec: 'client-server-api/#post_matrixclientv3roomsroomidjoin',
      auth: 'guest',
      rateLimit: 'join',
      params: z.object({ roomId: roomIdSchema }),
      body,
      handle: async ({ requester: { userId, isGuest }, params: { roomId }, body: { reason } }) => {
        await rooms.join({ roomId, userId, isGuest, reason });
        return { room_id: roomId };
      },
    }),
    route({
      method: 'POST',
      path: v3('/join/{roomIdOrAlias}'),
      operationId: 'joinRoom',
      spec: 'client-server-api/#post_matrixclientv3joinroomidoralias',
      auth: 'guest',
      rateLimit: 'join',
      params: z.object({ roomIdOrAlias: roomIdOrAliasSchema }),
      query: viaQuerySchema,
      body,
      handle: async ({ requester: { userId, isGuest }, params: { roomIdOrAlias }, query, body: { reason } }) => {
        const { via, server_name } = query;
        const { roomId, servers } = await rooms.resolve(roomIdOrAlias);
        await rooms.join({ roomId, userId, isGuest, reason, via: [...via, ...server_name, ...servers] });
        return { room_id: roomId };
      },
    }),
  ];
}
