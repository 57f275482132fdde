/** Single sign-on: logging in at OpenID Connect providers, and what follows from a logout there. */
import type { Accounts } from '../accounts/index.ts';
import type { Clock } from '../clock.ts';
import type { Config } from '../config/index.ts';
import { type Reply, reply } from '../http/index.ts';
import { type Jobs, job } from '../jobs/index.ts';
import { parseUserId } from '../protocol/ids/index.ts';
import type { Database } from '../storage/index.ts';
import type { Logger } from '../telemetry/log.ts';
import { LoginCookies } from './cookies.ts';
import { type Browser, SsoLogins } from './logins.ts';
import { choicePage, loggedOutPage, refusalPage } from './pages.ts';
import { People, PICTURE_JOB, picturePayload } from './people.ts';
import { Provider } from './provider.ts';
import { ProviderHttp } from './provider-http.ts';
import { parseRedirectUrl } from './redirect-url.ts';
import { type LogoutOutcome, SsoSessions } from './sessions.ts';
import { deleteExpiredSso } from './store.ts';
import type { SsoLanguage } from './texts.ts';

export type { Browser } from './logins.ts';
export { ssoMigrations } from './store.ts';

/** Where the pages of single sign-on are. */
export const SSO_PATH = '/_inglenook/client/v1/sso';

/** Gives a user the picture at an address, if it is one and the user has none. */
export type GivePicture = (
  userId: ReturnType<typeof parseUserId> & string,
  url: string,
  issuer: string,
) => Promise<void>;

export interface SsoDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly jobs: Jobs;
  readonly log: Logger;
  readonly accounts: Accounts;
  readonly config: Pick<Config, 'sso' | 'server'>;
  readonly givePicture: GivePicture;
}

/** A request of a browser that is to be sent to a provider. */
export interface Entry {
  /** The `Host` header. */
  readonly host: string | undefined;
  /** Path and query. */
  readonly target: string;
  readonly language: SsoLanguage;
  /** The browser was sent from another address of ours already. */
  readonly isMoved: boolean;
}

/** What a client asks for that sends a browser here. */
export interface RedirectWish {
  readonly redirectUrl: string;
  /** Undefined: whichever there is. */
  readonly providerId: string | undefined;
  readonly isRegistration: boolean;
}

/** The face of this domain. */
export class Sso implements AsyncDisposable {
  readonly #deps: SsoDeps;
  readonly #http = new ProviderHttp();
  readonly #providers: ReadonlyMap<string, Provider>;
  readonly #logins: SsoLogins;
  readonly #sessions: SsoSessions;
  readonly #publicUrl: string;

  constructor(deps: SsoDeps) {
    this.#deps = deps;
    const { config, accounts, jobs } = deps;
    this.#publicUrl = (config.server.public_url ?? `https://${accounts.serverName}`).replace(/\/+$/, '');
    this.#providers = new Map(
      config.sso.providers.map((one) => {
        const redirectUri = `${this.#publicUrl}${SSO_PATH}/callback/${one.id}`;
        return [one.id, new Provider(one, redirectUri, this.#http, deps.clock)];
      }),
    );
    this.#sessions = new SsoSessions(deps);
    this.#logins = new SsoLogins({
      ...deps,
      config: config.sso,
      cookies: new LoginCookies(this.#publicUrl.startsWith('https:')),
      people: new People({ accounts, jobs }),
      providers: this.#providers,
      pageUrl: (loginId) => `${this.#publicUrl}${SSO_PATH}/login/${loginId}`,
    });
    jobs.declare(
      job({
        name: PICTURE_JOB,
        payload: picturePayload,
        attemptsMax: 4,
        handle: (payload) => this.#givePicture(payload),
      }),
    );
  }

  /** Whether there is any provider. */
  get isOn(): boolean {
    return this.#providers.size > 0;
  }

