/** Spec: data/api/client-server/account_deactivation.yaml */
import { z } from 'zod';
import type { Accounts } from '../accounts/index.ts';
import { type Route, route } from '../http/route.ts';
import type { Identity } from '../identity/index.ts';
import { authSchema } from './auth-data.ts';
import { v3 } from './paths.ts';

/** Ending one's account. */
export function accountDeactivationRoutes({
  accounts,
  identity,
}: {
  readonly accounts: Accounts;
  readonly identity: Identity;
}): Route[] {
  return [
    route({
      method: 'POST',
      path: v3('/account/deactivate'),
      operationId: 'deactivateAccount',
      spec: 'client-server-api/#post_matrixclientv3accountdeactivate',
      auth: 'user',
      rateLimit: 'generic',
      allowSuspended: true,
      body: z.object({ auth: authSchema, erase: z.boolean().default(false) }),
      handle: async ({ requester: { userId }, body, remote, now }) => {
        await accounts.uia.requireOnce({
          operation: 'deactivateAccount',
          binding: JSON.stringify(body.erase),
          userId,
          flows: await accounts.reAuthentication.flowsOf(userId),
          auth: body.auth,
          remote,
          now,
        });
        await accounts.users.deactivate(userId, { erase: body.erase });
        return { id_server_unbind_result: await identity.bindings.unbindAll(userId) };
      },
    }),
  ];
}
