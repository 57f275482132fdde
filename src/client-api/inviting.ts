/** Spec: data/api/client-server/inviting.yaml, data/api/client-server/third_party_membership.yaml */
import { z } from 'zod';
import { type Route, route } from '../http/route.ts';
import { roomIdSchema, userIdSchema } from '../http/schema.ts';
import { missingParam } from '../protocol/errors.ts';
import type { Rooms } from '../rooms/index.ts';
import { noThirdParties } from './create_room.ts';
import { v3 } from './paths.ts';

const body = z.object({
  user_id: userIdSchema.optional(),
  reason: z.string().optional(),
  // An invite of a third party, which shares the path.
  medium: z.string().optional(),
  address: z.string().optional(),
});

/** Inviting users. */
export function invitingRoutes({ rooms }: { readonly rooms: Rooms }): Route[] {
  return [
    route({
      method: 'POST',
      path: v3('/rooms/{roomId}/invite'),
      operationId: 'inviteUser',
      spec: 'client-server-api/#post_matrixclientv3roomsroomidinvite',
      auth: 'user',
      rateLimit: 'invite',
      params: z.object({ roomId: roomIdSchema }),
      body,
      handle: async ({ requester, params: { roomId }, body: { user_id: target, reason, medium, address } }) => {
        if (target === undefined && medium !== undefined && address !== undefined) throw noThirdParties();
        if (target === undefined) throw missingParam('Missing key: user_id');
        await rooms.invite({ roomId, sender: requester.userId, target, reason });
        return {};
      },
    }),
  ];
}
