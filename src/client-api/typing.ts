/** Spec: data/api/client-server/typing.yaml */
import { z } from 'zod';
import { type Route, route } from '../http/route.ts';
import { roomIdSchema, userIdSchema } from '../http/schema.ts';
import { forbidden } from '../protocol/errors.ts';
import type { RoomReads, Typing } from '../rooms/index.ts';
import { v3 } from './paths.ts';

/** Typing notifications. */
export function typingRoutes({ reads, typing }: { readonly reads: RoomReads; readonly typing: Typing }): Route[] {
  return [
    route({
      method: 'PUT',
      path: v3('/rooms/{roomId}/typing/{userId}'),
      operationId: 'setTyping',
      spec: 'client-server-api/#put_matrixclientv3roomsroomidtypinguserid',
      auth: 'user',
      rateLimit: 'ephemeral',
      params: z.object({ roomId: roomIdSchema, userId: userIdSchema }),
      body: z.object({ typing: z.boolean(), timeout: z.int().min(0).optional() }),
      handle: async ({ requester, params: { roomId, userId }, body }) => {
        if (userId !== requester.userId) throw forbidden('You can only say that you type yourself');
        await reads.assertJoined(roomId, userId);
        if (body.typing) typing.start(roomId, userId, body.timeout);
        else typing.stop(roomId, userId);
        return {};
      },
    }),
  ];
}
