/** Spec: data/api/client-server/refresh.yaml */
import { z } from 'zod';
import type { Accounts } from '../accounts/index.ts';
import { type Route, route } from '../http/route.ts';
import { sessionTokens } from './auth-data.ts';
import { v3 } from './paths.ts';

/** Refreshing access tokens. */
export function refreshRoutes({ accounts }: { accounts: Accounts }): Route[] {
  return [
    route({
      method: 'POST',
      path: v3('/refresh'),
      operationId: 'refresh',
      spec: 'client-server-api/#post_matrixclientv3refresh',
      auth: 'none',
      rateLimit: 'refresh',
      body: z.object({ refresh_token: z.string() }),
      handle: async ({ body }) => sessionTokens(await accounts.sessions.refresh(body.refresh_token)),
    }),
  ];
}
