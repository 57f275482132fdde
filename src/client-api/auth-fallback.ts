/** Spec: content/client-server-api/_index.md, Fallback; no file of its own in data/api/client-server */
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { Accounts } from '../accounts/index.ts';
import { type Route, reply, route } from '../http/index.ts';
import { invalidParam } from '../protocol/errors.ts';
import { makeUserId, parseUserId } from '../protocol/ids/index.ts';
import type { Sso } from '../sso/index.ts';
import { type FallbackFacts, fallbackHeaders, fallbackPage } from './fallback-page.ts';
import { v3 } from './paths.ts';
import { entryOf } from './sso_login_redirect.ts';

const PATH = v3('/auth/{authType}/fallback/web');
const SPEC = 'client-server-api/#fallback';
const STAGES = [
  'm.login.dummy',
  'm.login.password',
  'm.login.recaptcha',
  'm.login.registration_token',
  'm.login.terms',
] as const;
const params = z.object({ authType: z.enum(STAGES) });
const query = z.object({ session: z.string().max(512) });
const field = z.string().max(8_192).optional();

/** Pages for the stages of authentication that a client doesn't know. */
export function authFallbackRoutes({ accounts, sso }: { readonly accounts: Accounts; readonly sso: Sso }): Route[] {
  const { uia, serverName } = accounts;
  return [
    route({
      method: 'GET',
      path: PATH,
      operationId: 'showAuthFallback',
      spec: SPEC,
      auth: 'none',
      rateLimit: 'login',
      params: z.object({ authType: z.enum([...STAGES, 'm.login.sso']) }),
      query: query.extend({ idp: z.string().max(64).optional(), moved: z.string().max(1).optional() }),
      handle: ({ params: { authType: stage }, query: { session, idp, moved }, headers }) => {
        if (stage === 'm.login.sso') {
          const search = new URLSearchParams({ session, ...(idp !== undefined && { idp }) });
          const entry = entryOf(headers, `/_matrix/client/v3/auth/m.login.sso/fallback/web?${search}`, moved);
          return sso.redirectForProof(session, idp, entry);
        }
        if (uia.expiryOf(session) === undefined) throw invalidParam('The session is unknown or has expired');
        const language = headers['accept-language']?.startsWith('zh') ? 'zh' : 'en';
        const nonce = randomBytes(16).toString('base64url');
        const facts: FallbackFacts = { stage, params: uia.paramsOf(stage, session), language, nonce };
        return reply({ headers: fallbackHeaders(facts), body: fallbackPage(facts) });
      },
    }),
    route({
      method: 'POST',
      path: PATH,
      operationId: 'completeAuthFallback',
      spec: SPEC,
      auth: 'none',
      rateLimit: 'login',
      params,
      query,
      body: z.object({ token: field, response: field, user: field, password: field }),
      handle: async ({ params: { authType: type }, query: { session }, body, remote, now }) => {
        const { user, ...fields } = body;
        const identifier = user === undefined ? {} : { identifier: { type: 'm.id.user', user } };
        // On this page the one whose password it is says who they are; whom it must be, the session knows.
        const userId = user?.startsWith('@') ? parseUserId(user) : makeUserId(user?.toLowerCase() ?? '', serverName);
        await uia.attemptOutside(session, type, { type, ...fields, ...identifier }, { userId, remote, now });
        return {};
      },
    }),
  ];
}
