/** Spec: data/api/client-server/keys.yaml */
import { z } from 'zod';
import type { Claim, Devices } from '../devices/index.ts';
import { type Requester, type Route, rawJson, route } from '../http/route.ts';
import { jsonObjectSchema } from '../http/schema.ts';
import { badJson, invalidParam } from '../protocol/errors.ts';
import { type DeviceId, parseUserId, type UserId } from '../protocol/ids/index.ts';
import { isJsonObject, isStringArray, type JsonObject } from '../protocol/json/index.ts';
import type { Sync } from '../sync/index.ts';
import { v3 } from './paths.ts';

/** Key objects are long: a client that was away uploads hundreds of them. */
const BODY_BYTES_MAX = 2 * 1024 * 1024;

/** Devices' keys: upload, query, claim. */
export function keysRoutes({ devices, sync }: { readonly devices: Devices; readonly sync: Sync }): Route[] {
  const { keys } = devices;
  return [
    route({
      method: 'POST',
      path: v3('/keys/upload'),
      operationId: 'uploadKeys',
      spec: 'client-server-api/#post_matrixclientv3keysupload',
      auth: 'guest',
      allowSuspended: true,
      bodyBytesMax: BODY_BYTES_MAX,
      body: z.object({
        device_keys: jsonObjectSchema.nullish(),
        one_time_keys: jsonObjectSchema.nullish(),
        fallback_keys: jsonObjectSchema.nullish(),
        'org.matrix.msc2732.fallback_keys': jsonObjectSchema.nullish(),
      }),
      handle: async ({ requester, body }) => {
        const counts = await keys.upload(requester.userId, deviceOf(requester), {
          deviceKeys: body.device_keys ?? undefined,
          oneTimeKeys: body.one_time_keys ?? undefined,
          fallbackKeys: body.fallback_keys ?? body['org.matrix.msc2732.fallback_keys'] ?? undefined,
        });
        return rawJson(`{"one_time_key_counts":${counts}}`);
      },
    }),
    route({
      method: 'POST',
      path: v3('/keys/query'),
      operationId: 'queryKeys',
      spec: 'client-server-api/#post_matrixclientv3keysquery',
      auth: 'guest',
      allowSuspended: true,
      bodyBytesMax: BODY_BYTES_MAX,
      body: z.object({ device_keys: jsonObjectSchema, timeout: z.number().optional() }),
      handle: async ({ requester, body }) => {
        const found = await keys.query(requester.userId, parseQuery(body.device_keys));
        return rawJson(
          `{"device_keys":${found.deviceKeys},"master_keys":${found.masterKeys},` +
            `"self_signing_keys":${found.selfSigningKeys},"user_signing_keys":${found.userSigningKeys},` +
            `"failures":${found.failures}}`,
        );
      },
    }),
    route({
      method: 'POST',
      path: v3('/keys/claim'),
      operationId: 'claimKeys',
      spec: 'client-server-api/#post_matrixclientv3keysclaim',
      auth: 'guest',
      allowSuspended: true,
      bodyBytesMax: BODY_BYTES_MAX,
      body: z.object({ one_time_keys: jsonObjectSchema, timeout: z.number().optional() }),
      handle: async ({ body }) => {
        const claimed = await keys.claim(parseClaims(body.one_time_keys));
        return rawJson(`{"one_time_keys":${claimed.oneTimeKeys},"failures":${claimed.failures}}`);
      },
    }),
    route({
      method: 'GET',
      path: v3('/keys/changes'),
      operationId: 'getKeysChanges',
      spec: 'client-server-api/#get_matrixclientv3keyschanges',
      auth: 'guest',
      query: z.object({ from: z.string(), to: z.string() }),
      handle: ({ requester, query }) => sync.deviceListChanges(requester.userId, query.from, query.to),
    }),
  ];
}

/** The device of a session; throws where the token belongs to none. */
export function deviceOf({ deviceId }: Requester): DeviceId {
  if (deviceId === undefined) throw invalidParam('This access token belongs to no device');
  return deviceId;
}

function parseQuery(query: JsonObject): ReadonlyMap<UserId, readonly string[]> {
  return new Map(
    Object.entries(query).map(([text, devices]) => {
      if (!isStringArray(devices)) throw badJson('device_keys must be lists of device ids, by user');
      return [userIdOf(text), devices];
    }),
  );
}

function parseClaims(wanted: JsonObject): readonly Claim[] {
  return Object.entries(wanted).flatMap(([text, devices]) => {
    const userId = userIdOf(text);
    if (!isJsonObject(devices)) throw badJson('one_time_keys must be algorithms, by user and device');
    return Object.entries(devices).map(([deviceId, algorithm]) => {
      if (typeof algorithm !== 'string') throw badJson('one_time_keys must be algorithms, by user and device');
      return { userId, deviceId, algorithm };
    });
  });
}

/** A user id that came as a key of a body. */
export function userIdOf(text: string): UserId {
  const userId = parseUserId(text);
  if (userId === undefined) throw invalidParam('Not a user id');
  return userId;
}
