/** Spec: data/api/server-server/leaving-v1.yaml, leaving-v2.yaml */
import { z } from 'zod';
import { type Route, route } from '../http/route.ts';
import { eventIdSchema, jsonObjectSchema, roomIdSchema, userIdSchema } from '../http/schema.ts';
import type { FederatedRooms } from '../rooms/index.ts';
import { V1, V2 } from './paths.ts';

/** Lets users of other servers leave rooms that their servers aren't in: refuse invites, take back knocks. */
export function leavingRoutes({ federated: { serveMemberships } }: { readonly federated: FederatedRooms }): Route[] {
  return [
    route({
      method: 'GET',
      path: `${V1}/make_leave/{roomId}/{userId}`,
      operationId: 'makeLeave',
      spec: 'server-server-api/#get_matrixfederationv1make_leaveroomiduserid',
      auth: 'federation',
      params: z.object({ roomId: roomIdSchema, userId: userIdSchema }),
      handle: async ({ requester: { origin }, params }) => {
        const request = { origin, ...params, versions: undefined };
        const { roomVersion, event } = await serveMemberships.template('leave', request);
        return { room_version: roomVersion, event };
      },
    }),
    route({
      method: 'PUT',
      path: `${V2}/send_leave/{roomId}/{eventId}`,
      operationId: 'sendLeaveV2',
      spec: 'server-server-api/#put_matrixfederationv2send_leaveroomideventid',
      auth: 'federation',
      params: z.object({ roomId: roomIdSchema, eventId: eventIdSchema }),
      body: jsonObjectSchema,
      keepsNumbers: true,
      handle: async ({ requester: { origin }, params, body: pdu }) => {
        await serveMemberships.accept('leave', { origin, ...params, pdu });
        return {};
      },
    }),
  ];
}
