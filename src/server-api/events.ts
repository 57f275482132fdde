/** Spec: data/api/server-server/events.yaml, event_auth.yaml, backfill.yaml */
import { z } from 'zod';
import type { Clock } from '../clock.ts';
import { type Route, rawJson, route } from '../http/route.ts';
import { eventIdSchema, queryInteger, queryLimit, queryStrings, roomIdSchema } from '../http/schema.ts';
import { type EventId, parseEventId, type ServerName } from '../protocol/ids/index.ts';
import type { FederatedRooms } from '../rooms/index.ts';
import { V1 } from './paths.ts';

const roomParams = z.object({ roomId: roomIdSchema });
const stateQuery = z.object({ event_id: eventIdSchema });
const BACKFILL_MAX = 100;
const MISSING_MAX = 100;
const MISSING_DEFAULT = 10;
const IDS_MAX = 50;

/** Gives other servers events of the rooms they are in. */
export function eventsRoutes(deps: {
  readonly federated: FederatedRooms;
  readonly serverName: ServerName;
  readonly clock: Clock;
}): Route[] {
  const { serveHistory } = deps.federated;
  const transaction = (pdus: readonly string[]) => {
    return rawJson(`{"origin":"${deps.serverName}","origin_server_ts":${deps.clock.now()},"pdus":[${pdus.join(',')}]}`);
  };
  return [
    route({
      method: 'GET',
      path: `${V1}/state/{roomId}`,
      operationId: 'getRoomState',
      spec: 'server-server-api/#get_matrixfederationv1stateroomid',
      auth: 'federation',
      params: roomParams,
      query: stateQuery,
      handle: async ({ requester: { origin }, params: { roomId }, query: { event_id: eventId } }) => {
        const { state, authChain } = await serveHistory.state(origin, roomId, eventId);
        return rawJson(`{"pdus":[${state.join(',')}],"auth_chain":[${authChain.join(',')}]}`);
      },
    }),
    route({
      method: 'GET',
      path: `${V1}/state_ids/{roomId}`,
      operationId: 'getRoomStateIds',
      spec: 'server-server-api/#get_matrixfederationv1state_idsroomid',
      auth: 'federation',
      params: roomParams,
      query: stateQuery,
      handle: async ({ requester: { origin }, params: { roomId }, query: { event_id: eventId } }) => {
        const { pduIds, authChainIds } = await serveHistory.stateIds(origin, roomId, eventId);
        return { pdu_ids: pduIds, auth_chain_ids: authChainIds };
      },
    }),
    route({
      method: 'GET',
      path: `${V1}/event/{eventId}`,
      operationId: 'getEvent',
      spec: 'server-server-api/#get_matrixfederationv1eventeventid',
      auth: 'federation',
      params: z.object({ eventId: eventIdSchema }),
      handle: async ({ requester: { origin }, params: { eventId } }) => {
        return transaction([await serveHistory.event(origin, eventId)]);
      },
    }),
    route({
      method: 'GET',
      path: `${V1}/event_auth/{roomId}/{eventId}`,
      operationId: 'getEventAuthorization',
      spec: 'server-server-api/#get_matrixfederationv1event_authroomideventid',
      auth: 'federation',
      params: z.object({ roomId: roomIdSchema, eventId: eventIdSchema }),
      handle: async ({ requester: { origin }, params: { roomId, eventId } }) => {
        return rawJson(`{"auth_chain":[${(await serveHistory.eventAuth(origin, roomId, eventId)).join(',')}]}`);
      },
    }),
    route({
      method: 'GET',
      path: `${V1}/backfill/{roomId}`,
      operationId: 'backfillRoom',
      spec: 'server-server-api/#get_matrixfederationv1backfillroomid',
      auth: 'federation',
      params: roomParams,
      query: z.object({ v: queryStrings(), limit: queryLimit({ max: BACKFILL_MAX }) }),
      handle: async ({ requester: { origin }, params: { roomId }, query: { v, limit } }) => {
        return transaction(await serveHistory.backfill(origin, roomId, eventIds(v), limit));
      },
    }),
    route({
      method: 'POST',
      path: `${V1}/get_missing_events/{roomId}`,
      operationId: 'getMissingPreviousEvents',
      spec: 'server-server-api/#post_matrixfederationv1get_missing_eventsroomid',
      auth: 'federation',
      params: roomParams,
      body: z.object({
        earliest_events: z.array(z.string()),
        latest_events: z.array(z.string()),
        limit: z.int().min(0).optional(),
        min_depth: z.int().optional(),
      }),
      handle: async ({ requester: { origin }, params: { roomId }, body }) => {
        const events = await serveHistory.missingEvents(origin, roomId, {
          earliest: eventIds(body.earliest_events),
          latest: eventIds(body.latest_events),
          limit: Math.min(body.limit ?? MISSING_DEFAULT, MISSING_MAX),
          minDepth: body.min_depth ?? 0,
        });
        return rawJson(`{"events":[${events.join(',')}]}`);
      },
    }),
    route({
      method: 'GET',
      path: `${V1}/timestamp_to_event/{roomId}`,
      operationId: 'getEventByTimestampFederation',
      spec: 'server-server-api/#get_matrixfederationv1timestamp_to_eventroomid',
      auth: 'federation',
      params: roomParams,
      query: z.object({ ts: queryInteger(), dir: z.enum(['b', 'f']) }),
      handle: async ({ requester: { origin }, params: { roomId }, query }) => {
        const { eventId, originServerTs } = await serveHistory.eventByTimestamp(origin, { roomId, ...query });
        return { event_id: eventId, origin_server_ts: originServerTs };
      },
    }),
  ];
}

function eventIds(texts: readonly string[]): readonly EventId[] {
  return texts.slice(0, IDS_MAX).flatMap((text) => parseEventId(text) ?? []);
}
