/** A homeserver with two providers of single sign-on. */
import assert from 'node:assert/strict';
import type { JWK } from 'jose';
import type { Clock } from '../../src/clock.ts';
import type { ConfigInput } from '../../src/config/index.ts';
import type { ClientResponse } from '../../src/testing/http-client.ts';
import { freePort, TestServer } from '../../src/testing/test-server.ts';
import { V3 } from './helpers.ts';
import type { Browser, Page } from './sso-browser.ts';
import { CLIENT_ID, CLIENT_SECRET, type People, TestIdp } from './sso-idp.ts';

export const CLIENT_URL = 'https://app.example.com/cb?keep=a%20b&loginToken=old#/home';
const SSO = '/_inglenook/client/v1/sso';

type ProviderInput = NonNullable<NonNullable<ConfigInput['sso']>['providers']>[number];

export interface SsoSetupOptions {
  readonly people: People;
  readonly providers: Readonly<Record<string, Partial<ProviderInput>>>;
  readonly config?: ConfigInput;
  readonly clock?: Clock;
  readonly inProcess?: boolean;
  readonly clientKey?: JWK;
}

/** Both sides, running. */
export class SsoSetup implements AsyncDisposable {
  readonly server: TestServer;
  readonly publicUrl: string;
  readonly idps: ReadonlyMap<string, TestIdp>;

  private constructor(server: TestServer, publicUrl: string, idps: ReadonlyMap<string, TestIdp>) {
    this.server = server;
    this.publicUrl = publicUrl;
    this.idps = idps;
  }

  static async start({
    people,
    providers,
    config,
    clock,
    clientKey,
    inProcess = true,
  }: SsoSetupOptions): Promise<SsoSetup> {
    const port = await freePort();
    const publicUrl = `http://127.0.0.1:${port}`;
    const idps = new Map<string, TestIdp>();
    const inputs: ProviderInput[] = [];
    for (const [id, more] of Object.entries(providers)) {
      const idp = await TestIdp.start({
        port: await freePort(),
        people,
        clientKey,
        redirectUri: `${publicUrl}${SSO}/callback/${id}`,
        backchannelLogoutUri: `${publicUrl}${SSO}/backchannel-logout/${id}`,
        postLogoutRedirectUri: `${publicUrl}${SSO}/logged-out`,
      });
      idps.set(id, idp);
      const client = { client_id: CLIENT_ID, client_secret: CLIENT_SECRET };
      const endpoints = {
        authorization: `${idp.issuer}/auth`,
        token: `${idp.issuer}/token`,
        keys: `${idp.issuer}/jwks`,
      };
      const found = clientKey === undefined ? client : { client_id: CLIENT_ID, endpoints };
      inputs.push({ id, name: `The <${id}>`, issuer: idp.issuer, ...found, ...more });
    }
    const server = await TestServer.start({
      inProcess,
      ...(clock && { clock }),
      listeners: [{ port, addresses: ['127.0.0.1'], resources: ['client'] }],
      config: { ...config, server: { public_url: publicUrl }, sso: { ...config?.sso, providers: inputs } },
    });
    return new SsoSetup(server, publicUrl, idps);
  }

  idp(id: string): TestIdp {
    const idp = this.idps.get(id);
    assert.ok(idp);
    return idp;
  }

  redirectUrl(id: string | undefined, target = CLIENT_URL, more = ''): string {
    const path = `${V3}/login/sso/redirect${id === undefined ? '' : `/${id}`}`;
    return `${this.publicUrl}${path}?redirectUrl=${encodeURIComponent(target)}${more}`;
  }

  /** As `subject` of a provider, up to the first page that asks something, or to the client. */
  arrive(browser: Browser, id: string, subject: string | undefined, target?: string): Promise<Page> {
    this.idp(id).next = subject;
    return browser.open(this.redirectUrl(id, target));
  }

  /** All the way: the confirmation is given, and the token is exchanged. */
  async logIn(browser: Browser, id: string, subject: string, wish: object = {}): Promise<ClientResponse> {
    const page = await this.arrive(browser, id, subject);
    const end = page.status === 0 ? page : await browser.submit(page);
    return this.exchange(tokenOf(end), wish);
  }

  exchange(token: string, wish: object = {}): Promise<ClientResponse> {
    return this.server.request('POST', `${V3}/login`, { body: { type: 'm.login.token', token, ...wish } });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    for (const idp of this.idps.values()) await idp.stop();
  }
}

/** The login token with which a browser came to the client. */
export function tokenOf(page: Page): string {
  assert.equal(page.status, 0, `${page.status} ${page.html.replace(/<style>[\s\S]*<\/style>/, '')}`);
  const token = new URL(page.url).searchParams.get('loginToken');
  assert.ok(token);
  return token;
}
