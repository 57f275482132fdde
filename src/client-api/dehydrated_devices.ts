/** Dehydrated devices, by their unstable name. MSC3814 */
import { z } from 'zod';
import type { Devices } from '../devices/index.ts';
import { type Route, rawJson, route } from '../http/route.ts';
import { branded, jsonObjectSchema } from '../http/schema.ts';
import { parseDeviceId } from '../protocol/ids/index.ts';

const PATH = '/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device';
const SPEC = 'MSC3814';
const BODY_BYTES_MAX = 2 * 1024 * 1024;

/** The device that collects a user's keys while nobody is logged in. */
export function dehydratedDevicesRoutes({ devices }: { readonly devices: Devices }): Route[] {
  const { dehydrated } = devices;
  return [
    route({
      method: 'PUT',
      path: PATH,
      operationId: 'putDehydratedDevice',
      spec: SPEC,
      auth: 'user',
      allowSuspended: true,
      bodyBytesMax: BODY_BYTES_MAX,
      body: z.object({
        device_id: branded(parseDeviceId, 'a device id'),
        device_data: jsonObjectSchema,
        initial_device_display_name: z.string().nullish(),
        device_keys: jsonObjectSchema,
        one_time_keys: jsonObjectSchema.nullish(),
        fallback_keys: jsonObjectSchema.nullish(),
      }),
      handle: async ({ requester, body }) => {
        await dehydrated.put(requester.userId, {
          deviceId: body.device_id,
          deviceData: body.device_data,
          displayName: body.initial_device_display_name ?? undefined,
          deviceKeys: body.device_keys,
          oneTimeKeys: body.one_time_keys ?? undefined,
          fallbackKeys: body.fallback_keys ?? undefined,
        });
        return { device_id: body.device_id };
      },
    }),
    route({
      method: 'GET',
      path: PATH,
      operationId: 'getDehydratedDevice',
      spec: SPEC,
      auth: 'user',
      handle: async ({ requester }) => {
        const { deviceId, deviceData } = await dehydrated.get(requester.userId);
        return { device_id: deviceId, device_data: deviceData };
      },
    }),
    route({
      method: 'DELETE',
      path: PATH,
      operationId: 'deleteDehydratedDevice',
      spec: SPEC,
      auth: 'user',
      allowSuspended: true,
      handle: async ({ requester }) => ({ device_id: await dehydrated.delete(requester.userId) }),
    }),
    route({
      method: 'GET',
      path: `${PATH}/{deviceId}/events`,
      operationId: 'getDehydratedDeviceEvents',
      spec: SPEC,
      auth: 'user',
      query: z.object({ from: z.string().optional(), next_batch: z.string().optional() }),
      handle: async ({ requester, params, query }) => {
        const from = query.from ?? query.next_batch;
        const { events, upTo, isAll } = await dehydrated.events(requester.userId, params.deviceId, from);
        return rawJson(`{"events":[${events.join(',')}]${isAll ? '' : `,"next_batch":"${upTo}"`}}`);
      },
    }),
    route({
      method: 'POST',
      path: `${PATH}/{deviceId}/events`,
      operationId: 'postDehydratedDeviceEvents',
      spec: `${SPEC}, as it was before 2026`,
      auth: 'user',
      allowSuspended: true,
      body: z.object({ next_batch: z.string().nullish() }),
      handle: async ({ requester, params, body }) => {
        const { events, upTo } = await dehydrated.events(
          requester.userId,
          params.deviceId,
          body.next_batch ?? undefined,
        );
        return rawJson(`{"events":[${events.join(',')}],"next_batch":"${upTo}"}`);
      },
    }),
  ];
}
