import { createPrivateKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { JWTVerifyGetKey } from 'jose';
import type { ClientAuth, Configuration } from 'openid-client';
import type { Clock } from '../clock.ts';
import type { SsoProviderConfig } from '../config/index.ts';
import { isJsonObject, type JsonObject } from '../protocol/json/index.ts';
import { type ProviderHttp, ProviderUnreachableError } from './provider-http.ts';

/** What the provider was asked with, and must answer to. */
export interface Challenge {
  readonly state: string;
  readonly nonce: string;
  readonly codeVerifier: string;
}

export interface AuthorizationWish extends Challenge {
  /** The user is to show once more who they are. */
  readonly isProof: boolean;
  /** The user wants a new account. */
  readonly isRegistration: boolean;
}

/** The provider's discovery document is read anew after so long. */
const DISCOVERED_KEPT_MS = 3_600_000;
const CLOCK_TOLERANCE_S = 30;

/** An OpenID Connect provider. Its libraries are loaded, and it is asked, when somebody first wants to log in there. */
export class Provider {
  readonly config: SsoProviderConfig;
  readonly redirectUri: string;
  readonly #http: ProviderHttp;
  readonly #clock: Clock;
  #current: { readonly found: Promise<Configuration>; readonly sinceMs: number } | undefined;
  #keys: { readonly uri: string; readonly get: JWTVerifyGetKey } | undefined;

  constructor(config: SsoProviderConfig, redirectUri: string, http: ProviderHttp, clock: Clock) {
    this.config = config;
    this.redirectUri = redirectUri;
    this.#http = http;
    this.#clock = clock;
  }

  /** Where the browser goes to log in. Throws `ProviderUnreachableError`. */
  async authorizationUrl(wish: AuthorizationWish): Promise<string> {
    const { buildAuthorizationUrl, calculatePKCECodeChallenge } = await import('openid-client');
    const configuration = await this.#configuration();
    const { prompt_values_supported: prompts } = configuration.serverMetadata();
    const knowsCreate = Array.isArray(prompts) && prompts.includes('create');
    const prompt =
      wish.isProof && this.config.reauthenticate ? 'login' : wish.isRegistration && knowsCreate ? 'create' : '';
    return buildAuthorizationUrl(configuration, {
      redirect_uri: this.redirectUri,
      response_type: 'code',
      scope: this.config.scopes.join(' '),
      state: wish.state,
      nonce: wish.nonce,
      code_challenge: await calculatePKCECodeChallenge(wish.codeVerifier),
      code_challenge_method: 'S256',
      ...(prompt !== '' && { prompt }),
    }).href;
  }

  /**
   * What the provider says of the user, for its answer in the query of the redirect. The ID token is checked with its
   * signature, issuer, audience, times and nonce. Throws `ProviderUnreachableError`, and other errors where something is wrong.
   */
  async claimsOf(answer: URLSearchParams, challenge: Challenge): Promise<JsonObject> {
    const { authorizationCodeGrant, fetchUserInfo } = await import('openid-client');
    const configuration = await this.#configuration();
    const url = new URL(this.redirectUri);
    url.search = answer.toString();
    const tokens = await reachable(
      authorizationCodeGrant(configuration, url, {
        expectedState: challenge.state,
        expectedNonce: challenge.nonce,
        pkceCodeVerifier: challenge.codeVerifier,
        idTokenExpected: true,
      }),
    );
    const ofToken: unknown = tokens.claims();
    if (!isJsonObject(ofToken) || typeof ofToken.sub !== 'string') throw new Error('the ID token has no claims');
    if (!this.config.userinfo || configuration.serverMetadata().userinfo_endpoint === undefined) return ofToken;
    const info: unknown = await reachable(fetchUserInfo(configuration, tokens.access_token, ofToken.sub));
    // What the token says of the log-in itself stands.
    return isJsonObject(info) ? { ...info, ...pick(ofToken, TOKEN_CLAIMS), ...missingIn(info, ofToken) } : ofToken;
  }

  /** Where the browser goes to log out; undefined where the provider has no such place. */
  async endSessionUrl(returnTo: string): Promise<string | undefined> {
    const { buildEndSessionUrl } = await import('openid-client');
    const configuration = await this.#configuration();
    if (configuration.serverMetadata().end_session_endpoint === undefined) return undefined;
    const params = { post_logout_redirect_uri: returnTo, client_id: this.config.client_id };
    return buildEndSessionUrl(configuration, params).href;
  }

  /** The claims of a token that the provider has signed for us. Throws where anything is wrong with it. */
  async verifySigned(token: string, { ageSecondsMax }: { readonly ageSecondsMax: number }): Promise<JsonObject> {
    const { createRemoteJWKSet, customFetch, jwtVerify } = await import('jose');
    const { issuer, jwks_uri: uri } = (await this.#configuration()).serverMetadata();
    if (uri === undefined) throw new Error('the provider has no keys');
    if (this.#keys?.uri !== uri) {
      const fetchKeys = (url: string, options: Parameters<ProviderHttp['fetch']>[1] & { headers: unknown }) =>
        this.#http.fetch(url, { ...options, headers: { accept: 'application/json' } });
      this.#keys = { uri, get: createRemoteJWKSet(new URL(uri), { [customFetch]: fetchKeys }) };
    }
    const { payload } = await jwtVerify(token, this.#keys.get, {
      issuer,
      audience: this.config.client_id,
      algorithms: ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
      currentDate: new Date(this.#clock.now()),
      clockTolerance: CLOCK_TOLERANCE_S,
      maxTokenAge: ageSecondsMax,
    });
    const claims: unknown = payload;
    if (!isJsonObject(claims)) throw new Error('the token has no claims');
    return claims;
  }

  async #configuration(): Promise<Configuration> {
    const now = this.#clock.now();
    const before = this.#current;
    if (before !== undefined && now - before.sinceMs < DISCOVERED_KEPT_MS) return before.found;
    const found = reachable(this.#discover());
    const current = { found, sinceMs: now };
    this.#current = current;
    try {
      return await found;
    } catch (error) {
      // What was known an hour ago is better than nothing; the next one who comes tries again.
      if (this.#current === current) this.#current = before;
      if (before !== undefined) return before.found;
      throw error;
    }
  }

  async #discover(): Promise<Configuration> {
    const oidc = await import('openid-client');
    const { issuer, endpoints, client_id: clientId } = this.config;
    const auth = await this.#clientAuth(oidc);
    const isPlain = new URL(issuer).protocol === 'http:';
    if (endpoints === undefined) {
      return oidc.discovery(new URL(issuer), clientId, undefined, auth, {
        [oidc.customFetch]: this.#http.fetch,
        execute: [oidc.enableNonRepudiationChecks, ...(isPlain ? [oidc.allowInsecureRequests] : [])],
      });
    }
    const server = {
      issuer,
      authorization_endpoint: endpoints.authorization,
      token_endpoint: endpoints.token,
      jwks_uri: endpoints.keys,
      ...(endpoints.userinfo !== undefined && { userinfo_endpoint: endpoints.userinfo }),
      ...(endpoints.end_session !== undefined && { end_session_endpoint: endpoints.end_session }),
    };
    const configuration = new oidc.Configuration(server, clientId, undefined, auth);
    configuration[oidc.customFetch] = this.#http.fetch;
    oidc.enableNonRepudiationChecks(configuration);
    if (isPlain) oidc.allowInsecureRequests(configuration);
    return configuration;
  }

  async #clientAuth(oidc: typeof import('openid-client')): Promise<ClientAuth> {
    const { client_auth: method, client_secret: secret, private_key_file: file, private_key_id: kid } = this.config;
    if (method === 'none') return oidc.None();
    if (method === 'client_secret_post') return oidc.ClientSecretPost(secret);
    if (method === 'client_secret_jwt') return oidc.ClientSecretJwt(secret);
    if (method === 'client_secret_basic') return oidc.ClientSecretBasic(secret);
    const { importPKCS8 } = await import('jose');
    const pem = await readFile(file ?? '', 'utf8');
    const key = await importPKCS8(pem, algorithmOf(pem));
    return oidc.PrivateKeyJwt(kid === undefined ? key : { key, kid });
  }
}

/** What of the ID token no answer of the userinfo endpoint may change. */
const TOKEN_CLAIMS = ['iss', 'sub', 'aud', 'sid', 'auth_time', 'acr', 'amr', 'nonce'];

function pick(claims: JsonObject, names: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(claims).filter(([name]) => names.includes(name)));
}

function missingIn(info: JsonObject, claims: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(claims).filter(([name]) => !Object.hasOwn(info, name)));
}

/** The algorithm that goes with a private key. */
function algorithmOf(pem: string): string {
  const { asymmetricKeyType, asymmetricKeyDetails } = createPrivateKey(pem);
  if (asymmetricKeyType === 'ed25519') return 'Ed25519';
  if (asymmetricKeyType === 'rsa') return 'RS256';
  const byCurve: Readonly<Record<string, string>> = { prime256v1: 'ES256', secp384r1: 'ES384', secp521r1: 'ES512' };
  const found = byCurve[asymmetricKeyDetails?.namedCurve ?? ''];
  if (found === undefined) throw new Error('a private key of this sort can not be used');
  return found;
}

/** Tells apart a provider that doesn't answer from one that answers what it should not. */
async function reachable<T>(asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
      if (cause instanceof ProviderUnreachableError) throw cause;
    }
    throw error;
  }
}
