/** Spec: data/api/client-server/sso_login_redirect.yaml */
import type { IncomingHttpHeaders } from 'node:http';
import { z } from 'zod';
import { languageOf } from '../email/index.ts';
import { type Route, route } from '../http/route.ts';
import type { Entry, Sso } from '../sso/index.ts';
import { v3 } from './paths.ts';

/** Ours: the browser came from another address of this server. */
const moved = z.string().max(1).optional();
const query = z.object({ redirectUrl: z.string(), action: z.enum(['login', 'register']).optional(), moved });

const PATH = '/_matrix/client/v3/login/sso/redirect';

/** Sends browsers to a provider of single sign-on. */
export function ssoLoginRedirectRoutes({ sso }: { readonly sso: Sso }): Route[] {
  return [
    route({
      method: 'GET',
      path: v3('/login/sso/redirect'),
      operationId: 'redirectToSSO',
      spec: 'client-server-api/#get_matrixclientv3loginssoredirect',
      auth: 'none',
      rateLimit: 'login',
      query,
      handle: ({ query: { redirectUrl, action, moved }, headers }) => {
        const isRegistration = action === 'register';
        const search = new URLSearchParams({ redirectUrl, ...(isRegistration && { action }) });
        const entry = entryOf(headers, `${PATH}?${search}`, moved);
        return sso.redirect({ redirectUrl, providerId: undefined, isRegistration }, entry);
      },
    }),
    route({
      method: 'GET',
      path: v3('/login/sso/redirect/{idpId}'),
      operationId: 'redirectToIdP',
      spec: 'client-server-api/#get_matrixclientv3loginssoredirectidpid',
      auth: 'none',
      rateLimit: 'login',
      query,
      handle: ({ params: { idpId }, query: { redirectUrl, action, moved }, headers }) => {
        const isRegistration = action === 'register';
        const search = new URLSearchParams({ redirectUrl, ...(isRegistration && { action }) });
        const entry = entryOf(headers, `${PATH}/${encodeURIComponent(idpId)}?${search}`, moved);
        return sso.redirect({ redirectUrl, providerId: idpId, isRegistration }, entry);
      },
    }),
  ];
}

/** What is known of a browser that comes in, and where it would have to ask again. */
export function entryOf(headers: IncomingHttpHeaders, target: string, isMoved: string | undefined): Entry {
  const language = languageOf(headers['accept-language']);
  return { host: headers.host, target, language, isMoved: isMoved !== undefined };
}
