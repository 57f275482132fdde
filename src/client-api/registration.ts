/** Spec: data/api/client-server/registration.yaml */
import { z } from 'zod';
import type { Accounts, Registered } from '../accounts/index.ts';
import { type Remote, type Route, route } from '../http/route.ts';
import { forbidden } from '../protocol/errors.ts';
import type { UserId } from '../protocol/ids/index.ts';
import { authSchema, sessionTokens } from './auth-data.ts';
import { v3 } from './paths.ts';

const body = z.object({
  auth: authSchema,
  username: z.string().optional(),
  password: z.string().optional(),
  device_id: z.string().optional(),
  initial_device_display_name: z.string().optional(),
  inhibit_login: z.boolean().optional(),
  refresh_token: z.boolean().optional(),
  // Spec: client-server-api/#guest-access
  guest_access_token: z.string().optional(),
});

/** Registration of users and guests, and whether a name is free. */
export function registrationRoutes({ accounts }: { accounts: Accounts }): Route[] {
  const { registration, uia } = accounts;

  async function guestOf(token: string | undefined, remote: Remote): Promise<UserId | undefined> {
    if (token === undefined) return undefined;
    const { userId, isGuest } = await accounts.authenticator.authenticate(token, remote);
    if (!isGuest) throw forbidden('guest_access_token must be of a guest');
    return userId;
  }

  async function registerUser(wish: z.output<typeof body>, remote: Remote, now: number): Promise<Registered> {
    registration.assertOpenTo(remote);
    const wanted = {
      guest: await guestOf(wish.guest_access_token, remote),
      username: wish.username,
      password: wish.password,
      deviceId: wish.device_id,
      deviceName: wish.initial_device_display_name,
      inhibitLogin: wish.inhibit_login,
      canRefresh: wish.refresh_token,
    };
    await registration.assertPossible(wanted);
    const outcome = await uia.require({
      operation: 'register',
      // Clients change the body between the steps, and nobody but themselves is concerned.
      binding: '',
      userId: undefined,
      flows: registration.flows,
      auth: wish.auth,
      remote,
      now,
    });
    return registration.register(wanted, outcome, remote);
  }

  return [
    route({
      method: 'POST',
      path: v3('/register'),
      operationId: 'register',
      spec: 'client-server-api/#post_matrixclientv3register',
      auth: 'none',
      rateLimit: 'registration',
      query: z.object({ kind: z.enum(['user', 'guest']).default('user') }),
      body,
      handle: async ({ query, body, remote, now }) => {
        const isGuest = query.kind === 'guest';
        const registered = isGuest
          ? await registration.registerGuest(body.initial_device_display_name, remote)
          : await registerUser(body, remote, now);
        return registeredJson(registered, accounts.serverName);
      },
    }),
    route({
      method: 'GET',
      path: v3('/register/available'),
      operationId: 'checkUsernameAvailability',
      spec: 'client-server-api/#get_matrixclientv3registeravailable',
      auth: 'none',
      rateLimit: 'registration_check',
      query: z.object({ username: z.string() }),
      handle: async ({ query, remote }) => {
        registration.assertOpenTo(remote);
        await registration.assertAvailable(query.username);
        return { available: true };
      },
    }),
  ];
}

/** A new account as `/register` answers it. */
export function registeredJson({ userId, session }: Registered, serverName: string) {
  const user = { user_id: userId, home_server: serverName };
  return session === undefined ? user : { ...user, device_id: session.deviceId, ...sessionTokens(session) };
}
