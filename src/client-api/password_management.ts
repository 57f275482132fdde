/** Spec: data/api/client-server/password_management.yaml */
import { z } from 'zod';
import type { Accounts } from '../accounts/index.ts';
import { type Route, route } from '../http/route.ts';
import { authSchema } from './auth-data.ts';
import { v3 } from './paths.ts';

/** Changing the password, for those who know the old one. */
export function passwordManagementRoutes({ accounts }: { accounts: Accounts }): Route[] {
  return [
    route({
      method: 'POST',
      path: v3('/account/password'),
      operationId: 'changePassword',
      spec: 'client-server-api/#post_matrixclientv3accountpassword',
      auth: 'user',
      allowSuspended: true,
      body: z.object({ auth: authSchema, new_password: z.string(), logout_devices: z.boolean().default(true) }),
      handle: async ({ requester: { userId, deviceId }, body, remote, now }) => {
        accounts.passwords.check(body.new_password);
        await accounts.uia.require({
          operation: 'changePassword',
          binding: JSON.stringify([body.new_password, body.logout_devices]),
          userId,
          flows: [['m.login.password']],
          auth: body.auth,
          remote,
          now,
        });
        const options = { logOutOthers: body.logout_devices, currentDeviceId: deviceId };
        await accounts.users.setPassword(userId, body.new_password, options);
        return {};
      },
    }),
  ];
}
