/** Spec: data/api/client-server/create_room.yaml */
import { z } from 'zod';
import { type Route, route } from '../http/route.ts';
import { jsonObjectSchema, userIdSchema } from '../http/schema.ts';
import type { Identity } from '../identity/index.ts';
import type { Rooms } from '../rooms/index.ts';
import { v3 } from './paths.ts';
import { thirdPartyWish, toAddressInvite } from './third-party-wish.ts';

/** Each is a request to an identity server. */
const INVITES_MAX = 20;

const initialState = z.object({
  type: z.string(),
  state_key: z.string().default(''),
  content: jsonObjectSchema,
});

const body = z.object({
  visibility: z.enum(['public', 'private']).optional(),
  room_alias_name: z.string().optional(),
  name: z.string().optional(),
  topic: z.string().optional(),
  invite: z.array(userIdSchema).optional(),
  invite_3pid: z.array(thirdPartyWish).max(INVITES_MAX).optional(),
  room_version: z.string().optional(),
  creation_content: jsonObjectSchema.optional(),
  initial_state: z.array(initialState).optional(),
  preset: z.enum(['private_chat', 'public_chat', 'trusted_private_chat']).optional(),
  is_direct: z.boolean().optional(),
  power_level_content_override: jsonObjectSchema.optional(),
});

/** Creating rooms. */
export function createRoomRoutes({
  rooms,
  identity: { thirdParties },
}: {
  readonly rooms: Rooms;
  readonly identity: Identity;
}): Route[] {
  return [
    route({
      method: 'POST',
      path: v3('/createRoom'),
      operationId: 'createRoom',
      spec: 'client-server-api/#post_matrixclientv3createroom',
      auth: 'user',
      rateLimit: 'room_creation',
      body,
      handle: async ({ requester, body: options }) => {
        const isDirect = options.is_direct;
        const wishes = (options.invite_3pid ?? []).map((wish) => ({ ...toAddressInvite(wish), isDirect }));
        for (const wish of wishes) thirdParties.check(wish);
        const roomId = await rooms.create(requester.userId, {
          visibility: options.visibility,
          aliasLocalpart: options.room_alias_name,
          name: options.name,
          topic: options.topic,
          invite: options.invite,
          roomVersion: options.room_version,
          creationContent: options.creation_content,
          initialState: options.initial_state?.map(({ type, state_key: stateKey, content }) => ({
            type,
            stateKey,
            content,
          })),
          preset: options.preset,
          isDirect,
          powerLevels: options.power_level_content_override,
        });
        // The room is there, whatever the identity server says: who couldn't be invited can be invited later.
        await Promise.allSettled(wishes.map((wish) => thirdParties.invite(roomId, requester.userId, wish)));
        return { room_id: roomId };
      },
    }),
  ];
}
