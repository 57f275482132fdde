/** Spec: data/api/client-server/administrative_contact.yaml */
import { z } from 'zod';
import { type Accounts, CONFIRM_PATH, mediumNotSupported } from '../accounts/index.ts';
import type { Config } from '../config/index.ts';
import { EMAIL_APP_ID, type Pushers } from '../delivery/index.ts';
import { confirmPage, type LinkPurpose, languageOf, outcomePage } from '../email/index.ts';
import { type Route, reply, route } from '../http/route.ts';
import type { Identity } from '../identity/index.ts';
import { forbidden } from '../protocol/errors.ts';
import { authSchema } from './auth-data.ts';
import { PAGE_HEADERS } from './email-page.ts';
import { v3 } from './paths.ts';

const emailRequest = z.object({
  client_secret: z.string(),
  email: z.string(),
  send_attempt: z.int().min(0),
  next_link: z
    .url({ protocol: /^https?$/ })
    .max(2000)
    .optional(),
});
const phoneRequest = z.object({
  client_secret: z.string(),
  country: z.string(),
  phone_number: z.string(),
  send_attempt: z.int(),
});
const credentials = z.object({ sid: z.string(), client_secret: z.string() });
const threePid = z.object({ medium: z.string(), address: z.string(), id_server: z.string().optional() });

/** Where tokens are asked for: the path's beginning, the operation, what the address is for, and whether one is logged in. */
const REQUESTS = [
  ['/account/3pid', 'requestTokenTo3PID', 'add'],
  ['/account/password', 'requestTokenToResetPassword', 'reset'],
  ['/register', 'requestTokenToRegister', 'register'],
] as const satisfies readonly (readonly [string, string, LinkPurpose])[];