  /** The flow as `GET /login` shows it; undefined where there is none. Spec: client-server-api/#client-login-via-sso */
  get flow(): object | undefined {
    if (!this.isOn) return undefined;
    const identityProviders = this.#deps.config.sso.providers.map(({ id, name, icon, brand }) => ({
      id,
      name,
      ...(icon !== undefined && { icon }),
      ...(brand !== undefined && { brand }),
    }));
    const preferred = this.#deps.config.sso.preferred ? { oauth_aware_preferred: true } : {};
    return { type: 'm.login.sso', identity_providers: identityProviders, ...preferred };
  }

  /** Sends a browser to a provider, or lets the user choose one. */
  async redirect(wish: RedirectWish, entry: Entry): Promise<Reply> {
    const { language } = entry;
    const url = parseRedirectUrl(wish.redirectUrl);
    if (!this.isOn) return refusalPage(language, 'unknown_provider');
    if (url === undefined) return refusalPage(language, 'bad_redirect');
    const { isRegistration } = wish;
    const query = new URLSearchParams({ redirectUrl: url.href, ...(isRegistration && { action: 'register' }) });
    const moved = this.#toPublicUrl(entry);
    if (moved !== undefined) return moved;
    const provider = this.#chosen(wish.providerId);
    if (provider === 'many') {
      return this.#choice(language, (id) => `/_matrix/client/v3/login/sso/redirect/${id}?${query}`);
    }
    if (provider === undefined) return refusalPage(language, 'unknown_provider');
    return this.#logins.start({ provider, purpose: 'login', target: url.href, isRegistration }, language);
  }

  /** Likewise for a stage of user-interactive authentication. */
  async redirectForProof(session: string, providerId: string | undefined, entry: Entry): Promise<Reply> {
    const { language } = entry;
    if (this.#deps.accounts.uia.expiryOf(session) === undefined) return refusalPage(language, 'expired');
    const moved = this.#toPublicUrl(entry);
    if (moved !== undefined) return moved;
    const provider = this.#chosen(providerId);
    if (provider === 'many') {
      return this.#choice(language, (idp) => `?${new URLSearchParams({ session, idp })}`);
    }
    if (provider === undefined) return refusalPage(language, 'unknown_provider');
    return this.#logins.start({ provider, purpose: 'proof', target: session, isRegistration: false }, language);
  }

  /** Takes a browser that a provider sends back. */
  async callback(providerId: string, answer: URLSearchParams, browser: Browser): Promise<Reply> {
    const provider = this.#providers.get(providerId);
    if (provider === undefined) return refusalPage(browser.language, 'unknown_provider');
    return this.#logins.callback(provider, answer, browser);
  }

  /** The page of a log-in that asks something. */
  showLogin(loginId: string, browser: Browser): Promise<Reply> {
    return this.#logins.show(loginId, browser);
  }

  /** What was answered there. */
  submitLogin(loginId: string, form: URLSearchParams, browser: Browser): Promise<Reply> {
    return this.#logins.submit(loginId, form, browser);
  }

  /** Takes a provider's logout token; undefined where the provider may send none. */
  async backchannelLogout(providerId: string, token: string): Promise<LogoutOutcome | undefined> {
    const provider = this.#providers.get(providerId);
    return provider?.config.backchannel_logout === true ? this.#sessions.logOut(provider, token) : undefined;
  }

  /** Where a browser goes to be logged out at the provider; undefined where that isn't configured. Throws where it can't be reached. */
  async logoutUrl(providerId: string): Promise<string | undefined> {
    const provider = this.#providers.get(providerId);
    if (provider?.config.rp_logout !== true) return undefined;
    return provider.endSessionUrl(`${this.#publicUrl}${SSO_PATH}/logged-out`);
  }

  loggedOut(language: SsoLanguage): Reply {
    return loggedOutPage(language);
  }

  /** A page for what isn't there. */
  unknown(language: SsoLanguage, isDown = false): Reply {
    return refusalPage(language, isDown ? 'unreachable' : 'unknown_provider');
  }

  /** Deletes what has expired. To be called now and then. */
  async deleteExpired(): Promise<void> {
    const { database, clock } = this.#deps;
    await database.write('main', (tx) => deleteExpiredSso(tx, clock.now()));
  }

  /** Closes the connections to providers. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#http[Symbol.asyncDispose]();
  }

  /**
   * Sends a browser that came by another address to the public one, to which the provider will send it back: cookies belong to
   * a host. Once only, since a proxy may give every request another host.
   */
  #toPublicUrl({ host, target, isMoved }: Entry): Reply | undefined {
    if (isMoved || host === undefined || host === new URL(this.#publicUrl).host) return undefined;
    const location = `${this.#publicUrl}${target}${target.includes('?') ? '&' : '?'}moved=1`;
    return reply({ status: 302, headers: { location, 'cache-control': 'no-store' } });
  }

  #chosen(providerId: string | undefined): Provider | 'many' | undefined {
    if (providerId !== undefined) return this.#providers.get(providerId);
    const [only] = this.#providers.values();
    return this.#providers.size > 1 ? 'many' : only;
  }

  #choice(language: SsoLanguage, hrefOf: (id: string) => string): Reply {
    const links = this.#deps.config.sso.providers.map(({ id, name }) => ({ name, href: hrefOf(id) }));
    return choicePage(language, links);
  }

  async #givePicture({
    userId: text,
    url,
    provider: id,
  }: {
    userId: string;
    url: string;
    provider: string;
  }): Promise<void> {
    const userId = parseUserId(text);
    const provider = this.#providers.get(id);
    if (userId === undefined || provider === undefined) return;
    await this.#deps.givePicture(userId, url, provider.config.issuer);
  }
}
