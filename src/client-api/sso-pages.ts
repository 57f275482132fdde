/** Our own addresses of single sign-on: where providers send browsers back, what users are asked there, logouts. */
import type { IncomingHttpHeaders } from 'node:http';
import { z } from 'zod';
import { languageOf } from '../email/index.ts';
import { type RawBody, type Reply, type Route, reply, route } from '../http/route.ts';
import { type Browser, SSO_PATH, type Sso } from '../sso/index.ts';

const ANSWER_CHARS_MAX = 8192;

const text = z.string().max(ANSWER_CHARS_MAX).optional();
/** What providers send along; anything else is not looked at. */
const answer = z.object({
  code: text,
  state: text,
  iss: text,
  session_state: text,
  error: text,
  error_description: text,
});

/** The routes below `SSO_PATH`. */
export function ssoPagesRoutes({ sso }: { readonly sso: Sso }): Route[] {
  const common = { spec: 'inglenook', auth: 'none' } as const;
  return [
    route({
      ...common,
      method: 'GET',
      path: `${SSO_PATH}/callback/{idpId}`,
      operationId: 'returnFromIdP',
      // What began with a limited request and is bound to its browser; a log-in shall not count several times.
      rateLimit: 'generic',
      query: answer,
      handle: ({ params: { idpId }, query, headers }) => {
        const given = Object.entries(query).filter((pair): pair is [string, string] => pair[1] !== undefined);
        return sso.callback(idpId, new URLSearchParams(given), browserOf(headers));
      },
    }),
    route({
      ...common,
      method: 'GET',
      path: `${SSO_PATH}/login/{loginId}`,
      operationId: 'showSsoLogin',
      handle: ({ params: { loginId }, headers }) => sso.showLogin(loginId, browserOf(headers)),
    }),
    route({
      ...common,
      method: 'POST',
      path: `${SSO_PATH}/login/{loginId}`,
      operationId: 'submitSsoLogin',
      rateLimit: 'generic',
      body: 'raw',
      handle: async ({ params: { loginId }, body, headers }) =>
        sso.submitLogin(loginId, await formOf(body), browserOf(headers)),
    }),
    route({
      ...common,
      method: 'POST',
      path: `${SSO_PATH}/backchannel-logout/{idpId}`,
      operationId: 'backchannelLogout',
      rateLimit: 'generic',
      body: 'raw',
      handle: async ({ params: { idpId }, body }) => {
        const token = (await formOf(body)).get('logout_token') ?? '';
        const outcome = await sso.backchannelLogout(idpId, token);
        if (outcome === undefined) return logoutAnswer(404, 'invalid_request');
        if (outcome === 'unreachable') return logoutAnswer(503, 'temporarily_unavailable');
        return outcome === 'invalid' ? logoutAnswer(400, 'invalid_request') : logoutAnswer(200, undefined);
      },
    }),
    route({
      ...common,
      method: 'GET',
      path: `${SSO_PATH}/logout/{idpId}`,
      operationId: 'logoutAtIdP',
      rateLimit: 'login',
      handle: async ({ params: { idpId }, headers }) => {
        const { language } = browserOf(headers);
        const location = await sso.logoutUrl(idpId).catch(() => 'down' as const);
        if (location === undefined || location === 'down') return sso.unknown(language, location === 'down');
        return reply({ status: 302, headers: { location, 'cache-control': 'no-store' } });
      },
    }),
    route({
      ...common,
      method: 'GET',
      path: `${SSO_PATH}/logged-out`,
      operationId: 'showLoggedOut',
      handle: ({ headers }) => sso.loggedOut(browserOf(headers).language),
    }),
  ];
}

function browserOf(headers: IncomingHttpHeaders): Browser {
  return { cookie: headers.cookie, language: languageOf(headers['accept-language']) };
}

/** The fields of a form; none where the body is something else, such as JSON that a script of another page can send. */
async function formOf(body: RawBody): Promise<URLSearchParams> {
  const isForm = body.contentType?.split(';', 1)[0]?.trim().toLowerCase() === 'application/x-www-form-urlencoded';
  return new URLSearchParams(isForm ? (await body.bytes()).toString('utf8') : '');
}

/** As OpenID Connect Back-Channel Logout 1.0, section 2.8, wants it. */
function logoutAnswer(status: number, error: string | undefined): Reply {
  const headers = { 'cache-control': 'no-store' };
  return reply(error === undefined ? { status, headers, body: {} } : { status, headers, body: { error } });
}
