/** Spec: data/api/client-server/room_upgrades.yaml */
import { z } from 'zod';
import { type Route, route } from '../http/route.ts';
import { roomIdSchema } from '../http/schema.ts';
import type { Rooms } from '../rooms/index.ts';
import { v3 } from './paths.ts';

const body = z.object({ new_version: z.string(), additional_creators: z.array(z.string()).optional() });

/** Replacing rooms by ones of another version. */
export function roomUpgradesRoutes({ rooms }: { readonly rooms: Rooms }): Route[] {
  return [
    route({
      method: 'POST',
      path: v3('/rooms/{roomId}/upgrade'),
      operationId: 'upgradeRoom',
      spec: 'client-server-api/#post_matrixclientv3roomsroomidupgrade',
      auth: 'user',
      rateLimit: 'room_creation',
      params: z.object({ roomId: roomIdSchema }),
      body,
      handle: async ({ requester, params: { roomId }, body: { new_version: newVersion, additional_creators } }) => {
        const request = { roomId, sender: requester.userId, newVersion, additionalCreators: additional_creators };
        return { replacement_room: await rooms.upgrade(request) };
      },
    }),
  ];
}
