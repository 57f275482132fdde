/** Spec: data/api/client-server/receipts.yaml */
import { z } from 'zod';
import { type Route, route } from '../http/route.ts';
import { eventIdSchema, roomIdSchema } from '../http/schema.ts';
import { invalidParam } from '../protocol/errors.ts';
import type { Receipts } from '../rooms/index.ts';
import { v3 } from './paths.ts';

const THREAD_ID_BYTES_MAX = 255;

/** Read receipts. */
export function receiptsRoutes({ receipts }: { readonly receipts: Receipts }): Route[] {
  return [
    route({
      method: 'POST',
      path: v3('/rooms/{roomId}/receipt/{receiptType}/{eventId}'),
      operationId: 'postReceipt',
      spec: 'client-server-api/#post_matrixclientv3roomsroomidreceiptreceipttypeeventid',
      auth: 'user',
      allowSuspended: true,
      rateLimit: 'ephemeral',
      params: z.object({
        roomId: roomIdSchema,
        receiptType: z.enum(['m.read', 'm.read.private', 'm.fully_read']),
        eventId: eventIdSchema,
      }),
      body: z.object({ thread_id: z.unknown().optional() }),
      handle: async ({ requester: { userId }, params: { roomId, receiptType: type, eventId }, body }) => {
        const threadId = parseThreadId(body.thread_id);
        if (type !== 'm.fully_read') await receipts.set({ roomId, userId, type, eventId, threadId });
        else if (threadId === undefined) await receipts.setFullyRead({ roomId, userId, eventId });
        else throw invalidParam('m.fully_read takes no thread_id');
        return {};
      },
    }),
  ];
}

/** The spec asks for M_INVALID_PARAM where it isn't a string. */
function parseThreadId(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'string' && value !== '' && value.length <= THREAD_ID_BYTES_MAX) return value;
  throw invalidParam('thread_id must be a non-empty string');
}
