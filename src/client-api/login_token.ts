/** Spec: data/api/client-server/login_token.yaml */
import { z } from 'zod';
import type { Accounts } from '../accounts/index.ts';
import { type Route, route } from '../http/route.ts';
import { authSchema } from './auth-data.ts';

/** Lets a logged-in user log in on another device. */
export function loginTokenRoutes({ accounts }: { accounts: Accounts }): Route[] {
  return [
    route({
      method: 'POST',
      path: ['/_matrix/client/v1/login/get_token', '/_matrix/client/unstable/org.matrix.msc3882/login/get_token'],
      operationId: 'generateLoginToken',
      spec: 'client-server-api/#post_matrixclientv1loginget_token',
      auth: 'user',
      allowSuspended: true,
      rateLimit: 'login',
      body: z.object({ auth: authSchema }),
      handle: async ({ requester: { userId }, body, remote, now }) => {
        const flows = await accounts.reAuthentication.flowsOf(userId);
        const purpose = { operation: 'generateLoginToken', binding: '', userId, flows };
        await accounts.uia.requireOnce({ ...purpose, auth: body.auth, remote, now });
        const { token, lifetimeMs } = await accounts.shortTokens.issue('login', userId);
        return { login_token: token, expires_in_ms: lifetimeMs };
      },
    }),
  ];
}
