/** Spec: data/api/client-server/read_markers.yaml */
import { z } from 'zod';
import { type Route, route } from '../http/route.ts';
import { eventIdSchema, roomIdSchema } from '../http/schema.ts';
import type { Receipts } from '../rooms/index.ts';
import { v3 } from './paths.ts';

/** The fully-read marker, with read receipts. */
export function readMarkersRoutes({ receipts }: { readonly receipts: Receipts }): Route[] {
  return [
    route({
      method: 'POST',
      path: v3('/rooms/{roomId}/read_markers'),
      operationId: 'setReadMarker',
      spec: 'client-server-api/#post_matrixclientv3roomsroomidread_markers',
      auth: 'user',
      allowSuspended: true,
      rateLimit: 'ephemeral',
      params: z.object({ roomId: roomIdSchema }),
      body: z.object({
        'm.fully_read': eventIdSchema.nullish(),
        'm.read': eventIdSchema.nullish(),
        'm.read.private': eventIdSchema.nullish(),
      }),
      handle: async ({ requester: { userId }, params: { roomId }, body }) => {
        const { 'm.fully_read': fullyRead, 'm.read': read, 'm.read.private': privately } = body;
        const unthreaded = { roomId, userId, threadId: undefined };
        if (read) await receipts.set({ ...unthreaded, type: 'm.read', eventId: read });
        if (privately) await receipts.set({ ...unthreaded, type: 'm.read.private', eventId: privately });
        if (fullyRead) await receipts.setFullyRead({ roomId, userId, eventId: fullyRead });
        return {};
      },
    }),
  ];
}
