/** Spec: data/api/client-server/registration_tokens.yaml */
import { z } from 'zod';
import type { Accounts } from '../accounts/index.ts';
import { type Route, route } from '../http/route.ts';

/** Whether a registration token is good. */
export function registrationTokensRoutes({ accounts }: { accounts: Accounts }): Route[] {
  return [
    route({
      method: 'GET',
      path: '/_matrix/client/v1/register/m.login.registration_token/validity',
      operationId: 'registrationTokenValidity',
      spec: 'client-server-api/#get_matrixclientv1registermloginregistration_tokenvalidity',
      auth: 'none',
      rateLimit: 'registration_check',
      query: z.object({ token: z.string() }),
      handle: async ({ query, remote }) => {
        accounts.registration.assertOpenTo(remote);
        return { valid: await accounts.registration.isTokenValid(query.token) };
      },
    }),
  ];
}
