/** Spec: data/api/client-server/sso_login_redirect.yaml */
import { z } from 'zod';
import { languageOf } from '../email/index.ts';
import { type Route, route } from '../http/route.ts';
import type { Sso } from '../sso/index.ts';
import { v3 } from './paths.ts';

const query = z.object({ redirectUrl: z.string(), action: z.enum(['login', 'register']).optional() });

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
      handle: ({ query: { redirectUrl, action }, headers }) => {
        const wish = { redirectUrl, providerId: undefined, isRegistration: action === 'register' };
        return sso.redirect(wish, languageOf(headers['accept-language']));
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
      handle: ({ params: { idpId }, query: { redirectUrl, action }, headers }) => {
        const wish = { redirectUrl, providerId: idpId, isRegistration: action === 'register' };
        return sso.redirect(wish, languageOf(headers['accept-language']));
      },
    }),
  ];
}
