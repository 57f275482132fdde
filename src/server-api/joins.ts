/** Spec: data/api/server-server/joins-v1.yaml, joins-v2.yaml */
import { z } from 'zod';
import { type Route, rawJson, route } from '../http/route.ts';
import {
  eventIdSchema,
  jsonObjectSchema,
  queryBoolean,
  queryStrings,
  roomIdSchema,
  userIdSchema,
} from '../http/schema.ts';
import type { FederatedRooms } from '../rooms/index.ts';
import { pruneMembers } from './partial-state.ts';
import { V1, V2 } from './paths.ts';

/** Lets users of other servers join rooms. */
export function joinsRoutes({ federated }: { readonly federated: FederatedRooms }): Route[] {
  const { serveMemberships, serveHistory } = federated;
  return [
    route({
      method: 'GET',
      path: `${V1}/make_join/{roomId}/{userId}`,
      operationId: 'makeJoin',
      spec: 'server-server-api/#get_matrixfederationv1make_joinroomiduserid',
      auth: 'federation',
      params: z.object({ roomId: roomIdSchema, userId: userIdSchema }),
      query: z.object({ ver: queryStrings() }),
      handle: async ({ requester: { origin }, params, query: { ver } }) => {
        const versions = ver.length === 0 ? ['1'] : ver;
        const { roomVersion, event } = await serveMemberships.template('join', { origin, ...params, versions });
        return { room_version: roomVersion, event };
      },
    }),
    route({
      method: 'PUT',
      path: `${V2}/send_join/{roomId}/{eventId}`,
      operationId: 'sendJoinV2',
      spec: 'server-server-api/#put_matrixfederationv2send_joinroomideventid',
      auth: 'federation',
      params: z.object({ roomId: roomIdSchema, eventId: eventIdSchema }),
      query: z.object({ omit_members: queryBoolean().optional() }),
      body: jsonObjectSchema,
      keepsNumbers: true,
      handle: async ({ requester: { origin }, params: { roomId, eventId }, query, body: pdu }) => {
        const event = await serveMemberships.accept('join', { origin, roomId, eventId, pdu });
        const served = await serveHistory.stateBefore(roomId, eventId);
        const partial = query.omit_members === true ? pruneMembers(served) : undefined;
        if (partial !== undefined) serveHistory.oweRest(origin, eventId);
        const { state, authChain } = partial ?? served;
        const members = partial === undefined ? '' : `,"servers_in_room":${JSON.stringify(partial.servers)}`;
        return rawJson(
          `{"event":${event.json},"members_omitted":${partial !== undefined}${members},"state":[${state.join(',')}],"auth_chain":[${authChain.join(',')}]}`,
        );
      },
    }),
  ];
}
