/** Spec: data/api/client-server/account-data.yaml */
import { z } from 'zod';
import type { Accounts } from '../accounts/index.ts';
import { type Route, rawJson, route } from '../http/route.ts';
import { jsonObjectSchema, roomIdSchema, userIdSchema } from '../http/schema.ts';
import { notFound } from '../protocol/errors.ts';
import { assertOwn } from './own-account.ts';
import { v3 } from './paths.ts';

const params = z.object({ userId: userIdSchema, type: z.string().min(1).max(255) });
const roomParams = params.extend({ roomId: roomIdSchema });

/** What users keep with us: for all rooms, and for one. */
export function accountDataRoutes({ accounts }: { accounts: Accounts }): Route[] {
  const { accountData, pushRules } = accounts;
  return [
    route({
      method: 'GET',
      path: v3('/user/{userId}/account_data/{type}'),
      operationId: 'getAccountData',
      spec: 'client-server-api/#get_matrixclientv3useruseridaccount_datatype',
      auth: 'user',
      params,
      handle: async ({ requester, params: { userId, type } }) => {
        assertOwn(requester, userId);
        // Whoever has changed none has the default ones, as `/sync` says.
        if (type === 'm.push_rules') return { global: pushRules.get(userId) };
        return found(await accountData.find(userId, undefined, type));
      },
    }),
    route({
      method: 'PUT',
      path: v3('/user/{userId}/account_data/{type}'),
      operationId: 'setAccountData',
      spec: 'client-server-api/#put_matrixclientv3useruseridaccount_datatype',
      auth: 'user',
      allowSuspended: true,
      params,
      body: jsonObjectSchema,
      handle: async ({ requester, params: { userId, type }, body }) => {
        assertOwn(requester, userId);
        await accountData.setByClient(userId, undefined, type, body);
        return {};
      },
    }),
    route({
      method: 'GET',
      path: v3('/user/{userId}/rooms/{roomId}/account_data/{type}'),
      operationId: 'getAccountDataPerRoom',
      spec: 'client-server-api/#get_matrixclientv3useruseridroomsroomidaccount_datatype',
      auth: 'user',
      params: roomParams,
      handle: async ({ requester, params: { userId, roomId, type } }) => {
        assertOwn(requester, userId);
        return found(await accountData.find(userId, roomId, type));
      },
    }),
    route({
      method: 'PUT',
      path: v3('/user/{userId}/rooms/{roomId}/account_data/{type}'),
      operationId: 'setAccountDataPerRoom',
      spec: 'client-server-api/#put_matrixclientv3useruseridroomsroomidaccount_datatype',
      auth: 'user',
      allowSuspended: true,
      params: roomParams,
      body: jsonObjectSchema,
      handle: async ({ requester, params: { userId, roomId, type }, body }) => {
        assertOwn(requester, userId);
        await accountData.setByClient(userId, roomId, type, body);
        return {};
      },
    }),
    route({
      method: 'DELETE',
      path: '/_matrix/client/unstable/org.matrix.msc3391/user/{userId}/account_data/{type}',
      operationId: 'deleteAccountData',
      spec: 'https://github.com/matrix-org/matrix-spec-proposals/pull/3391',
      auth: 'user',
      allowSuspended: true,
      params,
      handle: async ({ requester, params: { userId, type } }) => {
        assertOwn(requester, userId);
        await accountData.delete(userId, undefined, type);
        return {};
      },
    }),
    route({
      method: 'DELETE',
      path: '/_matrix/client/unstable/org.matrix.msc3391/user/{userId}/rooms/{roomId}/account_data/{type}',
      operationId: 'deleteAccountDataPerRoom',
      spec: 'https://github.com/matrix-org/matrix-spec-proposals/pull/3391',
      auth: 'user',
      allowSuspended: true,
      params: roomParams,
      handle: async ({ requester, params: { userId, roomId, type } }) => {
        assertOwn(requester, userId);
        await accountData.delete(userId, roomId, type);
        return {};
      },
    }),
  ];
}

function found(json: string | undefined) {
  if (json === undefined) throw notFound('No account data of this type');
  return rawJson(json);
}
