/** MSC4140 in its three generations: a query parameter of sending, an unstable endpoint, and the accepted one. */
import { z } from 'zod';
import { DELAYED_ACTIONS, type DelayedEvents, type DelayedRow, type DelayedStatus } from '../delayed-events/index.ts';
import { type Requester, type Route, route } from '../http/route.ts';
import { jsonObjectSchema, queryInteger, roomIdSchema } from '../http/schema.ts';
import { invalidParam, MatrixError } from '../protocol/errors.ts';
import type { RoomId } from '../protocol/ids/index.ts';
import { isJsonObject, type JsonObject, readString } from '../protocol/json/index.ts';
import { STICKY_PARAM } from './paths.ts';

const SPEC = 'https://github.com/matrix-org/matrix-spec-proposals/pull/4140';
const UNSTABLE = '/_matrix/client/unstable/org.matrix.msc4140';
const PAGE = 10;

const listQuery = z.object({
  status: z.enum(['scheduled', 'finalised']).optional(),
  room_id: roomIdSchema.optional(),
  type: z.string().optional(),
  outcome: z.enum(['send', 'cancel', 'error']).optional(),
  reason: z.enum(['action', 'delay']).optional(),
  order_by: z.enum(['send_ts', 'origin_server_ts', 'running_since']).default('send_ts'),
  dir: z.enum(['f', 'b']).default('f'),
  since_ts: z.union([z.literal('end'), queryInteger()]).optional(),
  from: z.string().optional(),
});

/** Scheduling events and managing those that are scheduled. */
export function delayedEventsRoutes({ delayedEvents }: { readonly delayedEvents: DelayedEvents }): Route[] {
  return [
    route({
      method: 'PUT',
      path: [
        '/_matrix/client/v3/rooms/{roomId}/delayed_event/{eventType}/{txnId}',
        `${UNSTABLE}/rooms/{roomId}/delayed_event/{eventType}/{txnId}`,
      ],
      operationId: 'sendDelayedEvent',
      spec: SPEC,
      auth: 'guest',
      rateLimit: 'delayed_event',
      params: z.object({ roomId: roomIdSchema, eventType: z.string(), txnId: z.string() }),
      query: z.object({ [STICKY_PARAM]: queryInteger().optional() }),
      body: z.object({ delay: z.int(), state_key: z.string().optional(), content: jsonObjectSchema }),
      handle: async ({ requester, params: { roomId, eventType: type, txnId }, query, body }) => ({
        delay_id: await delayedEvents.schedule({
          userId: requester.userId,
          deviceId: requester.deviceId ?? '',
          txnId,
          roomId,
          type,
          stateKey: body.state_key,
          content: body.content,
          delayMs: body.delay,
          stickyDurationMs: query[STICKY_PARAM],
        }),
      }),
    }),
    route({
      method: 'POST',
      path: ['/_matrix/client/v1/delayed_events/{delayId}/{action}', `${UNSTABLE}/delayed_events/{delayId}/{action}`],
      operationId: 'manageDelayedEvent',
      spec: SPEC,
      // Whoever knows the id: it is handed to services that watch over calls.
      auth: 'none',
      rateLimit: 'delayed_event',
      params: z.object({ delayId: z.string(), action: z.enum(DELAYED_ACTIONS) }),
      handle: async ({ params: { delayId, action } }) => {
        await delayedEvents.act(delayId, action);
        return {};
      },
    }),
    route({
      method: 'POST',
      path: `${UNSTABLE}/delayed_events/{delayId}`,
      operationId: 'manageDelayedEventByBody',
      spec: SPEC,
      auth: 'none',
      rateLimit: 'delayed_event',
      params: z.object({ delayId: z.string() }),
      body: z.object({ action: z.enum(DELAYED_ACTIONS) }),
      handle: async ({ params: { delayId }, body: { action } }) => {
        await delayedEvents.act(delayId, action);
        return {};
      },
    }),
    route({
      method: 'GET',
      path: ['/_matrix/client/v1/delayed_events/{delayId}', `${UNSTABLE}/delayed_events/{delayId}`],
      operationId: 'getDelayedEvent',
      spec: SPEC,
      auth: 'guest',
      rateLimit: 'delayed_event',
      params: z.object({ delayId: z.string() }),
      handle: async ({ requester: { userId }, params: { delayId } }) =>
        delayedJson(await delayedEvents.get(userId, delayId)),
    }),
    route({
      method: 'GET',
      path: ['/_matrix/client/v1/delayed_events', `${UNSTABLE}/delayed_events`],
      operationId: 'getDelayedEvents',
      spec: SPEC,
      auth: 'guest',
      rateLimit: 'delayed_event',
      query: listQuery,
      handle: ({ requester, query, now }) => list(delayedEvents, requester, query, now),
    }),
  ];
}

const MSC4140_DELAY = 'org.matrix.msc4140.delay';

