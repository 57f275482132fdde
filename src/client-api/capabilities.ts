/** Spec: data/api/client-server/capabilities.yaml */
import type { Config } from '../config/index.ts';
import { type Route, route } from '../http/route.ts';
import type { JsonObject } from '../protocol/json/index.ts';
import { ROOM_VERSIONS } from '../protocol/room-versions/index.ts';
import { v3 } from './paths.ts';

type CapabilitiesConfig = Pick<Config, 'rooms' | 'media' | 'delayed_events' | 'email' | 'login'>;

/** MSC4140. */
function delayedEvents({ delayed_events: { delay_max, per_user_max } }: CapabilitiesConfig): JsonObject {
  return { max_delay_ms: delay_max, max_scheduled: per_user_max };
}

/** What clients may expect of us. A part that brings a capability adds its line here. Spec: client-server-api/#capabilities-negotiation */
const CAPABILITIES: Readonly<Record<string, (config: CapabilitiesConfig) => JsonObject>> = {
  'm.change_password': ({ login }) => ({ enabled: login.password }),
  'm.room_versions': ({ rooms }) => ({
    default: rooms.default_version,
    available: Object.fromEntries(ROOM_VERSIONS.map(({ id }) => [id, 'stable'])),
  }),
  'm.set_displayname': () => ({ enabled: true }),
  'm.set_avatar_url': () => ({ enabled: true }),
  'm.profile_fields': () => ({ enabled: true }),
  'uk.tcpip.msc4133.profile_fields': () => ({ enabled: true }),
  'm.delayed_events': delayedEvents,
  'org.matrix.msc4140.delayed_events': delayedEvents,
  'm.3pid_changes': ({ email }) => ({ enabled: email.smtp !== undefined && email.changes_by_users }),
  // MSC4452
  'io.element.msc4452.preview_url': ({ media }) => ({ enabled: media.previews.enabled }),
  'm.forget_forced_upon_leave': ({ rooms }) => ({ enabled: rooms.forget_on_leave }),
  'm.get_login_token': () => ({ enabled: true }),
};

/** What only administrators can do. */
const OF_ADMINISTRATORS: JsonObject = {
  'm.account_moderation': { suspend: true, lock: true },
  'uk.timedout.msc4323': { suspend: true, lock: true },
};

/** What this server can do for the user. */
export function capabilitiesRoutes({ config }: { config: CapabilitiesConfig }): Route[] {
  const capabilities = Object.fromEntries(Object.entries(CAPABILITIES).map(([name, of]) => [name, of(config)]));
  return [
    route({
      method: 'GET',
      path: v3('/capabilities'),
      operationId: 'getCapabilities',
      spec: 'client-server-api/#get_matrixclientv3capabilities',
      auth: 'guest',
      rateLimit: 'generic',
      handle: ({ requester: { isAdmin } }) => ({
        capabilities: isAdmin ? { ...capabilities, ...OF_ADMINISTRATORS } : capabilities,
      }),
    }),
  ];
}
