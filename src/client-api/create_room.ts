/** Spec: data/api/client-server/create_room.yaml */
import { z } from 'zod';
import { type Route, route } from '../http/route.ts';
import { jsonObjectSchema, userIdSchema } from '../http/schema.ts';
import { MatrixError } from '../protocol/errors.ts';
import type { Rooms } from '../rooms/index.ts';
import { v3 } from './paths.ts';

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
  invite_3pid: z.array(z.unknown()).optional(),
  room_version: z.string().optional(),
  creation_content: jsonObjectSchema.optional(),
  initial_state: z.array(initialState).optional(),
  preset: z.enum(['private_chat', 'public_chat', 'trusted_private_chat']).optional(),
  is_direct: z.boolean().optional(),
  power_level_content_override: jsonObjectSchema.optional(),
});

/** Creating rooms. */
export function createRoomRoutes({ rooms }: { readonly rooms: Rooms }): Route[] {
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
        if ((options.invite_3pid?.length ?? 0) > 0) throw noThirdParties();
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
          isDirect: options.is_direct,
          powerLevels: options.power_level_content_override,
        });
        return { room_id: roomId };
      },
    }),
  ];
}

/** Invites to e-mail addresses and phone numbers take an identity server, which we don't talk to. */
export function noThirdParties(): MatrixError {
  return new MatrixError('M_THREEPID_DENIED', 'This server does not send invites to e-mail addresses or phone numbers');
}