/**
 * The routes, with the first generation's query parameter on those that send: it makes of an event a delayed one. What they
 * answer without it stays theirs.
 */
export function withDelays(routes: readonly Route[], delayedEvents: DelayedEvents): readonly Route[] {
  return routes.map((one) => {
    if (one.operationId !== 'sendMessage' && one.operationId !== 'setRoomStateWithKey') return one;
    return {
      ...one,
      query: z.object({
        [MSC4140_DELAY]: queryInteger({ min: 1 }).optional(),
        [STICKY_PARAM]: queryInteger().optional(),
      }),
      handle: async (request) => {
        const { query, params, body, requester } = request;
        const delayMs = isJsonObject(query) ? query[MSC4140_DELAY] : undefined;
        const stickyDurationMs = isJsonObject(query) ? query[STICKY_PARAM] : undefined;
        if (typeof delayMs !== 'number' || !isRequester(requester) || !isJsonObject(params) || !isJsonObject(body)) {
          return one.handle(request);
        }
        if (requester.isSuspended) throw new MatrixError('M_USER_SUSPENDED', 'This account has been suspended');
        const isState = one.operationId === 'setRoomStateWithKey';
        return {
          delay_id: await delayedEvents.schedule({
            userId: requester.userId,
            deviceId: requester.deviceId ?? '',
            txnId: readString(params, 'txnId'),
            roomId: roomIdSchema.parse(params.roomId),
            type: readString(params, 'eventType') ?? '',
            stateKey: isState ? (readString(params, 'stateKey') ?? '') : undefined,
            content: body,
            delayMs,
            stickyDurationMs: typeof stickyDurationMs === 'number' ? stickyDurationMs : undefined,
          }),
        };
      },
    };
  });
}

function isRequester(value: unknown): value is Requester {
  return typeof value === 'object' && value !== null && 'userId' in value && 'tokenId' in value;
}

async function list(
  delayedEvents: DelayedEvents,
  { userId }: Requester,
  query: z.output<typeof listQuery>,
  now: number,
): Promise<object> {
  const filter = { userId, roomId: query.room_id as RoomId | undefined, type: query.type, reason: query.reason };
  const rows = await delayedEvents.list({ ...filter, statuses: statusesOf(query) });
  const timeOf = (row: DelayedRow): number => {
    if (query.order_by === 'running_since') return row.running_since;
    return query.order_by === 'origin_server_ts' ? (row.finalised_ts ?? row.send_ts) : row.send_ts;
  };
  const sign = query.dir === 'f' ? 1 : -1;
  const ordered = [...rows].sort((a, b) => sign * (timeOf(a) - timeOf(b)) || (a.delay_id < b.delay_id ? -1 : 1));
  void now;
  const start = startOf(query, ordered, timeOf);
  const page = ordered.slice(start, start + PAGE);
  const next = start + PAGE < ordered.length ? `d${start + PAGE}` : undefined;
  return {
    delayed_events: page.map(delayedJson),
    ...(next === undefined ? {} : query.dir === 'f' ? { next_batch: next } : { prev_batch: next }),
  };
}

function startOf(
  { from, since_ts: since, dir }: z.output<typeof listQuery>,
  ordered: readonly DelayedRow[],
  timeOf: (row: DelayedRow) => number,
): number {
  if (from !== undefined) {
    const start = Number(/^d(\d{1,6})$/.exec(from)?.[1] ?? Number.NaN);
    if (Number.isNaN(start)) throw invalidParam('from is not a token of this endpoint');
    return start;
  }
  if (typeof since !== 'number') return 0;
  const at = ordered.findIndex((row) => (dir === 'f' ? timeOf(row) >= since : timeOf(row) <= since));
  return at === -1 ? ordered.length : at;
}

function statusesOf({ status, outcome }: z.output<typeof listQuery>): readonly DelayedStatus[] {
  const byOutcome = { send: 'sent', cancel: 'cancelled', error: 'failed' } as const;
  if (outcome !== undefined) return status === 'scheduled' ? ['scheduled'] : [byOutcome[outcome]];
  if (status === 'scheduled') return ['scheduled'];
  return status === 'finalised' ? ['sent', 'cancelled', 'failed'] : ['scheduled', 'sent', 'cancelled', 'failed'];
}

function delayedJson(row: DelayedRow): JsonObject {
  const content: unknown = JSON.parse(row.content);
  const error: unknown = row.error === null ? undefined : JSON.parse(row.error);
  return {
    delay_id: row.delay_id,
    room_id: row.room_id,
    type: row.type,
    ...(row.state_key === null ? {} : { state_key: row.state_key }),
    delay: row.delay_ms,
    running_since: row.running_since,
    content: isJsonObject(content) ? content : {},
    ...(isJsonObject(error) ? { error } : {}),
    ...(row.event_id === null ? {} : { event_id: row.event_id }),
    ...(row.finalised_ts === null ? {} : { origin_server_ts: row.finalised_ts }),
  };
}
