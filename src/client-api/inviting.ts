/** Spec: data/api/client-server/inviting.yaml, data/api/client-server/third_party_membership.yaml */
import { z } from 'zod';
import { type Route, route } from '../http/route.ts';
import { roomIdSchema, userIdSchema } from '../http/schema.ts';
import type { Identity } from '../identity/index.ts';
import { missingParam } from '../protocol/errors.ts';
import type { Rooms } from '../rooms/index.ts';
import { v3 } from './paths.ts';
import { thirdPartyWish, toAddressInvite } from './third-party-wish.ts';

const body = z.object({
  user_id: userIdSchema.optional(),
  reason: z.string().optional(),
  // An invite of a third party, which shares the path.
  ...thirdPartyWish.partial().shape,
});

/** Inviting users. */
export function invitingRoutes({
  rooms,
  identity: { thirdParties },
}: {
  readonly rooms: Rooms;
  readonly identity: Identity;
}): Route[] {
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
      handle: async ({ requester: { userId: sender }, params: { roomId }, body }) => {
        const { user_id: target, reason, medium, address } = body;
        if (target !== undefined) {
          await rooms.invite({ roomId, sender, target, reason });
        } else if (medium !== undefined && address !== undefined) {
          await thirdParties.invite(roomId, sender, { ...toAddressInvite({ ...body, medium, address }), reason });
        } else {
          throw missingParam('Missing key: user_id');
        }
        return {};
      },
    }),
  ];
}
