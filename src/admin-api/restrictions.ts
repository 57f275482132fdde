/** What administrators lay down for single users: shadow bans, and rate limits of their own. */
import { z } from 'zod';
import type { Accounts, OwnRateLimits } from '../accounts/index.ts';
import { RATE_LIMITS, type RateLimit, type RateLimitName } from '../config/index.ts';
import { type Route, route } from '../http/route.ts';
import { userIdSchema } from '../http/schema.ts';
import { getLocalUser } from './local-user.ts';

const SHADOW_BAN = '/_synapse/admin/v1/users/{userId}/shadow_ban';
const OVERRIDE = '/_synapse/admin/v1/users/{userId}/override_ratelimit';
const SPEC = 'https://element-hq.github.io/synapse/latest/admin_api/user_admin_api.html';

const params = z.object({ userId: userIdSchema });
const ownLimit = z.strictObject({ per_second: z.number().positive(), burst: z.int().min(1) });

/** Both figures of messages as integers, as Synapse has them; `limits` is ours: any limit by its name in the configuration. */
const overrideBody = z.object({
  messages_per_second: z.int().min(0).optional(),
  burst_count: z.int().min(0).optional(),
  limits: z.partialRecord(z.enum(limitNames()), ownLimit).optional(),
});

/** Shadow bans and rate limits of single users, as in Synapse's admin API. */
export function adminRestrictionsRoutes({ accounts }: { accounts: Accounts }): Route[] {
  const { shadowBans, rateLimitOverrides } = accounts;
  const shadowBan = (method: 'POST' | 'DELETE') =>
    route({
      method,
      path: SHADOW_BAN,
      operationId: method === 'POST' ? 'adminShadowBan' : 'adminEndShadowBan',
      spec: SPEC,
      auth: 'admin',
      params,
      handle: async ({ params: { userId } }) => {
        await getLocalUser(accounts, userId);
        await shadowBans.set(userId, method === 'POST');
        return {};
      },
    });
  return [
    shadowBan('POST'),
    shadowBan('DELETE'),
    route({
      method: 'GET',
      path: OVERRIDE,
      operationId: 'adminGetRateLimits',
      spec: SPEC,
      auth: 'admin',
      params,
      handle: async ({ params: { userId } }) => {
        await getLocalUser(accounts, userId);
        return overrideJson(rateLimitOverrides.of(userId));
      },
    }),
    route({
      method: 'POST',
      path: OVERRIDE,
      operationId: 'adminSetRateLimits',
      spec: SPEC,
      auth: 'admin',
      params,
      body: overrideBody,
      handle: async ({ params: { userId }, body }) => {
        await getLocalUser(accounts, userId);
        const own = ownLimits(body);
        await rateLimitOverrides.set(userId, own);
        return overrideJson(own);
      },
    }),
    route({
      method: 'DELETE',
      path: OVERRIDE,
      operationId: 'adminDeleteRateLimits',
      spec: SPEC,
      auth: 'admin',
      params,
      handle: async ({ params: { userId } }) => {
        await getLocalUser(accounts, userId);
        await rateLimitOverrides.set(userId, undefined);
        return {};
      },
    }),
  ];
}

/** No messages a second means: no limits at all, of any kind. */
function ownLimits({ messages_per_second, burst_count, limits = {} }: z.output<typeof overrideBody>): OwnRateLimits {
  const namesMessages = messages_per_second !== undefined || burst_count !== undefined;
  const perSecond = messages_per_second ?? 0;
  if (perSecond === 0 && (namesMessages || Object.keys(limits).length === 0)) return 'exempt';
  const own = new Map<RateLimitName, RateLimit>();
  for (const name of limitNames()) {
    const limit = limits[name];
    if (limit !== undefined) own.set(name, { perSecond: limit.per_second, burst: limit.burst });
  }
  if (perSecond > 0) own.set('message', { perSecond, burst: Math.max(1, burst_count ?? 0) });
  return own;
}

function overrideJson(own: OwnRateLimits | undefined) {
  if (own === undefined) return {};
  if (own === 'exempt') return { messages_per_second: 0, burst_count: 0 };
  const message = own.get('message');
  const others = [...own].filter(([name]) => name !== 'message');
  const limits = others.map(([name, { perSecond, burst }]) => [name, { per_second: perSecond, burst }] as const);
  return {
    ...(message === undefined ? {} : { messages_per_second: message.perSecond, burst_count: message.burst }),
    ...(limits.length === 0 ? {} : { limits: Object.fromEntries(limits) }),
  };
}

function limitNames(): readonly RateLimitName[] {
  return Object.keys(RATE_LIMITS).filter((name): name is RateLimitName => name in RATE_LIMITS);
}
