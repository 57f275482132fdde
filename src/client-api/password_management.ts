/** Spec: data/api/client-server/password_management.yaml */
import { z } from 'zod';
import type { Accounts, Flow } from '../accounts/index.ts';
import { type Route, route } from '../http/route.ts';
import { forbidden, missingToken } from '../protocol/errors.ts';
import { authSchema } from './auth-data.ts';
import { v3 } from './paths.ts';

/** Who is logged in proves it again; who isn't proves to have the account's e-mail address. */
function flowsOf(ofUser: readonly Flow[] | undefined, hasEmail: boolean): readonly Flow[] {
  const byEmail: Flow = ['m.login.email.identity'];
  if (ofUser === undefined && !hasEmail) throw missingToken();
  return [...(ofUser ?? []), ...(hasEmail ? [byEmail] : [])];
}

/** Changing the password, for those who know the old one or have the e-mail address. */
export function passwordManagementRoutes({ accounts }: { accounts: Accounts }): Route[] {
  const { reAuthentication } = accounts;
  return [
    route({
      method: 'POST',
      path: v3('/account/password'),
      operationId: 'changePassword',
      spec: 'client-server-api/#post_matrixclientv3accountpassword',
      auth: 'optional',
      rateLimit: 'generic',
      allowSuspended: true,
      body: z.object({ auth: authSchema, new_password: z.string(), logout_devices: z.boolean().default(true) }),
      handle: async ({ requester, body, remote, now }) => {
        accounts.passwords.check(body.new_password);
        if (!reAuthentication.takesPasswords) throw forbidden('Passwords are not used on this server');
        const ofUser = requester && (await reAuthentication.flowsOf(requester.userId));
        if (requester?.isGuest === true) throw forbidden('Guests have no password');
        const outcome = await accounts.uia.require({
          operation: 'changePassword',
          binding: JSON.stringify([body.new_password, body.logout_devices]),
          userId: requester?.userId,
          flows: flowsOf(ofUser, accounts.threePids.isAvailable),
          auth: body.auth,
          remote,
          now,
        });
        const address = outcome.results.get('m.login.email.identity');
        const owner = address === undefined ? undefined : await accounts.threePids.userOf('email', address);
        const userId = requester?.userId ?? owner;
        if (userId === undefined || (owner !== undefined && owner !== userId)) {
          throw forbidden('This e-mail address does not belong to the account');
        }
        const options = {
          logOutOthers: body.logout_devices,
          currentDeviceId: requester?.deviceId,
          also: outcome.close,
        };
        await accounts.users.setPassword(userId, body.new_password, options);
        return {};
      },
    }),
  ];
}
