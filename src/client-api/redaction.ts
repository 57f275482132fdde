/** Spec: data/api/client-server/redaction.yaml */
import { z } from 'zod';
import { type Route, route } from '../http/route.ts';
import { eventIdSchema, jsonObjectSchema, roomIdSchema } from '../http/schema.ts';
import { badJson } from '../protocol/errors.ts';
import type { Rooms } from '../rooms/index.ts';
import { v3 } from './paths.ts';

/** The name of `with_rel_types` as long as MSC3912 isn't accepted. */
const MSC3912 = 'org.matrix.msc3912.with_relations';
const relTypesSchema = z.array(z.string()).max(50).optional();

/** Redacting events. */
export function redactionRoutes({ rooms }: { readonly rooms: Rooms }): Route[] {
  return [
    route({
      method: 'PUT',
      path: v3('/rooms/{roomId}/redact/{eventId}/{txnId}'),
      operationId: 'redactEvent',
      spec: 'client-server-api/#put_matrixclientv3roomsroomidredacteventidtxnid',
      auth: 'user',
      rateLimit: 'message',
      // Suspended users may redact their own events.
      allowSuspended: true,
      params: z.object({ roomId: roomIdSchema, eventId: eventIdSchema, txnId: z.string() }),
      body: jsonObjectSchema,
      handle: async ({ requester, params: { roomId, eventId: redacts, txnId }, body }) => {
        const { userId: sender, deviceId = '', isSuspended } = requester;
        // The target stands in the path; one in the body is none of the content.
        const { redacts: _redacts, reason = null, with_rel_types, [MSC3912]: withRelations, ...others } = body;
        // Hydrogen writes a reason of null where it has none.
        if (reason !== null && typeof reason !== 'string') throw badJson('reason must be a string');
        const content = reason === null ? others : { ...others, reason };
        const relTypes = relTypesSchema.safeParse(with_rel_types ?? withRelations);
        if (!relTypes.success) throw badJson('with_rel_types must be a list of relation types');
        const withRelTypes = relTypes.data;
        const transaction = { userId: sender, deviceId, txnId };
        const request = { roomId, sender, redacts, content, transaction, isSuspended, withRelTypes };
        return { event_id: await rooms.redact(request) };
      },
    }),
  ];
}
