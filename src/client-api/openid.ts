/** Spec: data/api/client-server/openid.yaml, and what redeems the tokens: data/api/server-server/openid.yaml */
import { z } from 'zod';
import type { Accounts } from '../accounts/index.ts';
import { type Route, route } from '../http/route.ts';
import { jsonObjectSchema, userIdSchema } from '../http/schema.ts';
import { MatrixError } from '../protocol/errors.ts';
import { assertOwn } from './own-account.ts';
import { v3 } from './paths.ts';

/** Proofs of who somebody is, for services that trust this server. */
export function openidRoutes({ accounts }: { accounts: Accounts }): Route[] {
  return [
    route({
      method: 'POST',
      path: v3('/user/{userId}/openid/request_token'),
      operationId: 'requestOpenIdToken',
      spec: 'client-server-api/#post_matrixclientv3useruseridopenidrequest_token',
      auth: 'guest',
      allowSuspended: true,
      rateLimit: 'generic',
      params: z.object({ userId: userIdSchema }),
      body: jsonObjectSchema,
      handle: async ({ requester, params: { userId } }) => {
        assertOwn(requester, userId);
        const { token, lifetimeMs } = await accounts.shortTokens.issue('openid', userId);
        return {
          access_token: token,
          token_type: 'Bearer',
          matrix_server_name: accounts.serverName,
          expires_in: lifetimeMs / 1000,
        };
      },
    }),
    route({
      method: 'GET',
      path: '/_matrix/federation/v1/openid/userinfo',
      operationId: 'exchangeOpenIdToken',
      spec: 'server-server-api/#get_matrixfederationv1openiduserinfo',
      auth: 'none',
      rateLimit: 'generic',
      query: z.object({ access_token: z.string().optional() }),
      handle: async ({ query: { access_token: token } }) => {
        const userId = token === undefined ? undefined : await accounts.shortTokens.openIdUser(token);
        if (userId === undefined) throw new MatrixError('M_UNKNOWN_TOKEN', 'Access token unknown or expired');
        return { sub: userId };
      },
    }),
  ];
}
