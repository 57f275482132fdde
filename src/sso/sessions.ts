/** Which sessions here hang on which session at a provider, and their end with it. */
import { z } from 'zod';
import { type Accounts, hashSecret } from '../accounts/index.ts';
import type { Clock } from '../clock.ts';
import { forbidden } from '../protocol/errors.ts';
import { parseUserId, type UserId } from '../protocol/ids/index.ts';
import { isJsonObject, type JsonObject } from '../protocol/json/index.ts';
import type { Database } from '../storage/index.ts';
import type { Logger } from '../telemetry/log.ts';
import type { Identity } from './identity.ts';
import type { Provider } from './provider.ts';
import { ProviderUnreachableError } from './provider-http.ts';
import { deleteSessions, insertLogout, isLoggedOut, type LoggedOut, sessionsOf, setSession } from './store.ts';

const noteSchema = z.object({
  provider: z.string(),
  subject: z.string(),
  upstreamSid: z.string().optional(),
  authTs: z.int(),
});

/** What goes with a login token: the session at the provider. */
export function noteOf({ provider, subject, upstreamSid, authTs }: Identity): string {
  return JSON.stringify({ provider, subject, upstreamSid, authTs });
}

/** What came of a logout token. */
export type LogoutOutcome = 'done' | 'invalid' | 'unreachable';

const LOGOUT_EVENT = 'http://schemas.openid.net/event/backchannel-logout';
/** A logout token is taken for so long after it was made. */
const LOGOUT_AGE_SECONDS_MAX = 300;
/** Tokens are remembered for longer than they are taken, and than any log-in lasts. */
const LOGOUT_KEPT_MS = 2 * 3_600_000;
const TOKEN_CHARS_MAX = 16_384;

export interface SsoSessionsDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly log: Logger;
  readonly accounts: Accounts;
}

/** Sessions that came by single sign-on. */
export class SsoSessions {
  readonly #deps: SsoSessionsDeps;

  constructor(deps: SsoSessionsDeps) {
    this.#deps = deps;
    const { accounts } = deps;
    accounts.shortTokens.onLogIn(async (tx, { userId, deviceId }, text) => {
      const note = noteSchema.parse(JSON.parse(text));
      if (await isLoggedOut(tx, note)) throw forbidden('The login token is not valid');
      const { provider, subject, upstreamSid } = note;
      await setSession(tx, {
        user_id: userId,
        device_id: deviceId,
        provider,
        subject,
        upstream_sid: upstreamSid ?? null,
      });
    });
    accounts.devices.onDeleted((tx, userId, deviceIds) => deleteSessions(tx, userId, deviceIds));
  }

  /**
   * Ends the sessions that a logout token names. Each token is taken once. Spec: OpenID Connect Back-Channel Logout 1.0,
   * sections 2.4 to 2.8.
   */
  async logOut(provider: Provider, token: string): Promise<LogoutOutcome> {
    const { database, clock, log } = this.#deps;
    const { id } = provider.config;
    if (token.length > TOKEN_CHARS_MAX) return 'invalid';
    let claims: JsonObject;
    try {
      claims = await provider.verifySigned(token, { ageSecondsMax: LOGOUT_AGE_SECONDS_MAX });
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      log.warn({ provider: id, code }, 'a logout token was refused');
      return error instanceof ProviderUnreachableError ? 'unreachable' : 'invalid';
    }
    const ended = loggedOutBy(claims);
    const { jti } = claims;
    if (ended === undefined || typeof jti !== 'string' || jti === '') return 'invalid';
    const now = clock.now();
    const count = await database.write('main', async (tx) => {
      const isNew = await insertLogout(tx, {
        provider: id,
        token_hash: hashSecret(jti),
        subject: ended.subject ?? null,
        upstream_sid: ended.upstreamSid ?? null,
        received_ts: now,
        expires_ts: now + LOGOUT_KEPT_MS,
      });
      if (!isNew) return undefined;
      const byUser = new Map<UserId, string[]>();
      const sessions = await sessionsOf(tx, id, ended);
      for (const { user_id, device_id } of sessions) {
        const userId = parseUserId(user_id);
        if (userId !== undefined) byUser.set(userId, [...(byUser.get(userId) ?? []), device_id]);
      }
      for (const [userId, deviceIds] of byUser) await this.#deps.accounts.devices.deleteIn(tx, userId, deviceIds);
      return sessions.length;
    });
    if (count === undefined) return 'invalid';
    log.info({ provider: id, count }, 'a provider ended sessions');
    return 'done';
  }
}

/** What the claims of a logout token end; undefined where they are none of a logout token. */
function loggedOutBy(claims: JsonObject): LoggedOut | undefined {
  const { events, nonce, sub, sid } = claims;
  if (nonce !== undefined || !isJsonObject(events) || !isJsonObject(events[LOGOUT_EVENT])) return undefined;
  const subject = typeof sub === 'string' ? sub : undefined;
  const upstreamSid = typeof sid === 'string' ? sid : undefined;
  return subject === undefined && upstreamSid === undefined ? undefined : { subject, upstreamSid };
}
