/** Spec: data/api/client-server/list_public_rooms.yaml */
import { z } from 'zod';
import type { RemoteLookups } from '../federation/index.ts';
import { type Route, route } from '../http/route.ts';
import { queryLimit, serverNameSchema } from '../http/schema.ts';
import { notFound } from '../protocol/errors.ts';
import type { ServerName } from '../protocol/ids/index.ts';
import type { JsonObject } from '../protocol/json/index.ts';
import type { RoomReads } from '../rooms/index.ts';
import { v3 } from './paths.ts';

const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 500;

const filterSchema = z.object({
  generic_search_term: z.string().nullish(),
  room_types: z.array(z.string().nullable()).nullish(),
});

/** The published room directory. */
export function listPublicRoomsRoutes(deps: {
  readonly reads: RoomReads;
  readonly serverName: ServerName;
  readonly federation: { readonly lookups: RemoteLookups } | undefined;
}): Route[] {
  const { reads } = deps;
  /** The directory of another server, where that is asked for. */
  const elsewhere = (server: ServerName | undefined, body: JsonObject): Promise<JsonObject> | undefined => {
    if (server === undefined || server === deps.serverName) return undefined;
    if (deps.federation === undefined) throw notFound('The directory of that server is not known');
    return deps.federation.lookups.publicRooms(server, body);
  };
  return [
    route({
      method: 'GET',
      path: v3('/publicRooms'),
      operationId: 'getPublicRooms',
      spec: 'client-server-api/#get_matrixclientv3publicrooms',
      auth: 'none',
      rateLimit: 'generic',
      query: z.object({
        limit: queryLimit({ max: LIMIT_MAX }).optional(),
        since: z.string().optional(),
        server: serverNameSchema.optional(),
      }),
      handle: async ({ query: { limit = LIMIT_DEFAULT, since, server } }) => {
        const other = elsewhere(server, { limit, ...(since === undefined ? {} : { since }) });
        if (other !== undefined) return other;
        return reads.publicRooms({ limit, since, searchTerm: undefined, roomTypes: undefined });
      },
    }),
    route({
      method: 'POST',
      path: v3('/publicRooms'),
      operationId: 'queryPublicRooms',
      spec: 'client-server-api/#post_matrixclientv3publicrooms',
      auth: 'guest',
      allowSuspended: true,
      rateLimit: 'generic',
      query: z.object({ server: serverNameSchema.optional() }),
      body: z.object({
        limit: z.int().min(1).optional(),
        since: z.string().optional(),
        filter: filterSchema.optional(),
        include_all_networks: z.boolean().optional(),
        third_party_instance_id: z.string().optional(),
      }),
      handle: async ({ query: { server }, body: { limit = LIMIT_DEFAULT, since, filter } }) => {
        const other = elsewhere(server, {
          limit,
          ...(since === undefined ? {} : { since }),
          ...(filter === undefined ? {} : { filter: filterOf(filter) }),
        });
        if (other !== undefined) return other;
        return reads.publicRooms({
          limit: Math.min(limit, LIMIT_MAX),
          since,
          searchTerm: filter?.generic_search_term ?? undefined,
          roomTypes: filter?.room_types ? new Set(filter.room_types) : undefined,
        });
      },
    }),
  ];
}

function filterOf({ generic_search_term: term, room_types: types }: z.output<typeof filterSchema>): JsonObject {
  return { ...(term ? { generic_search_term: term } : {}), ...(types ? { room_types: types } : {}) };
}
