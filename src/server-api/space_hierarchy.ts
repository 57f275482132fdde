/** Spec: data/api/server-server/space_hierarchy.yaml */
import { z } from 'zod';
import { type Route, route } from '../http/route.ts';
import { queryBoolean, roomIdSchema } from '../http/schema.ts';
import type { FederatedRooms } from '../rooms/index.ts';
import { V1 } from './paths.ts';

/** Shows a space and its children. */
export function spaceHierarchyServerRoutes({ federated }: { readonly federated: FederatedRooms }): Route[] {
  return [
    route({
      method: 'GET',
      path: `${V1}/hierarchy/{roomId}`,
      operationId: 'getSpaceHierarchyFederation',
      spec: 'server-server-api/#get_matrixfederationv1hierarchyroomid',
      auth: 'federation',
      params: z.object({ roomId: roomIdSchema }),
      query: z.object({ suggested_only: queryBoolean().optional() }),
      handle: ({ requester: { origin }, params: { roomId }, query: { suggested_only: suggestedOnly } }) => {
        return federated.servePreviews.hierarchy(origin, roomId, suggestedOnly ?? false);
      },
    }),
  ];
}
