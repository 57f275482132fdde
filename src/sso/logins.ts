/** Log-ins in the browser, from the way to the provider to the way back to the client. Spec: client-server-api/#client-login-via-sso */
import { type Accounts, hashSecret, newSecret } from '../accounts/index.ts';
import type { Clock } from '../clock.ts';
import type { SsoConfig } from '../config/index.ts';
import { type Reply, reply } from '../http/index.ts';
import { parseUserId, type UserId } from '../protocol/ids/index.ts';
import type { Database, WriteTx } from '../storage/index.ts';
import type { Logger } from '../telemetry/log.ts';
import { formToken, isSame, type LoginCookies, matchesHash } from './cookies.ts';
import { arrivalSchema, type Identity, identityOf, isAllowed } from './identity.ts';
import { confirmPage, namePage, proofDonePage, proofPage, refusalPage } from './pages.ts';
import type { NameProblem, People } from './people.ts';
import type { Provider } from './provider.ts';
import { ProviderUnreachableError } from './provider-http.ts';
import { isTrusted, parseRedirectUrl, withLoginToken } from './redirect-url.ts';
import { SsoRefusal } from './refusal.ts';
import { noteOf } from './sessions.ts';
import { deleteLogin, findLogin, insertLogin, isLoggedOut, moveLogin, type SsoLoginRow } from './store.ts';
import type { SsoLanguage } from './texts.ts';

export interface SsoLoginsDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly log: Logger;
  readonly accounts: Accounts;
  readonly config: SsoConfig;
  readonly cookies: LoginCookies;
  readonly people: People;
  readonly providers: ReadonlyMap<string, Provider>;
  /** The address of a log-in's page. */
  readonly pageUrl: (loginId: string) => string;
}

/** The browser that asks. */
export interface Browser {
  /** The `Cookie` header. */
  readonly cookie: string | undefined;
  readonly language: SsoLanguage;
}

/** What a log-in is started for. */
export interface LoginWish {
  readonly provider: Provider;
  readonly purpose: SsoLoginRow['purpose'];
  /** The client's redirect address, checked; or the session of user-interactive authentication. */
  readonly target: string;
  readonly isRegistration: boolean;
}

/** The log-ins of this server. What is under way is in the database, so that a restart interrupts nobody. */
export class SsoLogins {
  readonly #deps: SsoLoginsDeps;

  constructor(deps: SsoLoginsDeps) {
    this.#deps = deps;
  }

  /** Sends the browser to the provider. */
  async start({ provider, purpose, target, isRegistration }: LoginWish, language: SsoLanguage): Promise<Reply> {
    const { database, clock, cookies, config } = this.#deps;
    const [state, secret, nonce, codeVerifier] = [newSecret(), newSecret(), newSecret(), newSecret()];
    const loginId = hashSecret(state);
    let location: string;
    try {
      const isProof = purpose === 'proof';
      location = await provider.authorizationUrl({ state, nonce, codeVerifier, isProof, isRegistration });
    } catch (error) {
      this.#logFailure(provider, error);
      return refusalPage(language, 'unreachable');
    }
    const lifetimeMs = config.login_timeout;
    await database.write('main', (tx) =>
      insertLogin(tx, {
        login_id: loginId,
        cookie_hash: hashSecret(secret),
        provider: provider.config.id,
        purpose,
        target,
        nonce,
        code_verifier: codeVerifier,
        stage: 'started',
        identity: null,
        user_id: null,
        expires_ts: clock.now() + lifetimeMs,
      }),
    );
    return redirect(location, cookies.set(loginId, secret, lifetimeMs));
  }

