/** An OpenID Connect provider for tests: a real one (oidc-provider), in which whoever comes is the user that the test says. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import Provider, { type Configuration } from 'oidc-provider';

export const CLIENT_ID = 'inglenook';
export const CLIENT_SECRET = 'a secret of the client that is long enough';

/** What the provider says of its users, by subject. */
export type People = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

export interface TestIdpOptions {
  readonly port: number;
  readonly people: People;
  readonly redirectUri: string;
  readonly backchannelLogoutUri: string;
  readonly postLogoutRedirectUri: string;
  /** The client shows its key instead of its secret. */
  readonly clientKey?: JWK | undefined;
}

/** The provider, listening on loopback. */
export class TestIdp implements AsyncDisposable {
  readonly issuer: string;
  readonly provider: Provider;
  /** Who logs in next. Undefined: the one who comes refuses. */
  next: string | undefined;
  readonly #port: number;
  #server: Server | undefined;

  /** Logout tokens that it has sent. */
  readonly logoutTokens: string[] = [];
  readonly #key: CryptoKey;

  private constructor(options: TestIdpOptions, key: CryptoKey, jwk: object) {
    this.#key = key;
    this.#port = options.port;
    this.issuer = `http://127.0.0.1:${options.port}`;
    this.provider = new Provider(this.issuer, {
      ...configurationOf(options),
      jwks: { keys: [{ ...jwk, kid: 'test', use: 'sig', alg: 'RS256' }] },
      // Its own refuses loopback.
      fetch: (url, { dispatcher: _, ...init }: RequestInit & { dispatcher?: unknown } = {}) => {
        const token = init.body instanceof URLSearchParams ? init.body.get('logout_token') : null;
        if (token !== null) this.logoutTokens.push(token);
        return fetch(url, init);
      },
    });
    this.provider.use(async (ctx, then) => {
      if (!ctx.path.startsWith('/interaction/')) return then();
      const result =
        this.next === undefined
          ? { error: 'access_denied', error_description: '<b>no</b>' }
          : { login: { accountId: this.next } };
      await this.provider.interactionFinished(ctx.req, ctx.res, result);
      ctx.respond = false;
    });
  }

  static async start(options: TestIdpOptions): Promise<TestIdp> {
    const { privateKey } = await generateKeyPair('RS256', { extractable: true });
    const idp = new TestIdp(options, privateKey, await exportJWK(privateKey));
    await idp.listen();
    return idp;
  }

  async listen(): Promise<void> {
    this.#server = createServer(this.provider.callback()).listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  /** A token signed by the provider. */
  sign(claims: Record<string, unknown>, issuedMs: number): Promise<string> {
    return new SignJWT({ iss: this.issuer, aud: CLIENT_ID, iat: Math.floor(issuedMs / 1000), ...claims })
      .setProtectedHeader({ alg: 'RS256', kid: 'test', typ: 'logout+jwt' })
      .sign(this.#key);
  }

  /** Nobody answers any more. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

function configurationOf(options: TestIdpOptions): Configuration {
  return {
    clients: [
      {
        client_id: CLIENT_ID,
        ...(options.clientKey === undefined
          ? { client_secret: CLIENT_SECRET }
          : {
              token_endpoint_auth_method: 'private_key_jwt' as const,
              token_endpoint_auth_signing_alg: 'ES256' as const,
              jwks: { keys: [options.clientKey] },
            }),
        redirect_uris: [options.redirectUri],
        backchannel_logout_uri: options.backchannelLogoutUri,
        backchannel_logout_session_required: true,
        post_logout_redirect_uris: [options.postLogoutRedirectUri],
      },
    ],
    claims: {
      openid: ['sub', 'sid'],
      profile: ['name', 'preferred_username', 'picture'],
      email: ['email', 'email_verified'],
      groups: ['groups'],
    },
    scopes: ['openid', 'profile', 'email', 'groups'],
    features: { devInteractions: { enabled: false }, backchannelLogout: { enabled: true } },
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    cookies: { keys: ['a key for the cookies of the test'] },
    findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id, ...options.people[id] }) }),
    loadExistingGrant: async ({ oidc }) => {
      const { client, session, provider } = oidc;
      const grant = new provider.Grant({ clientId: client?.clientId ?? '', accountId: session?.accountId ?? '' });
      grant.addOIDCScope('openid profile email groups');
      await grant.save();
      return grant;
    },
  };
}
