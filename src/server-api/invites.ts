/** Spec: data/api/server-server/invites-v1.yaml, invites-v2.yaml */
import { z } from 'zod';
import { type Route, reply, route } from '../http/route.ts';
import { eventIdSchema, jsonObjectSchema, roomIdSchema } from '../http/schema.ts';
import { isJsonObject, readArray, readObject } from '../protocol/json/index.ts';
import type { FederatedRooms } from '../rooms/index.ts';
import { V1, V2 } from './paths.ts';

const params = z.object({ roomId: roomIdSchema, eventId: eventIdSchema });
const BODY_BYTES_MAX = 2 * 1024 * 1024;

/** Takes invites for our users. */
export function invitesRoutes({ federated: { invites } }: { readonly federated: FederatedRooms }): Route[] {
  return [
    route({
      method: 'PUT',
      path: `${V2}/invite/{roomId}/{eventId}`,
      operationId: 'sendInviteV2',
      spec: 'server-server-api/#put_matrixfederationv2inviteroomideventid',
      auth: 'federation',
      params,
      bodyBytesMax: BODY_BYTES_MAX,
      body: z.object({
        event: jsonObjectSchema,
        room_version: z.string(),
        invite_room_state: z.array(jsonObjectSchema).optional(),
      }),
      handle: async ({ requester: { origin }, params: { roomId, eventId }, body }) => {
        const { event, room_version: roomVersion, invite_room_state: roomState = [] } = body;
        return { event: await invites.receive({ origin, roomId, eventId, roomVersion, event, roomState }) };
      },
    }),
    route({
      method: 'PUT',
      path: `${V1}/invite/{roomId}/{eventId}`,
      operationId: 'sendInviteV1',
      spec: 'server-server-api/#put_matrixfederationv1inviteroomideventid',
      auth: 'federation',
      params,
      bodyBytesMax: BODY_BYTES_MAX,
      body: jsonObjectSchema,
      keepsNumbers: true,
      handle: async ({ requester: { origin }, params: { roomId, eventId }, body: event }) => {
        const unsigned = readObject(event, 'unsigned') ?? {};
        const roomState = (readArray(unsigned, 'invite_room_state') ?? []).filter((one) => isJsonObject(one));
        const signed = await invites.receive({ origin, roomId, eventId, roomVersion: '1', event, roomState });
        return reply({
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify([200, { event: signed }]),
        });
      },
    }),
  ];
}
