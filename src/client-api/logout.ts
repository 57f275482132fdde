/** Spec: data/api/client-server/logout.yaml */
import type { Accounts } from '../accounts/index.ts';
import { type Route, route } from '../http/route.ts';
import { v3 } from './paths.ts';

/** Logging out, here or everywhere. Locked accounts may do it too. */
export function logoutRoutes({ accounts }: { accounts: Accounts }): Route[] {
  return [
    route({
      method: 'POST',
      path: v3('/logout'),
      operationId: 'logout',
      spec: 'client-server-api/#post_matrixclientv3logout',
      auth: 'guest',
      allowLocked: true,
      allowSuspended: true,
      handle: async ({ requester }) => {
        await accounts.sessions.logOut(requester);
        return {};
      },
    }),
    route({
      method: 'POST',
      path: v3('/logout/all'),
      operationId: 'logout_all',
      spec: 'client-server-api/#post_matrixclientv3logoutall',
      auth: 'guest',
      allowLocked: true,
      allowSuspended: true,
      handle: async ({ requester }) => {
        await accounts.sessions.logOutAll(requester.userId);
        return {};
      },
    }),
  ];
}
