/** Spec: data/api/client-server/joining.yaml */
import { z } from 'zod';
import { type Route, route } from '../http/route.ts';
import { roomIdSchema, userIdSchema } from '../http/schema.ts';
import type { Identity } from '../identity/index.ts';
import { badJson, forbidden } from '../protocol/errors.ts';
import { type RoomId, type ServerName, serverNameOf, type UserId } from '../protocol/ids/index.ts';
import { isJsonObject } from '../protocol/json/index.ts';
import type { Rooms } from '../rooms/index.ts';
import { v3 } from './paths.ts';
import { reasonBodySchema, roomIdOrAliasSchema, viaQuerySchema } from './room-schemas.ts';

const body = reasonBodySchema.extend({
  third_party_signed: z
    .looseObject({ sender: userIdSchema, mxid: userIdSchema, token: z.string(), signatures: z.looseObject({}) })
    .optional(),
});

type Signed = z.output<typeof body>['third_party_signed'];

/** Joining rooms, by id and by alias. */
export function joiningRoutes({ rooms, identity }: { readonly rooms: Rooms; readonly identity: Identity }): Route[] {
  /** Turns an invite by e-mail into one of the user, who joins by it. Returns a server that can help with the join. */
  const redeem = async (roomId: RoomId, userId: UserId, signed: Signed): Promise<readonly ServerName[]> => {
    if (signed === undefined) return [];
    if (signed.mxid !== userId) throw forbidden('third_party_signed is for another user');
    if (!isJsonObject(signed)) throw badJson('third_party_signed must be an object');
    await identity.thirdParties.redeem(roomId, signed.sender, signed);
    return [serverNameOf(signed.sender)];
  };
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
      handle: async ({ requester: { userId, isGuest }, params: { roomId }, body }) => {
        const { reason } = body;
        const via = await redeem(roomId, userId, body.third_party_signed);
        await rooms.join({ roomId, userId, isGuest, reason, via });
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
      handle: async ({ requester: { userId, isGuest }, params: { roomIdOrAlias }, query, body }) => {
        const { via, server_name } = query;
        const { reason } = body;
        const { roomId, servers } = await rooms.resolve(roomIdOrAlias);
        const inviters = await redeem(roomId, userId, body.third_party_signed);
        const helpers = [...via, ...server_name, ...servers, ...inviters];
        await rooms.join({ roomId, userId, isGuest, reason, via: helpers });
        return { room_id: roomId };
      },
    }),
  ];
}
