/** Spec: data/api/client-server/presence.yaml */
import { z } from 'zod';
import { type Route, route } from '../http/route.ts';
import { userIdSchema } from '../http/schema.ts';
import { PRESENCES, type Presence, type PresenceName, presenceJson } from '../presence/index.ts';
import { invalidParam } from '../protocol/errors.ts';
import { fitsBytes } from '../protocol/ids/index.ts';
import { assertOwn } from './own-account.ts';
import { v3 } from './paths.ts';

const STATUS_BYTES_MAX = 4096;
const params = z.object({ userId: userIdSchema });

/** Names of `busy` that clients use while MSC3026 isn't part of the spec. */
const NAMES: ReadonlyMap<string, PresenceName> = new Map([
  ...PRESENCES.map((name) => [name, name] as const),
  ['org.matrix.msc3026.busy', 'busy'],
]);

/** Who is online. */
export function presenceRoutes({ presence }: { readonly presence: Presence }): Route[] {
  return [
    route({
      method: 'PUT',
      path: v3('/presence/{userId}/status'),
      operationId: 'setPresence',
      spec: 'client-server-api/#put_matrixclientv3presenceuseridstatus',
      auth: 'user',
      rateLimit: 'ephemeral',
      params,
      body: z.object({ presence: z.string(), status_msg: z.string().nullish() }),
      handle: ({ requester, params: { userId }, body }) => {
        assertOwn(requester, userId);
        const name = NAMES.get(body.presence);
        if (name === undefined) throw invalidParam('presence must be online, offline, unavailable or busy');
        const message = body.status_msg ?? '';
        if (!fitsBytes(message, STATUS_BYTES_MAX)) throw invalidParam('status_msg is too long');
        presence.set(userId, name, message === '' ? undefined : message);
        return {};
      },
    }),
    route({
      method: 'GET',
      path: v3('/presence/{userId}/status'),
      operationId: 'getPresence',
      spec: 'client-server-api/#get_matrixclientv3presenceuseridstatus',
      auth: 'user',
      params,
      handle: async ({ requester, params: { userId }, now }) =>
        presenceJson(await presence.get(requester.userId, userId), now),
    }),
  ];
}

/** What shows that somebody is there. */
const ACTIVITIES = new Set([
  'sendMessage',
  'setRoomStateWithKey',
  'setTyping',
  'postReceipt',
  'setReadMarker',
  'redactEvent',
]);

/** The routes, those by which users show that they are there noting it. */
export function withPresence(routes: readonly Route[], presence: Presence): readonly Route[] {
  return routes.map((one) => {
    if (!ACTIVITIES.has(one.operationId)) return one;
    return {
      ...one,
      handle: (request) => {
        const { requester } = request;
        const userId =
          typeof requester === 'object' && requester !== null && 'userId' in requester ? requester.userId : '';
        const parsed = userIdSchema.safeParse(userId);
        if (parsed.success) presence.touch(parsed.data);
        return one.handle(request);
      },
    };
  });
}
