/** Spec: data/api/client-server/mutual_rooms.yaml */
import { z } from 'zod';
import { type Route, route } from '../http/route.ts';
import { userIdSchema } from '../http/schema.ts';
import { invalidParam } from '../protocol/errors.ts';
import type { UserDirectory } from '../user-directory/index.ts';

/** The rooms that one shares with another user. */
export function mutualRoomsRoutes({ userDirectory }: { readonly userDirectory: UserDirectory }): Route[] {
  return [
    route({
      method: 'GET',
      path: [
        '/_matrix/client/v1/mutual_rooms',
        '/_matrix/client/v1/user/mutual_rooms',
        '/_matrix/client/unstable/uk.half-shot.msc2666/user/mutual_rooms',
      ],
      operationId: 'getMutualRooms',
      spec: 'client-server-api/#get_matrixclientv1mutual_rooms',
      auth: 'user',
      rateLimit: 'generic',
      query: z.object({ user_id: userIdSchema, from: z.string().optional(), batch_token: z.string().optional() }),
      handle: async ({ requester: { userId }, query }) => {
        if (query.user_id === userId) throw invalidParam('These are your own rooms');
        const from = query.from ?? query.batch_token;
        const { roomIds, count, next } = await userDirectory.mutualRooms(userId, query.user_id, from);
        return { joined: roomIds, count, ...(next === undefined ? {} : { next_batch: next, next_batch_token: next }) };
      },
    }),
  ];
}
