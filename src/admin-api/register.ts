/** Registration with a shared secret, as in Synapse's admin API (docs/admin_api/register_api.md there). */
import { z } from 'zod';
import type { Accounts } from '../accounts/index.ts';
import { registeredJson } from '../client-api/registration.ts';
import { type Route, route } from '../http/route.ts';
import { unrecognized } from '../protocol/errors.ts';

const body = z.object({
  nonce: z.string(),
  username: z.string(),
  password: z.string(),
  mac: z.string(),
  admin: z.boolean().default(false),
  displayname: z.string().optional(),
  user_type: z.string().nullish(),
  device_id: z.string().optional(),
  initial_device_display_name: z.string().optional(),
  inhibit_login: z.boolean().default(false),
});

const PATH = '/_synapse/admin/v1/register';
const SPEC = 'https://element-hq.github.io/synapse/latest/admin_api/register_api.html';

/** Accounts made by whoever knows the server's secret. Without a secret these addresses don't exist. */
export function adminRegisterRoutes({ accounts }: { accounts: Accounts }): Route[] {
  function sharedSecret() {
    if (accounts.sharedSecret === undefined) throw unrecognized();
    return accounts.sharedSecret;
  }

  return [
    route({
      method: 'GET',
      path: PATH,
      operationId: 'adminRegisterNonce',
      spec: SPEC,
      auth: 'none',
      handle: () => ({ nonce: sharedSecret().newNonce() }),
    }),
    route({
      method: 'POST',
      path: PATH,
      operationId: 'adminRegister',
      spec: SPEC,
      auth: 'none',
      body,
      handle: async ({ body, remote }) => {
        const { nonce, username, password, mac, admin: isAdmin, displayname: displayName } = body;
        const userType = body.user_type ?? undefined;
        sharedSecret().check({ nonce, username, password, mac, isAdmin, userType });
        const registered = await accounts.registration.registerByAdmin(
          { username, password, isAdmin, displayName, userType },
          {
            deviceId: body.device_id,
            deviceName: body.initial_device_display_name,
            inhibitLogin: body.inhibit_login,
          },
          remote,
        );
        return registeredJson(registered, accounts.serverName);
      },
    }),
  ];
}