/** E-mail addresses of accounts. */
export function administrativeContactRoutes(parts: {
  readonly accounts: Accounts;
  readonly config: Config;
  readonly identity: Identity;
  readonly pushers: Pushers;
}): Route[] {
  const { accounts, config, identity, pushers } = parts;
  const { threePids } = accounts;
  const assertMayChange = (): void => {
    if (!config.email.changes_by_users) throw forbidden('Addresses of accounts can not be changed here');
  };
  return [
    route({
      method: 'GET',
      path: v3('/account/3pid'),
      operationId: 'getAccount3PIDs',
      spec: 'client-server-api/#get_matrixclientv3account3pid',
      auth: 'user',
      handle: async ({ requester: { userId } }) => ({
        threepids: (await threePids.list(userId)).map(({ medium, address, validated_ts, added_ts }) => ({
          medium,
          address,
          validated_at: validated_ts,
          added_at: added_ts,
        })),
      }),
    }),
    route({
      method: 'POST',
      path: v3('/account/3pid'),
      operationId: 'post3PIDs',
      spec: 'client-server-api/#post_matrixclientv3account3pid',
      auth: 'user',
      body: z.object({ three_pid_creds: credentials }),
      handle: async ({ requester: { userId }, body: { three_pid_creds: wish } }) => {
        assertMayChange();
        await threePids.add(userId, { sid: wish.sid, clientSecret: wish.client_secret });
        return {};
      },
    }),
    route({
      method: 'POST',
      path: v3('/account/3pid/add'),
      operationId: 'add3PID',
      spec: 'client-server-api/#post_matrixclientv3account3pidadd',
      auth: 'user',
      rateLimit: 'generic',
      body: credentials.extend({ auth: authSchema }),
      handle: async ({ requester: { userId }, body, remote, now }) => {
        assertMayChange();
        const { sid, client_secret: clientSecret } = body;
        const flows = await accounts.reAuthentication.flowsOf(userId);
        const purpose = { operation: 'add3PID', binding: sid, userId, flows };
        await accounts.uia.requireOnce({ ...purpose, auth: body.auth, remote, now });
        await threePids.add(userId, { sid, clientSecret });
        return {};
      },
    }),
    route({
      method: 'POST',
      path: v3('/account/3pid/bind'),
      operationId: 'bind3PID',
      spec: 'client-server-api/#post_matrixclientv3account3pidbind',
      auth: 'user',
      body: credentials.extend({ id_server: z.string(), id_access_token: z.string() }),
      rateLimit: 'generic',
      handle: async ({ requester: { userId }, body }) => {
        const access = { server: identity.servers.named(body.id_server), token: body.id_access_token };
        await identity.bindings.bind(userId, access, { sid: body.sid, clientSecret: body.client_secret });
        return {};
      },
    }),
    ...(['delete', 'unbind'] as const).map((verb) =>
      route({
        method: 'POST',
        path: v3(`/account/3pid/${verb}`),
        operationId: verb === 'delete' ? 'delete3pidFromAccount' : 'unbind3pidFromAccount',
        spec: `client-server-api/#post_matrixclientv3account3pid${verb}`,
        auth: 'user',
        body: threePid,
        rateLimit: 'generic',
        handle: async ({ requester: { userId }, body: { medium, address, id_server: name } }) => {
          const unbind = async () => {
            const server = name === undefined ? undefined : identity.servers.named(name);
            return identity.bindings.unbind(userId, { medium, address }, server);
          };
          if (verb === 'unbind') {
            return { id_server_unbind_result: await unbind() };
          }
          assertMayChange();
          await threePids.delete(userId, medium, address);
          if (medium === 'email') await pushers.delete(userId, EMAIL_APP_ID, address.trim().toLowerCase());
          // It is deleted here, whatever the identity server says.
          return { id_server_unbind_result: await unbind().catch(() => 'no-support') };
        },
      }),
    ),
    ...REQUESTS.flatMap(([path, operation, purpose]) => [
      route({
        method: 'POST',
        path: v3(`${path}/email/requestToken`),
        operationId: `${operation}Email`,
        spec: `client-server-api/#post_matrixclientv3${path.replaceAll('/', '')}emailrequesttoken`,
        auth: 'none',
        rateLimit: 'third_party_validation',
        body: emailRequest,
        handle: async ({ body, headers, remote }) => {
          if (purpose === 'add') assertMayChange();
          if (purpose === 'register') accounts.registration.assertOpenTo(remote);
          const sid = await threePids.request({
            purpose,
            email: body.email,
            clientSecret: body.client_secret,
            sendAttempt: body.send_attempt,
            nextLink: body.next_link,
            language: languageOf(headers['accept-language']),
          });
          return { sid };
        },
      }),
      route({
        method: 'POST',
        path: v3(`${path}/msisdn/requestToken`),
        operationId: `${operation}MSISDN`,
        spec: `client-server-api/#post_matrixclientv3${path.replaceAll('/', '')}msisdnrequesttoken`,
        auth: 'none',
        rateLimit: 'third_party_validation',
        body: phoneRequest,
        handle: () => {
          throw mediumNotSupported('Telephone numbers are not supported');
        },
      }),
    ]),
    ...confirmRoutes(accounts, config.email.app_name),
  ];
}

/** The page that the link in a message opens. */
function confirmRoutes({ threePids }: Accounts, appName: string): Route[] {
  const query = z.object({ sid: z.string(), token: z.string() });
  const spec = 'inglenook';
  return [
    route({
      method: 'GET',
      path: CONFIRM_PATH,
      operationId: 'showEmailConfirmation',
      spec,
      auth: 'none',
      query,
      handle: ({ headers }) =>
        reply({ headers: PAGE_HEADERS, body: confirmPage(languageOf(headers['accept-language']), appName) }),
    }),
    route({
      method: 'POST',
      path: CONFIRM_PATH,
      operationId: 'confirmEmail',
      spec,
      auth: 'none',
      rateLimit: 'generic',
      query,
      handle: async ({ headers, query: { sid, token } }) => {
        const outcome = await threePids.confirm(sid, token);
        if (outcome !== false && outcome.nextLink !== undefined) {
          return reply({ status: 303, headers: { location: outcome.nextLink, 'cache-control': 'no-store' } });
        }
        const page = outcomePage(
          languageOf(headers['accept-language']),
          appName,
          outcome === false ? 'failed' : 'done',
        );
        return reply({ status: outcome === false ? 403 : 200, headers: PAGE_HEADERS, body: page });
      },
    }),
  ];
}
