/** Spec: data/api/server-server/public_rooms.yaml */
import { z } from 'zod';
import { type Route, route } from '../http/route.ts';
import { queryLimit } from '../http/schema.ts';
import type { RoomReads } from '../rooms/index.ts';
import { V1 } from './paths.ts';

const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 500;

const filterSchema = z.object({
  generic_search_term: z.string().nullish(),
  room_types: z.array(z.string().nullable()).nullish(),
});

/** Our directory of public rooms. */
export function publicRoomsRoutes({ reads }: { readonly reads: RoomReads }): Route[] {
  return [
    route({
      method: 'GET',
      path: `${V1}/publicRooms`,
      operationId: 'getPublicRoomsFederation',
      spec: 'server-server-api/#get_matrixfederationv1publicrooms',
      auth: 'federation',
      query: z.object({ limit: queryLimit({ max: LIMIT_MAX }).optional(), since: z.string().optional() }),
      handle: ({ query: { limit = LIMIT_DEFAULT, since } }) => {
        return reads.publicRooms({ limit, since, searchTerm: undefined, roomTypes: undefined, isForOthers: true });
      },
    }),
    route({
      method: 'POST',
      path: `${V1}/publicRooms`,
      operationId: 'queryPublicRoomsFederation',
      spec: 'server-server-api/#post_matrixfederationv1publicrooms',
      auth: 'federation',
      body: z.object({
        limit: z.int().min(1).optional(),
        since: z.string().optional(),
        filter: filterSchema.optional(),
      }),
      handle: ({ body: { limit = LIMIT_DEFAULT, since, filter } }) => {
        return reads.publicRooms({
          limit: Math.min(limit, LIMIT_MAX),
          since,
          searchTerm: filter?.generic_search_term ?? undefined,
          roomTypes: filter?.room_types ? new Set(filter.room_types) : undefined,
          isForOthers: true,
        });
      },
    }),
  ];
}
