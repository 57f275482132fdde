/** Spec: data/api/client-server/pusher.yaml */
import { z } from 'zod';
import type { GatewayClient, Pusher, Pushers } from '../delivery/index.ts';
import { type Route, route } from '../http/route.ts';
import { jsonObjectSchema } from '../http/schema.ts';
import { invalidParam, missingParam } from '../protocol/errors.ts';
import { fitsBytes } from '../protocol/ids/index.ts';
import { readString } from '../protocol/json/index.ts';
import { v3 } from './paths.ts';

const PUSHKEY_BYTES_MAX = 512;
const APP_ID_CHARS_MAX = 64;

const body = z.object({
  pushkey: z.string().min(1),
  app_id: z.string().min(1).max(APP_ID_CHARS_MAX),
  kind: z.string().nullable(),
  app_display_name: z.string().max(1000).optional(),
  device_display_name: z.string().max(1000).optional(),
  profile_tag: z.string().max(1000).optional(),
  lang: z.string().max(100).optional(),
  data: jsonObjectSchema.optional(),
  append: z.boolean().default(false),
  enabled: z.boolean().optional(),
  'org.matrix.msc3881.enabled': z.boolean().optional(),
});

/** Where users want to be told of what happens while they are away. */
export function pusherRoutes({
  pushers,
  gateway,
}: {
  readonly pushers: Pushers;
  readonly gateway: GatewayClient;
}): Route[] {
  return [
    route({
      method: 'GET',
      path: v3('/pushers'),
      operationId: 'getPushers',
      spec: 'client-server-api/#get_matrixclientv3pushers',
      auth: 'user',
      handle: ({ requester: { userId } }) => ({ pushers: pushers.of(userId).map(pusherJson) }),
    }),
    route({
      method: 'POST',
      path: v3('/pushers/set'),
      operationId: 'postPusher',
      spec: 'client-server-api/#post_matrixclientv3pushersset',
      auth: 'user',
      allowSuspended: true,
      rateLimit: 'generic',
      body,
      handle: async ({ requester: { userId, deviceId }, body: wish }) => {
        if (!fitsBytes(wish.pushkey, PUSHKEY_BYTES_MAX)) throw invalidParam('pushkey is too long');
        if (wish.kind === null) {
          await pushers.delete(userId, wish.app_id, wish.pushkey);
          return {};
        }
        if (wish.kind !== 'http') throw invalidParam('Only pushers of the kind http are supported');
        const { app_display_name: appDisplayName, device_display_name: deviceDisplayName, lang, data } = wish;
        if (appDisplayName === undefined) throw missingParam('Missing key: app_display_name');
        if (deviceDisplayName === undefined) throw missingParam('Missing key: device_display_name');
        if (lang === undefined) throw missingParam('Missing key: lang');
        const url = data === undefined ? undefined : readString(data, 'url');
        if (data === undefined || url === undefined) throw missingParam('Missing key: data.url');
        const problem = gateway.problemOf(url);
        if (problem !== undefined) throw invalidParam(problem);
        const isEnabled = wish.enabled ?? wish['org.matrix.msc3881.enabled'] ?? true;
        const { pushkey, app_id: appId, kind, profile_tag: profileTag } = wish;
        const pusher = {
          userId,
          deviceId,
          appId,
          pushkey,
          kind,
          appDisplayName,
          deviceDisplayName,
          profileTag,
          lang,
          data,
        };
        await pushers.set({ ...pusher, isEnabled }, wish.append);
        return {};
      },
    }),
  ];
}

function pusherJson(pusher: Pusher): object {
  return {
    pushkey: pusher.pushkey,
    kind: pusher.kind,
    app_id: pusher.appId,
    app_display_name: pusher.appDisplayName,
    device_display_name: pusher.deviceDisplayName,
    ...(pusher.profileTag === undefined ? {} : { profile_tag: pusher.profileTag }),
    lang: pusher.lang,
    data: pusher.data,
    enabled: pusher.isEnabled,
    'org.matrix.msc3881.enabled': pusher.isEnabled,
    ...(pusher.deviceId === undefined
      ? {}
      : { device_id: pusher.deviceId, 'org.matrix.msc3881.device_id': pusher.deviceId }),
  };
}
