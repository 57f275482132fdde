/** Spec: data/api/client-server/old_sync.yaml and peeking_events.yaml: what there was before `/sync` */
import { z } from 'zod';
import type { Accounts } from '../accounts/index.ts';
import { type Requester, type Route, rawJson, route } from '../http/route.ts';
import { eventIdSchema, queryBoolean, queryInteger, queryLimit, roomIdSchema } from '../http/schema.ts';
import { notFound } from '../protocol/errors.ts';
import { type Filter, isBadFilter, parseFilter } from '../protocol/filter/index.ts';
import { parseRoomId, type RoomId } from '../protocol/ids/index.ts';
import type { JsonObject } from '../protocol/json/index.ts';
import type { Rooms } from '../rooms/index.ts';
import type { Hub } from '../streams/index.ts';
import type { Sync } from '../sync/index.ts';
import { v3 } from './paths.ts';
import { roomInfo } from './room_initial_sync.ts';

interface OldSyncParts {
  readonly rooms: Rooms;
  readonly accounts: Accounts;
  readonly sync: Sync;
  readonly hub: Hub;
}

const LIMIT_DEFAULT = 10;
const LIMIT_MAX = 100;
const TIMEOUT_MS_DEFAULT = 10_000;
const TIMEOUT_MS_MAX = 60_000;
const PEEK_LIMIT = 50;

/** As much of the answer of `/sync` as is used here. */
interface SyncAnswer {
  readonly next_batch: string;
  readonly presence?: { readonly events: readonly JsonObject[] };
  readonly account_data?: { readonly events: readonly JsonObject[] };
  readonly rooms?: {
    readonly join?: Readonly<Record<string, RoomAnswer>>;
    readonly leave?: Readonly<Record<string, RoomAnswer>>;
    readonly invite?: Readonly<Record<string, { readonly invite_state: { readonly events: readonly JsonObject[] } }>>;
  };
}

interface RoomAnswer {
  readonly timeline?: { readonly events: readonly JsonObject[] };
  readonly ephemeral?: { readonly events: readonly JsonObject[] };
}

/** The endpoints that `/sync` replaced; they are made of it. */
export function oldSyncRoutes(parts: OldSyncParts): Route[] {
  return [
    route({
      method: 'GET',
      path: v3('/initialSync'),
      operationId: 'initialSync',
      spec: 'client-server-api/#get_matrixclientv3initialsync',
      auth: 'guest',
      rateLimit: 'generic',
      query: z.object({ limit: queryLimit({ max: LIMIT_MAX }).optional(), archived: queryBoolean().optional() }),
      handle: ({ requester, query, signal }) =>
        initialSync(parts, requester, query.limit ?? LIMIT_DEFAULT, query.archived ?? false, signal),
    }),
    route({
      method: 'GET',
      path: v3('/events'),
      // With a room_id it is the spec's peekEvents.
      operationId: 'getEvents',
      spec: 'client-server-api/#get_matrixclientv3events',
      auth: 'guest',
      isLongPoll: true,
      rateLimit: 'generic',
      query: z.object({
        from: z.string().optional(),
        timeout: queryInteger().optional(),
        room_id: roomIdSchema.optional(),
      }),
      handle: ({ requester, query: { from, timeout = TIMEOUT_MS_DEFAULT, room_id: roomId }, signal }) => {
        const timeoutMs = Math.min(timeout, TIMEOUT_MS_MAX);
        return roomId === undefined
          ? events(parts, requester, from, timeoutMs, signal)
          : peek(parts, requester, roomId, from, timeoutMs, signal);
      },
    }),
    route({
      method: 'GET',
      path: v3('/events/{eventId}'),
      operationId: 'getOneEvent',
      spec: 'client-server-api/#get_matrixclientv3eventseventid',
      auth: 'guest',
      params: z.object({ eventId: eventIdSchema }),
      handle: async ({ requester: viewer, params: { eventId } }) => {
        const { reading, reads } = parts.rooms;
        const [stored] = await reading.database.read((tx) => reading.events.byIds(tx, [eventId]));
        if (stored === undefined) throw notFound('Event not found');
        return rawJson(await reads.event({ roomId: stored.event.roomId, eventId, viewer }));
      },
    }),
  ];
}

