/** Spec: data/api/client-server/login.yaml */
import { z } from 'zod';
import type { Accounts, Session, SessionWish } from '../accounts/index.ts';
import { type Remote, type Route, route } from '../http/route.ts';
import { forbidden, MatrixError, missingParam } from '../protocol/errors.ts';
import type { Sso } from '../sso/index.ts';
import { sessionTokens } from './auth-data.ts';
import { v3 } from './paths.ts';
import { type ClientDiscovery, clientWellKnown } from './wellknown.ts';

const body = z.object({
  type: z.string(),
  identifier: z
    .looseObject({
      type: z.string().optional(),
      user: z.string().optional(),
      medium: z.string().optional(),
      address: z.string().optional(),
    })
    .optional(),
  /** Before there were identifiers. */
  user: z.string().optional(),
  medium: z.string().optional(),
  address: z.string().optional(),
  password: z.string().optional(),
  /** Of `m.login.token`. */
  token: z.string().optional(),
  device_id: z.string().optional(),
  initial_device_display_name: z.string().optional(),
  refresh_token: z.boolean().optional(),
});

interface LoginParts {
  readonly accounts: Accounts;
  readonly config: ClientDiscovery;
  readonly sso: Sso;
}

/** Logging in. */
export function loginRoutes({ accounts, config, sso }: LoginParts): Route[] {
  const discovery = clientWellKnown(config);
  const wellKnown = discovery === undefined ? {} : { well_known: discovery };
  const flows = [
    ...(accounts.passwordLogin.isEnabled ? [{ type: 'm.login.password' }] : []),
    ...(sso.flow === undefined ? [] : [sso.flow]),
    { type: 'm.login.token', get_login_token: true },
  ];
  return [
    route({
      method: 'GET',
      path: v3('/login'),
      operationId: 'getLoginFlows',
      spec: 'client-server-api/#get_matrixclientv3login',
      auth: 'none',
      rateLimit: 'generic',
      handle: () => ({ flows }),
    }),
    route({
      method: 'POST',
      path: v3('/login'),
      operationId: 'login',
      spec: 'client-server-api/#post_matrixclientv3login',
      auth: 'none',
      rateLimit: 'login',
      body,
      handle: async ({ body, remote }) => {
        const wish = {
          deviceId: body.device_id,
          deviceName: body.initial_device_display_name,
          canRefresh: body.refresh_token,
        };
        const session = await logIn(accounts, body, wish, remote);
        return {
          user_id: session.userId,
          device_id: session.deviceId,
          home_server: accounts.serverName,
          ...sessionTokens(session),
          ...wellKnown,
        };
      },
    }),
  ];
}

/** Opens a session by whatever the client shows. */
async function logIn(
  accounts: Accounts,
  { type, token, password, ...named }: z.output<typeof body>,
  wish: SessionWish,
  remote: Remote,
): Promise<Session> {
  if (type === 'm.login.token') {
    if (token === undefined) throw missingParam('Missing key: token');
    return accounts.shortTokens.logIn(token, wish, remote);
  }
  if (type !== 'm.login.password' || !accounts.passwordLogin.isEnabled)
    throw new MatrixError('M_UNKNOWN', 'This type of login is not offered');
  const user = await userOf(accounts, named);
  if (password === undefined) throw missingParam('Missing key: password');
  return accounts.passwordLogin.logIn(user, password, wish, remote);
}

/** Whom the client names: a user, or an e-mail address that belongs to one. */
async function userOf(
  { threePids }: Accounts,
  { identifier, user, medium, ...old }: Pick<z.output<typeof body>, 'identifier' | 'user' | 'medium' | 'address'>,
): Promise<string> {
  const type =
    identifier?.type ?? (medium === undefined && identifier?.medium === undefined ? 'm.id.user' : 'm.id.thirdparty');
  if (type === 'm.id.thirdparty') {
    const address = identifier?.address ?? old.address;
    if ((identifier?.medium ?? medium) !== 'email' || address === undefined) {
      throw forbidden('Only user names and e-mail addresses can be used to log in here');
    }
    // An unknown address is refused like a wrong password, after the same time.
    return (await threePids.userOf('email', address)) ?? '';
  }
  if (type === 'm.id.phone') throw forbidden('Telephone numbers can not be used to log in here');
  if (type !== 'm.id.user') throw new MatrixError('M_UNKNOWN', 'Unknown type of identifier');
  const name = identifier?.user ?? user;
  if (name === undefined) throw missingParam('Missing key: identifier.user');
  return name;
}
