/** Spec: data/api/client-server/to_device.yaml */
import { z } from 'zod';
import type { Devices } from '../devices/index.ts';
import { type Route, route } from '../http/route.ts';
import { jsonObjectSchema } from '../http/schema.ts';
import { badJson } from '../protocol/errors.ts';
import { isJsonObject, type JsonObject } from '../protocol/json/index.ts';
import { userIdOf } from './keys.ts';
import { v3 } from './paths.ts';

/** Room for a message to each of a thousand devices. */
const BODY_BYTES_MAX = 10 * 1024 * 1024;

/** Messages from device to device. */
export function toDeviceRoutes({ devices }: { readonly devices: Devices }): Route[] {
  return [
    route({
      method: 'PUT',
      path: v3('/sendToDevice/{eventType}/{txnId}'),
      operationId: 'sendToDevice',
      spec: 'client-server-api/#put_matrixclientv3sendtodeviceeventtypetxnid',
      auth: 'guest',
      allowSuspended: true,
      bodyBytesMax: BODY_BYTES_MAX,
      body: z.object({ messages: jsonObjectSchema }),
      handle: async ({ requester, params, body }) => {
        await devices.toDevice.send({
          sender: requester.userId,
          type: params.eventType,
          messages: new Map(Object.entries(body.messages).map(([user, contents]) => [userIdOf(user), parse(contents)])),
          transaction: { deviceId: requester.deviceId ?? '', txnId: params.txnId },
        });
        return {};
      },
    }),
  ];
}

function parse(contents: unknown): JsonObject {
  if (isJsonObject(contents) && Object.values(contents).every((content) => isJsonObject(content))) return contents;
  throw badJson('messages must be contents, by user and device');
}
