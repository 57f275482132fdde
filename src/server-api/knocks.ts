/** Spec: data/api/server-server/knocks.yaml */
import { z } from 'zod';
import { type Route, route } from '../http/route.ts';
import { eventIdSchema, jsonObjectSchema, queryStrings, roomIdSchema, userIdSchema } from '../http/schema.ts';
import type { FederatedRooms } from '../rooms/index.ts';
import { V1 } from './paths.ts';

/** Lets users of other servers knock on rooms. */
export function knocksRoutes({ federated }: { readonly federated: FederatedRooms }): Route[] {
  const { serveMemberships, invites } = federated;
  return [
    route({
      method: 'GET',
      path: `${V1}/make_knock/{roomId}/{userId}`,
      operationId: 'makeKnock',
      spec: 'server-server-api/#get_matrixfederationv1make_knockroomiduserid',
      auth: 'federation',
      params: z.object({ roomId: roomIdSchema, userId: userIdSchema }),
      query: z.object({ ver: queryStrings() }),
      handle: async ({ requester: { origin }, params, query: { ver } }) => {
        const { roomVersion, event } = await serveMemberships.template('knock', { origin, ...params, versions: ver });
        return { room_version: roomVersion, event };
      },
    }),
    route({
      method: 'PUT',
      path: `${V1}/send_knock/{roomId}/{eventId}`,
      operationId: 'sendKnock',
      spec: 'server-server-api/#put_matrixfederationv1send_knockroomideventid',
      auth: 'federation',
      params: z.object({ roomId: roomIdSchema, eventId: eventIdSchema }),
      body: jsonObjectSchema,
      keepsNumbers: true,
      handle: async ({ requester: { origin }, params, body: pdu }) => {
        await serveMemberships.accept('knock', { origin, ...params, pdu });
        return { knock_room_state: await invites.shownTo(params.roomId) };
      },
    }),
  ];
}