async function initialSync(
  parts: OldSyncParts,
  viewer: Requester,
  limit: number,
  includeLeft: boolean,
  signal: AbortSignal,
): Promise<object> {
  const filter = filterOf({ room: { include_leave: includeLeft, timeline: { limit: 1 }, state: { types: [] } } });
  const answer = await ask(parts, viewer, undefined, filter, 0, signal);
  const { join = {}, leave = {}, invite = {} } = answer.rooms ?? {};
  const rooms: object[] = [];
  for (const id of [...Object.keys(join), ...Object.keys(leave)]) {
    const roomId = parseRoomId(id);
    if (roomId !== undefined) rooms.push(await roomInfo(parts, roomId, viewer, limit));
  }
  for (const [roomId, { invite_state }] of Object.entries(invite)) {
    rooms.push({ room_id: roomId, membership: 'invite', invite: { ...invite_state.events.at(-1), room_id: roomId } });
  }
  return {
    end: answer.next_batch,
    presence: answer.presence?.events ?? [],
    account_data: answer.account_data?.events ?? [],
    rooms,
  };
}

async function events(
  parts: OldSyncParts,
  viewer: Requester,
  from: string | undefined,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<object> {
  const filter = filterOf({ room: { timeline: { limit: LIMIT_MAX } } });
  if (from === undefined) {
    // Only what comes from now on.
    const nothing = filterOf({ room: { rooms: [] }, presence: { types: [] }, account_data: { types: [] } });
    const { next_batch: now } = await ask(parts, viewer, undefined, nothing, 0, signal);
    return events(parts, viewer, now, timeoutMs, signal);
  }
  const answer = await ask(parts, viewer, from, filter, timeoutMs, signal);
  const chunk: JsonObject[] = [...(answer.presence?.events ?? [])];
  for (const section of [answer.rooms?.join, answer.rooms?.leave]) {
    for (const [room_id, { timeline, ephemeral }] of Object.entries(section ?? {})) {
      for (const event of [...(timeline?.events ?? []), ...(ephemeral?.events ?? [])])
        chunk.push({ ...event, room_id });
    }
  }
  for (const [room_id, { invite_state }] of Object.entries(answer.rooms?.invite ?? {})) {
    const member = invite_state.events.at(-1);
    if (member !== undefined) chunk.push({ ...member, room_id });
  }
  return { start: from, end: answer.next_batch, chunk };
}

/** The events of one room, which need not be one's own: whoever may read it is told of them. */
async function peek(
  { rooms, hub }: OldSyncParts,
  viewer: Requester,
  roomId: RoomId,
  from: string | undefined,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<object> {
  const page = { roomId, viewer, limit: PEEK_LIMIT, to: undefined, filter: undefined } as const;
  const last: { start: string } = JSON.parse(
    await rooms.reads.timeline({ ...page, dir: 'b', from: undefined, limit: 1 }),
  );
  const start = from ?? last.start;
  const over = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  for (;;) {
    const news = new AbortController();
    const woken = hub.once(`room:${roomId}`, AbortSignal.any([over, news.signal]));
    const { chunk, end }: { chunk: unknown[]; end?: string } = JSON.parse(
      await rooms.reads.timeline({ ...page, dir: 'f', from: start }),
    );
    if (chunk.length === 0 && !over.aborted) {
      await woken;
      continue;
    }
    news.abort();
    if (chunk.length === 0) return { start, end: start, chunk };
    const newest: { start: string } = JSON.parse(
      await rooms.reads.timeline({ ...page, dir: 'b', from: undefined, limit: 1 }),
    );
    return { start, end: end ?? newest.start, chunk };
  }
}

async function ask(
  { sync }: OldSyncParts,
  viewer: Requester,
  since: string | undefined,
  filter: Filter,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<SyncAnswer> {
  const query = {
    since,
    filter,
    fullState: false,
    useStateAfter: false,
    stateAfterKey: 'state_after',
    timeoutMs,
  } as const;
  return JSON.parse(await sync.sync({ userId: viewer.userId, deviceId: viewer.deviceId }, query, signal));
}

function filterOf(json: JsonObject): Filter {
  const filter = parseFilter(json);
  if (isBadFilter(filter)) throw new Error(filter.problem);
  return filter;
}