  /** Takes the browser that comes back from a provider. `answer`: the query that it was sent with. */
  async callback(provider: Provider, answer: URLSearchParams, browser: Browser): Promise<Reply> {
    const { language } = browser;
    const state = answer.get('state') ?? '';
    const loginId = hashSecret(state);
    return this.#refusing(language, async () => {
      const row = await this.#claim(loginId, provider, browser);
      const again = () => (row.purpose === 'login' ? againHref(row) : undefined);
      let identity: Identity;
      try {
        identity = await this.#identityOf(provider, answer, state, row);
      } catch (error) {
        if (!(error instanceof SsoRefusal)) throw error;
        return refusalPage(language, error.reason, again());
      }
      return this.#deps.database.write('main', (tx) => this.#arrive(tx, provider, row, identity));
    });
  }

  /** The page of a log-in in which the user is asked something. */
  async show(loginId: string, browser: Browser): Promise<Reply> {
    const { database, clock } = this.#deps;
    return this.#refusing(browser.language, async () => {
      const row = await database.read((tx) => findLogin(tx, loginId, clock.now()));
      return this.#question(row, this.#secretOf(row, browser), browser.language, undefined);
    });
  }

  /** What the user answers on that page. */
  async submit(loginId: string, form: URLSearchParams, browser: Browser): Promise<Reply> {
    const { database, clock } = this.#deps;
    return this.#refusing(browser.language, () =>
      database.write('main', async (tx) => {
        const row = await findLogin(tx, loginId, clock.now());
        const secret = this.#secretOf(row, browser);
        if (row === undefined || !isSame(form.get('form_token') ?? '', formToken(secret)))
          throw new SsoRefusal('expired');
        const identity = arrivalSchema.parse(JSON.parse(row.identity ?? '{}'));
        if (row.stage === 'proof') return this.#prove(tx, row, identity, browser.language);
        if (row.stage === 'confirm') return this.#finish(tx, row, identity, userOf(row));
        if (row.stage !== 'name') throw new SsoRefusal('expired');
        const provider = this.#deps.providers.get(row.provider);
        if (provider === undefined) throw new SsoRefusal('unknown_provider');
        const name = (form.get('username') ?? '').trim().slice(0, 255);
        const found = await this.#deps.people.register(tx, provider.config, identity, name);
        if (found.userId !== undefined) return this.#finish(tx, row, identity, found.userId);
        return this.#question(row, secret, browser.language, { name, problem: found.problem });
      }),
    );
  }

  /** The log-in that the state belongs to, which no other request can claim from now on. */
  #claim(loginId: string, provider: Provider, browser: Browser): Promise<SsoLoginRow> {
    const { database, clock } = this.#deps;
    return database.write('main', async (tx) => {
      const row = await findLogin(tx, loginId, clock.now());
      this.#secretOf(row, browser);
      // Each provider has its own address to come back to: the answer of one is never taken for that of another.
      if (row === undefined || row.provider !== provider.config.id) throw new SsoRefusal('expired');
      if (!(await moveLogin(tx, loginId, 'started', { stage: 'returned' }))) throw new SsoRefusal('expired');
      return row;
    });
  }

  async #identityOf(provider: Provider, answer: URLSearchParams, state: string, row: SsoLoginRow): Promise<Identity> {
    const { clock } = this.#deps;
    const authTs = clock.now();
    let identity: Identity | undefined;
    let isWelcome = false;
    try {
      const challenge = { state, nonce: row.nonce, codeVerifier: row.code_verifier };
      const claims = await provider.claimsOf(answer, challenge);
      isWelcome = isAllowed(provider.config, claims);
      identity = identityOf(provider.config, claims, authTs);
    } catch (error) {
      this.#logFailure(provider, error);
      throw new SsoRefusal(error instanceof ProviderUnreachableError ? 'unreachable' : 'denied');
    }
    if (identity === undefined) throw new SsoRefusal('denied');
    if (!isWelcome) throw new SsoRefusal('not_allowed');
    return identity;
  }

  /** Goes on with somebody whom the provider vouches for: to the client, or to a question. */
  async #arrive(tx: WriteTx, provider: Provider, row: SsoLoginRow, identity: Identity): Promise<Reply> {
    const { people, config, pageUrl } = this.#deps;
    const found =
      row.purpose === 'proof'
        ? { userId: await people.findIn(tx, identity) }
        : await people.resolve(tx, provider.config, identity);
    if (row.purpose === 'proof' && found.userId === undefined) throw new SsoRefusal('not_linked');
    if (row.purpose === 'login' && found.userId !== undefined && isTrusted(row.target, config.trusted_clients)) {
      return this.#finish(tx, { ...row, stage: 'returned' }, identity, found.userId);
    }
    const stage = row.purpose === 'proof' ? 'proof' : found.userId === undefined ? 'name' : 'confirm';
    const problem = 'problem' in found ? found.problem : undefined;
    const arrival = JSON.stringify({ ...identity, problem });
    const change = { stage, identity: arrival, user_id: found.userId ?? null } as const;
    if (!(await moveLogin(tx, row.login_id, 'returned', change))) throw new SsoRefusal('expired');
    return redirect(pageUrl(row.login_id));
  }

  /** Sends the browser to the client with a login token. */
  async #finish(tx: WriteTx, row: SsoLoginRow, identity: Identity, userId: UserId): Promise<Reply> {
    const { accounts, cookies, people } = this.#deps;
    await this.#end(tx, row, identity);
    await people.assertUsable(tx, userId);
    const { token } = await accounts.shortTokens.issueAfterSso(tx, userId, noteOf(identity));
    return redirect(withLoginToken(row.target, token), cookies.clear(row.login_id));
  }

  /** Completes the stage of user-interactive authentication. Spec: client-server-api/#sso-during-user-interactive-authentication */
  async #prove(tx: WriteTx, row: SsoLoginRow, identity: Identity, language: SsoLanguage): Promise<Reply> {
    await this.#end(tx, row, identity);
    const userId = userOf(row);
    await this.#deps.people.assertUsable(tx, userId);
    if (this.#deps.accounts.uia.expiryOf(row.target) === undefined) throw new SsoRefusal('expired');
    await this.#deps.accounts.uia.completeIn(tx, row.target, 'm.login.sso', userId);
    return proofDonePage(language, this.#deps.cookies.clear(row.login_id));
  }

  async #end(tx: WriteTx, row: SsoLoginRow, identity: Identity): Promise<void> {
    if (!(await deleteLogin(tx, row.login_id, row.stage))) throw new SsoRefusal('expired');
    if (await isLoggedOut(tx, identity)) throw new SsoRefusal('logged_out');
  }

  #question(
    row: SsoLoginRow | undefined,
    secret: string,
    language: SsoLanguage,
    attempt: { readonly name: string; readonly problem: NameProblem | undefined } | undefined,
  ): Reply {
    const { accounts, config, people } = this.#deps;
    if (row?.identity === undefined || row.identity === null) throw new SsoRefusal('expired');
    const facts = { language, formToken: formToken(secret), client: undefined };
    if (row.stage === 'proof') return proofPage({ ...facts, userId: userOf(row) });
    const url = parseRedirectUrl(row.target);
    if (url === undefined) throw new SsoRefusal('bad_redirect');
    // A trusted client is still named to the browser, which would refuse to go to the address of an app otherwise.
    const client = isTrusted(row.target, config.trusted_clients)
      ? undefined
      : { name: url.client, policySource: url.policySource };
    if (row.stage === 'confirm') return confirmPage({ ...facts, client, userId: userOf(row) });
    if (row.stage !== 'name') throw new SsoRefusal('expired');
    const arrival = arrivalSchema.parse(JSON.parse(row.identity));
    const { name, problem } = attempt ?? { name: people.suggestion(arrival), problem: arrival.problem };
    return namePage({ ...facts, client, serverName: accounts.serverName, name, problem });
  }

  /** The secret of the browser that began the log-in. Throws `SsoRefusal` for any other browser. */
  #secretOf(row: SsoLoginRow | undefined, { cookie }: Browser): string {
    const secret = row && this.#deps.cookies.read(cookie, row.login_id);
    if (row === undefined || secret === undefined || !matchesHash(secret, row.cookie_hash))
      throw new SsoRefusal('expired');
    return secret;
  }

  async #refusing(language: SsoLanguage, work: () => Promise<Reply>): Promise<Reply> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof SsoRefusal) return refusalPage(language, error.reason);
      throw error;
    }
  }

  /** Logs the kind of failure only: messages and causes may hold what the provider sent. */
  #logFailure({ config: { id } }: Provider, error: unknown): void {
    const name = error instanceof Error ? error.name : typeof error;
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    const said = error instanceof Error && 'error' in error ? String(error.error).slice(0, 100) : undefined;
    const message = error instanceof ProviderUnreachableError ? error.message : undefined;
    this.#deps.log.warn({ provider: id, name, code, said, message }, 'a log-in at a provider failed');
  }
}

function userOf(row: SsoLoginRow): UserId {
  const userId = parseUserId(row.user_id ?? '');
  if (userId === undefined) throw new Error(`the log-in in stage ${row.stage} has no user`);
  return userId;
}

/** Where the same log-in begins anew. */
function againHref(row: SsoLoginRow): string {
  const query = new URLSearchParams({ redirectUrl: row.target });
  return `/_matrix/client/v3/login/sso/redirect/${encodeURIComponent(row.provider)}?${query}`;
}

function redirect(location: string, cookie?: string): Reply {
  return reply({
    status: 302,
    headers: {
      location,
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      ...(cookie !== undefined && { 'set-cookie': cookie }),
    },
  });
}
