/** Spec: data/api/client-server/pusher.yaml */
import { z } from 'zod';
import { type Accounts, mediumNotSupported, toEmailAddress } from '../accounts/index.ts';
import {
  EMAIL_APP_ID,
  EMAIL_KIND,
  type EmailDelivery,
  type GatewayClient,
  type Pusher,
  type Pushers,
} from '../delivery/index.ts';
import { type Route, route } from '../http/route.ts';
import { jsonObjectSchema } from '../http/schema.ts';
import { invalidParam, MatrixError, missingParam } from '../protocol/errors.ts';
import { fitsBytes, type UserId } from '../protocol/ids/index.ts';
import { type JsonObject, readString } from '../protocol/json/index.ts';
import { v3 } from './paths.ts';

const PUSHKEY_BYTES_MAX = 512;
const APP_ID_CHARS_MAX = 64;
/** What is in `data` goes along with every message. */
const BODY_BYTES_MAX = 16 * 1024;

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
  accounts,
  emailDelivery,
  pushers,
  gateway,
}: {
  readonly accounts: Accounts;
  readonly emailDelivery: EmailDelivery;
  readonly pushers: Pushers;
  readonly gateway: GatewayClient;
}): Route[] {
  const checkGateway = (data: JsonObject): void => {
    const url = readString(data, 'url');
    if (url === undefined) throw missingParam('Missing key: data.url');
    const problem = gateway.problemOf(url);
    if (problem !== undefined) throw invalidParam(problem);
  };
  /** Mails go to addresses only that the user has confirmed. */
  const ownAddress = async (userId: UserId, { app_id: appId, pushkey }: z.output<typeof body>): Promise<string> => {
    if (!emailDelivery.isAvailable) throw mediumNotSupported('This server sends no mails about messages');
    if (appId !== EMAIL_APP_ID) throw invalidParam(`app_id must be ${EMAIL_APP_ID}`);
    const address = toEmailAddress(pushkey);
    if ((await accounts.threePids.userOf('email', address)) === userId) return address;
    throw new MatrixError('M_THREEPID_NOT_FOUND', 'This is not an e-mail address of your account');
  };
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
      bodyBytesMax: BODY_BYTES_MAX,
      handle: async ({ requester: { userId, deviceId }, body: wish }) => {
        if (!fitsBytes(wish.pushkey, PUSHKEY_BYTES_MAX)) throw invalidParam('pushkey is too long');
        if (wish.kind === null) {
          const pushkey = wish.app_id === EMAIL_APP_ID ? wish.pushkey.trim().toLowerCase() : wish.pushkey;
          await pushers.delete(userId, wish.app_id, pushkey);
          return {};
        }
        const isEmail = wish.kind === EMAIL_KIND;
        if (wish.kind !== 'http' && !isEmail) throw invalidParam('Pushers are of the kind http or email');
        const { app_display_name: appDisplayName, device_display_name: deviceDisplayName, lang, data } = wish;
        if (appDisplayName === undefined) throw missingParam('Missing key: app_display_name');
        if (deviceDisplayName === undefined) throw missingParam('Missing key: device_display_name');
        if (lang === undefined) throw missingParam('Missing key: lang');
        if (data === undefined) throw missingParam('Missing key: data');
        const pushkey = isEmail ? await ownAddress(userId, wish) : wish.pushkey;
        if (!isEmail) checkGateway(data);
        const isEnabled = wish.enabled ?? wish['org.matrix.msc3881.enabled'] ?? true;
        const { app_id: appId, kind, profile_tag: profileTag } = wish;
        const pusher = {
          userId,
          // Mails are for those who are away: they outlive the device that asked for them.
          deviceId: isEmail ? undefined : deviceId,
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
