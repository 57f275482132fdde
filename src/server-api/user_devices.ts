/** Spec: data/api/server-server/user_devices.yaml, user_keys.yaml */
import { z } from 'zod';
import type { Devices } from '../devices/index.ts';
import { type Route, rawJson, route } from '../http/route.ts';
import { userIdSchema } from '../http/schema.ts';
import { notFound } from '../protocol/errors.ts';
import { makeUserId, parseUserId, type ServerName, serverNameOf, type UserId } from '../protocol/ids/index.ts';
import { isJsonObject, type JsonObject, type JsonValue, readObject, readString } from '../protocol/json/index.ts';
import type { Streams } from '../streams/index.ts';
import { V1 } from './paths.ts';

const USERS_MAX = 1_000;

/** The devices of our users and their keys. */
export function userDevicesRoutes(deps: {
  readonly devices: Devices;
  readonly streams: Streams;
  readonly serverName: ServerName;
}): Route[] {
  const { devices, streams, serverName } = deps;
  const isOurs = (userId: UserId | undefined): userId is UserId =>
    userId !== undefined && serverNameOf(userId) === serverName;
  return [
    route({
      method: 'GET',
      path: `${V1}/user/devices/{userId}`,
      operationId: 'getUserDevices',
      spec: 'server-server-api/#get_matrixfederationv1userdevicesuserid',
      auth: 'federation',
      params: z.object({ userId: userIdSchema }),
      handle: async ({ requester: { origin }, params: { userId } }) => {
        if (!isOurs(userId)) throw notFound('The user is not of this server');
        const streamId = streams.current('device_lists');
        const keys = await devices.keys.query(viewerOf(origin), new Map([[userId, []]]));
        const master = ofUser(keys.masterKeys, userId);
        const selfSigning = ofUser(keys.selfSigningKeys, userId);
        return {
          user_id: userId,
          stream_id: streamId,
          devices: Object.entries(ofUser(keys.deviceKeys, userId) ?? {}).map(deviceOf),
          ...(master === undefined ? {} : { master_key: master }),
          ...(selfSigning === undefined ? {} : { self_signing_key: selfSigning }),
        };
      },
    }),
    route({
      method: 'POST',
      path: `${V1}/user/keys/query`,
      operationId: 'queryUserKeys',
      spec: 'server-server-api/#post_matrixfederationv1userkeysquery',
      auth: 'federation',
      body: z.object({ device_keys: z.record(z.string(), z.array(z.string())) }),
      handle: async ({ requester: { origin }, body }) => {
        const query = new Map<UserId, readonly string[]>();
        for (const [user, deviceIds] of Object.entries(body.device_keys).slice(0, USERS_MAX)) {
          const userId = parseUserId(user);
          if (isOurs(userId)) query.set(userId, deviceIds);
        }
        const { deviceKeys, masterKeys, selfSigningKeys } = await devices.keys.query(viewerOf(origin), query);
        return rawJson(
          `{"device_keys":${deviceKeys},"master_keys":${masterKeys},"self_signing_keys":${selfSigningKeys}}`,
        );
      },
    }),
    route({
      method: 'POST',
      path: `${V1}/user/keys/claim`,
      operationId: 'claimUserEncryptionKeys',
      spec: 'server-server-api/#post_matrixfederationv1userkeysclaim',
      auth: 'federation',
      body: z.object({ one_time_keys: z.record(z.string(), z.record(z.string(), z.string())) }),
      handle: async ({ body }) => {
        const claims = Object.entries(body.one_time_keys)
          .slice(0, USERS_MAX)
          .flatMap(([user, byDevice]) => {
            const userId = parseUserId(user);
            if (!isOurs(userId)) return [];
            return Object.entries(byDevice).map(([deviceId, algorithm]) => ({ userId, deviceId, algorithm }));
          });
        return rawJson(`{"one_time_keys":${(await devices.keys.claim(claims)).oneTimeKeys}}`);
      },
    }),
  ];
}

/** Nobody of ours: sees what everybody sees. */
function viewerOf(origin: ServerName): UserId {
  const viewer = makeUserId('_', origin);
  if (viewer === undefined) throw new Error('a server has users');
  return viewer;
}

function ofUser(json: string, userId: UserId): JsonObject | undefined {
  const value: unknown = JSON.parse(json);
  return isJsonObject(value) ? readObject(value, userId) : undefined;
}

function deviceOf([deviceId, keys]: readonly [string, JsonValue]): JsonObject {
  const { unsigned, ...published } = isJsonObject(keys) ? keys : {};
  const name = isJsonObject(unsigned) ? readString(unsigned, 'device_display_name') : undefined;
  return { device_id: deviceId, keys: published, ...(name === undefined ? {} : { device_display_name: name }) };
}
