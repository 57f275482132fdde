/** Spec: data/api/client-server/admin.yaml */
import { z } from 'zod';
import type { Accounts, User } from '../accounts/index.ts';
import { type Requester, type Route, route } from '../http/route.ts';
import { jsonObjectSchema, userIdSchema } from '../http/schema.ts';
import { badJson, forbidden, invalidParam, notFound } from '../protocol/errors.ts';
import type { UserId } from '../protocol/ids/index.ts';
import { readBoolean } from '../protocol/json/index.ts';

const params = z.object({ userId: userIdSchema });

/** Where users are logged in, and locking and suspending them. Spec: client-server-api/#server-administration */
export function adminRoutes({ accounts }: { accounts: Accounts }): Route[] {
  const { users, devices } = accounts;

  async function getUser(userId: UserId): Promise<User> {
    if (!accounts.isLocal(userId)) throw invalidParam('User does not belong to the local server.');
    const user = await users.find(userId);
    if (user === undefined || user.isDeactivated) throw notFound('No such user');
    return user;
  }

  async function getTarget(requester: Requester, userId: UserId): Promise<User> {
    if (requester.userId === userId) throw forbidden('You may not do this to yourself');
    const user = await getUser(userId);
    if (user.isAdmin) throw forbidden('You may not do this to another administrator');
    return user;
  }

  return [
    route({
      method: 'GET',
      path: ['/_matrix/client/v3/admin/whois/{userId}', '/_matrix/client/r0/admin/whois/{userId}'],
      operationId: 'getWhoIs',
      spec: 'client-server-api/#get_matrixclientv3adminwhoisuserid',
      auth: 'user',
      params,
      handle: async ({ requester, params: { userId } }) => {
        if (requester.userId !== userId && !requester.isAdmin) throw forbidden('Only administrators may do this');
        if (requester.userId !== userId) await getUser(userId);
        const entries = (await devices.list(userId)).map(({ deviceId, lastSeenIp, lastSeenTs, lastSeenUserAgent }) => {
          const connection = { ip: lastSeenIp, last_seen: lastSeenTs, user_agent: lastSeenUserAgent };
          return [deviceId, { sessions: [{ connections: [connection] }] }] as const;
        });
        return { user_id: userId, devices: Object.fromEntries(entries) };
      },
    }),
    ...switchRoutes('suspend', 'suspended', {
      get: async (userId) => (await getUser(userId)).isSuspended,
      set: async (requester, userId, suspended) => {
        await getTarget(requester, userId);
        await users.setSuspended(userId, suspended);
      },
    }),
    ...switchRoutes('lock', 'locked', {
      get: async (userId) => (await getUser(userId)).isLocked,
      set: async (requester, userId, locked) => {
        await getTarget(requester, userId);
        await users.setLocked(userId, locked);
      },
    }),
  ];
}

/** Something that an account has or has not. */
interface AccountSwitch {
  get(userId: UserId): Promise<boolean>;
  set(requester: Requester, userId: UserId, isOn: boolean): Promise<void>;
}

/** The two endpoints of a switch; `key` is its name in bodies. */
function switchRoutes(name: 'suspend' | 'lock', key: 'suspended' | 'locked', { get, set }: AccountSwitch): Route[] {
  const Name = name === 'suspend' ? 'Suspend' : 'Lock';
  const paths = [
    `/_matrix/client/v1/admin/${name}/{userId}`,
    `/_matrix/client/unstable/uk.timedout.msc4323/admin/${name}/{userId}`,
  ] as const;
  return [
    route({
      method: 'GET',
      path: paths,
      operationId: `getAdmin${Name}User`,
      spec: `client-server-api/#get_matrixclientv1admin${name}userid`,
      auth: 'admin',
      resource: 'client',
      params,
      handle: async ({ params: { userId } }) => ({ [key]: await get(userId) }),
    }),
    route({
      method: 'PUT',
      path: paths,
      operationId: `setAdmin${Name}User`,
      spec: `client-server-api/#put_matrixclientv1admin${name}userid`,
      auth: 'admin',
      resource: 'client',
      params,
      body: jsonObjectSchema,
      handle: async ({ requester, params: { userId }, body }) => {
        const isOn = readBoolean(body, key);
        if (isOn === undefined) throw badJson(`${key} must be a boolean`);
        await set(requester, userId, isOn);
        return { [key]: isOn };
      },
    }),
  ];
}
