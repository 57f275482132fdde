/** Spec: data/api/client-server/relations.yaml */
import { z } from 'zod';
import { type Route, rawJson, route } from '../http/route.ts';
import { eventIdSchema, queryBoolean, queryLimit, roomIdSchema } from '../http/schema.ts';
import type { RoomReads } from '../rooms/index.ts';

const LIMIT_DEFAULT = 20;
const LIMIT_MAX = 500;

const ofEvent = z.object({ roomId: roomIdSchema, eventId: eventIdSchema });
const query = z.object({
  from: z.string().optional(),
  to: z.string().optional(),
  dir: z.enum(['b', 'f']).default('b'),
  limit: queryLimit({ max: LIMIT_MAX }).default(LIMIT_DEFAULT),
  recurse: queryBoolean().default(false),
});

/** The events that relate to an event. */
export function relationsRoutes({ reads }: { readonly reads: RoomReads }): Route[] {
  return [
    route({
      method: 'GET',
      path: v1('/rooms/{roomId}/relations/{eventId}'),
      operationId: 'getRelatingEvents',
      spec: 'client-server-api/#get_matrixclientv1roomsroomidrelationseventid',
      auth: 'guest',
      params: ofEvent,
      query,
      handle: async ({ requester: viewer, params, query: page }) =>
        rawJson(await reads.relations({ ...params, ...ANY, ...pageOf(page), viewer })),
    }),
    route({
      method: 'GET',
      path: v1('/rooms/{roomId}/relations/{eventId}/{relType}'),
      operationId: 'getRelatingEventsWithRelType',
      spec: 'client-server-api/#get_matrixclientv1roomsroomidrelationseventidreltype',
      auth: 'guest',
      params: ofEvent.extend({ relType: z.string() }),
      query,
      handle: async ({ requester: viewer, params, query: page }) =>
        rawJson(await reads.relations({ ...ANY, ...params, ...pageOf(page), viewer })),
    }),
    route({
      method: 'GET',
      path: v1('/rooms/{roomId}/relations/{eventId}/{relType}/{eventType}'),
      operationId: 'getRelatingEventsWithRelTypeAndEventType',
      spec: 'client-server-api/#get_matrixclientv1roomsroomidrelationseventidreltypeeventtype',
      auth: 'guest',
      params: ofEvent.extend({ relType: z.string(), eventType: z.string() }),
      query,
      handle: async ({ requester: viewer, params, query: page }) =>
        rawJson(await reads.relations({ ...params, ...pageOf(page), viewer })),
    }),
  ];
}

/** Children of all sorts. */
const ANY = { relType: undefined, eventType: undefined };

/** Today's path and the one of before v1.3, which bots still use. */
function v1<Path extends string>(path: Path) {
  return [`/_matrix/client/v1${path}`, `/_matrix/client/unstable${path}`] as const;
}

function pageOf({ from, to, dir, limit, recurse }: z.output<typeof query>) {
  return { from, to, dir, limit, recurse };
}
