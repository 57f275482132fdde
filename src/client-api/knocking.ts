/** Spec: data/api/client-server/knocking.yaml */
import { z } from 'zod';
import { type Route, route } from '../http/route.ts';
import type { Rooms } from '../rooms/index.ts';
import { v3 } from './paths.ts';
import { reasonBodySchema, roomIdOrAliasSchema, viaQuerySchema } from './room-schemas.ts';

/** Knocking on rooms, by id and by alias. */
export function knockingRoutes({ rooms }: { readonly rooms: Rooms }): Route[] {
  return [
    route({
      method: 'POST',
      path: v3('/knock/{roomIdOrAlias}'),
      operationId: 'knockRoom',
      spec: 'client-server-api/#post_matrixclientv3knockroomidoralias',
      auth: 'user',
      rateLimit: 'join',
      params: z.object({ roomIdOrAlias: roomIdOrAliasSchema }),
      query: viaQuerySchema,
      body: reasonBodySchema,
      handle: async ({ requester: { userId }, params: { roomIdOrAlias }, query, body: { reason } }) => {
        const { roomId, servers } = await rooms.resolve(roomIdOrAlias);
        await rooms.knock({ roomId, userId, reason, via: [...query.via, ...query.server_name, ...servers] });
        return { room_id: roomId };
      },
    }),
  ];
}
