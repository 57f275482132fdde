/** Spec: data/api/client-server/device_management.yaml */
import { z } from 'zod';
import type { Accounts, AuthData, Device } from '../accounts/index.ts';
import { type Remote, type Requester, type Route, route } from '../http/route.ts';
import { authSchema } from './auth-data.ts';
import { v3 } from './paths.ts';

/** How many devices are deleted at once. */
const DEVICES_MAX = 1000;

/** The devices of the user, without their keys. */
export function deviceManagementRoutes({ accounts }: { accounts: Accounts }): Route[] {
  const { devices, uia } = accounts;

  async function deleteDevices(
    deviceIds: readonly string[],
    request: { requester: Requester; remote: Remote; now: number; auth: AuthData | undefined; operation: string },
  ): Promise<object> {
    const { userId } = request.requester;
    const binding = JSON.stringify([...new Set(deviceIds)].sort());
    const flows = await accounts.reAuthentication.flowsOf(userId);
    await uia.requireOnce({ ...request, userId, binding, flows });
    await devices.delete(userId, deviceIds);
    return {};
  }

  return [
    route({
      method: 'GET',
      path: v3('/devices'),
      operationId: 'getDevices',
      spec: 'client-server-api/#get_matrixclientv3devices',
      auth: 'guest',
      handle: async ({ requester }) => ({ devices: (await devices.list(requester.userId)).map(deviceJson) }),
    }),
    route({
      method: 'GET',
      path: v3('/devices/{deviceId}'),
      operationId: 'getDevice',
      spec: 'client-server-api/#get_matrixclientv3devicesdeviceid',
      auth: 'guest',
      handle: async ({ requester, params }) => deviceJson(await devices.get(requester.userId, params.deviceId)),
    }),
    route({
      method: 'PUT',
      path: v3('/devices/{deviceId}'),
      operationId: 'updateDevice',
      spec: 'client-server-api/#put_matrixclientv3devicesdeviceid',
      auth: 'guest',
      allowSuspended: true,
      body: z.object({ display_name: z.string().optional() }),
      handle: async ({ requester, params, body }) => {
        if (body.display_name === undefined) await devices.get(requester.userId, params.deviceId);
        else await devices.rename(requester.userId, params.deviceId, body.display_name);
        return {};
      },
    }),
    route({
      method: 'DELETE',
      path: v3('/devices/{deviceId}'),
      operationId: 'deleteDevice',
      spec: 'client-server-api/#delete_matrixclientv3devicesdeviceid',
      auth: 'user',
      allowSuspended: true,
      body: z.object({ auth: authSchema }),
      handle: ({ requester, params, body, remote, now }) =>
        deleteDevices([params.deviceId], { requester, remote, now, auth: body.auth, operation: 'deleteDevice' }),
    }),
    route({
      method: 'POST',
      path: v3('/delete_devices'),
      operationId: 'deleteDevices',
      spec: 'client-server-api/#post_matrixclientv3delete_devices',
      auth: 'user',
      allowSuspended: true,
      body: z.object({ auth: authSchema, devices: z.array(z.string()).max(DEVICES_MAX) }),
      handle: ({ requester, body, remote, now }) =>
        deleteDevices(body.devices, { requester, remote, now, auth: body.auth, operation: 'deleteDevices' }),
    }),
  ];
}

function deviceJson({ deviceId, displayName, lastSeenIp, lastSeenTs }: Device) {
  return {
    device_id: deviceId,
    ...(displayName === undefined ? {} : { display_name: displayName }),
    ...(lastSeenIp === undefined ? {} : { last_seen_ip: lastSeenIp }),
    ...(lastSeenTs === undefined ? {} : { last_seen_ts: lastSeenTs }),
  };
}
