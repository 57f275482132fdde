import { signedAuthorization } from '../federation/index.ts';
import { type SigningKey, sha256Base64Url } from '../protocol/crypto/index.ts';
import { MatrixError } from '../protocol/errors.ts';
import { parseServerName, parseUserId, type ServerName, type UserId } from '../protocol/ids/index.ts';
import { type JsonObject, readObject, readString, readStrings } from '../protocol/json/index.ts';
import type { SignerKey } from '../rooms/index.ts';
import type { IdentityAnswer, IdentityConnection, IdentityRequest } from './connection.ts';
import { answeredError, unusable } from './errors.ts';
import { type StoredInvite, storedInviteOf } from './stored-invite.ts';

/** An address of somebody: an e-mail address or a telephone number. */
export interface ThirdPartyAddress {
  readonly medium: string;
  readonly address: string;
}

/** An identity server and the user's token for it, as a client names them. */
export interface IdentityAccess {
  readonly server: ServerName;
  readonly token: string;
}

export interface IdentityServersDeps {
  readonly connection: IdentityConnection;
  /** Those of the configuration, with their addresses. */
  readonly known: ReadonlyMap<string, URL>;
  readonly allowsAny: boolean;
  readonly serverName: ServerName;
  readonly signingKey: SigningKey;
}

const V2 = '/_matrix/identity/v2';
const VALIDITY_URL_CHARS_MAX = 2000;

/** What identity servers are asked. Spec: identity-service-api */
export class IdentityServers {
  readonly #deps: IdentityServersDeps;

  constructor(deps: IdentityServersDeps) {
    this.#deps = deps;
  }

  /** The server of a name that a client sent. @throws MatrixError `M_SERVER_NOT_TRUSTED` */
  named(name: string): ServerName {
    const server = parseServerName(name);
    if (server === undefined || !(this.#deps.known.has(name) || this.#deps.allowsAny)) {
      throw new MatrixError('M_SERVER_NOT_TRUSTED', 'This server does not work with that identity server');
    }
    return server;
  }

  /** Whose address it is; undefined where the server doesn't know. @throws MatrixError */
  async lookUp(access: IdentityAccess, who: ThirdPartyAddress): Promise<UserId | undefined> {
    // The pepper may change between the two requests.
    const first = await this.#lookUpOnce(access, who);
    return (first === undefined ? await this.#lookUpOnce(access, who) : first) ?? undefined;
  }

  /** Null: nobody's; undefined: the pepper was an old one. */
  async #lookUpOnce(
    access: IdentityAccess,
    { medium, address }: ThirdPartyAddress,
  ): Promise<UserId | null | undefined> {
    const details = await this.#call(access.server, 'GET', '/hash_details', access);
    const pepper = readString(details, 'lookup_pepper');
    const algorithms = readStrings(details, 'algorithms') ?? [];
    if (pepper === undefined) throw unusable(access.server);
    const isHashed = algorithms.includes('sha256');
    if (!isHashed && !algorithms.includes('none')) throw unusable(access.server);
    const query = isHashed ? sha256Base64Url(`${address} ${medium} ${pepper}`) : `${address} ${medium}`;
    const content = { algorithm: isHashed ? 'sha256' : 'none', pepper, addresses: [query] };
    const answer = await this.#ask(access.server, 'POST', '/lookup', access, content);
    if (answer.status === 400 && answer.json?.errcode === 'M_INVALID_PEPPER') return undefined;
    if (answer.status !== 200 || answer.json === undefined) throw answeredError(access.server, answer);
    const mapped = readString(readObject(answer.json, 'mappings') ?? {}, query);
    if (mapped === undefined) return null;
    const userId = parseUserId(mapped);
    if (userId === undefined) throw unusable(access.server);
    return userId;
  }

  /** Has an invite kept until somebody proves to own the address, who gets a message. @throws MatrixError */
  async storeInvite(access: IdentityAccess, invite: JsonObject): Promise<StoredInvite> {
    const answer = await this.#call(access.server, 'POST', '/store-invite', access, invite);
    const stored = storedInviteOf(answer, readString(invite, 'address') ?? '');
    if (stored === undefined) throw unusable(access.server);
    return stored;
  }

  /** Publishes what a session has validated as the user's, and returns what that was. @throws MatrixError */
  async bind(
    access: IdentityAccess,
    session: { readonly sid: string; readonly clientSecret: string; readonly userId: UserId },
  ): Promise<ThirdPartyAddress> {
    const { sid, clientSecret: client_secret, userId: mxid } = session;
    const answer = await this.#call(access.server, 'POST', '/3pid/bind', access, { sid, client_secret, mxid });
    const medium = readString(answer, 'medium');
    const address = readString(answer, 'address');
    if (medium === undefined || address === undefined) throw unusable(access.server);
    return { medium, address };
  }

  /** Takes back what was published; we sign the request in the user's name. False where the server doesn't do that. */
  async unbind(server: ServerName, userId: UserId, { medium, address }: ThirdPartyAddress): Promise<boolean> {
    const { serverName, signingKey } = this.#deps;
    const content = { mxid: userId, threepid: { medium, address } };
    const path = `${V2}/3pid/unbind`;
    const signed = { destination: server, method: 'POST', path, content } as const;
    const authorization = signedAuthorization(serverName, signingKey, signed);
    const answer = await this.#send(server, { method: 'POST', url: this.#url(server, path), authorization, content });
    if (answer.status === 200) return true;
    if (answer.status === 404 || answer.status === 501) return false;
    throw answeredError(server, answer);
  }

  /** Whether one of the keys is still valid; each is asked for at its own address. */
  async isAnyKeyValid(keys: readonly SignerKey[]): Promise<boolean> {
    for (const key of keys) if (await this.#isKeyValid(key)) return true;
    return false;
  }

  async #isKeyValid({ publicKey, validityUrl }: SignerKey): Promise<boolean> {
    if (validityUrl === undefined) return true;
    if (validityUrl.length > VALIDITY_URL_CHARS_MAX || !URL.canParse(validityUrl)) return false;
    const url = new URL(validityUrl);
    url.searchParams.set('public_key', publicKey);
    try {
      const { status, json } = await this.#deps.connection.send({ method: 'GET', url });
      return status === 200 && json?.valid === true;
    } catch {
      // Who can't be asked vouches for nothing; whoever redeems the invite may try again.
      return false;
    }
  }

  async #call(
    server: ServerName,
    method: 'GET' | 'POST',
    path: string,
    access: IdentityAccess,
    content?: JsonObject,
  ): Promise<JsonObject> {
    const answer = await this.#ask(server, method, path, access, content);
    if (answer.status !== 200 || answer.json === undefined) throw answeredError(server, answer);
    return answer.json;
  }

  #ask(
    server: ServerName,
    method: 'GET' | 'POST',
    path: string,
    access: IdentityAccess,
    content?: JsonObject,
  ): Promise<IdentityAnswer> {
    const authorization = `Bearer ${access.token}`;
    return this.#send(server, { method, url: this.#url(server, V2 + path), authorization, content });
  }

  async #send(server: ServerName, request: IdentityRequest): Promise<IdentityAnswer> {
    try {
      return await this.#deps.connection.send(request);
    } catch {
      throw new MatrixError('M_UNKNOWN', `The identity server ${server} can't be reached`, { status: 502 });
    }
  }

  #url(server: ServerName, path: string): URL {
    const base = this.#deps.known.get(server) ?? new URL(`https://${server}`);
    return new URL(base.pathname.replace(/\/+$/, '') + path, base);
  }
}
