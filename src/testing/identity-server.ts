/** A small identity server for tests, on loopback: with real signatures, and with ways to misbehave. */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { generateSigningKey, type SigningKey, signJson, verifyJson } from '../protocol/crypto/index.ts';
import { parseKeyId, parseServerName, type ServerName } from '../protocol/ids/index.ts';
import type { JsonObject } from '../protocol/json/index.ts';

// biome-ignore lint/suspicious/noExplicitAny: bodies of test requests
type Body = any;

interface PendingInvite {
  readonly token: string;
  readonly medium: string;
  readonly address: string;
  readonly room_id: string;
  readonly sender: string;
}

/** What it was asked, for tests to look at. */
export interface SeenRequest {
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: Body;
}

const V2 = '/_matrix/identity/v2';

/** Listens on a free port after `start`. Its tokens are what users like. */
export class TestIdentityServer implements AsyncDisposable {
  readonly name: ServerName;
  readonly key: SigningKey = generateSigningKey('0', randomBytes(32));
  /** The private key that stands in the link of a message. */
  readonly ephemeralSeed = randomBytes(32);
  readonly ephemeralKey: SigningKey = generateSigningKey('0', this.ephemeralSeed);
  readonly seen: SeenRequest[] = [];
  /** The addresses of homeservers, by name. */
  readonly homeservers = new Map<string, string>();
  /** The answers of `onbind`. */
  readonly notified: { readonly mxid: string; readonly status: number }[] = [];
  readonly bindings = new Map<string, string>();
  readonly pending: PendingInvite[] = [];
  algorithms: readonly string[] = ['none', 'sha256'];
  pepper = 'pepper';
  keysAreValid = true;
  /** Answers instead of the real one where it returns true. */
  misbehave: ((path: string, response: ServerResponse) => boolean) | undefined;
  readonly #sessions = new Map<string, { readonly medium: string; readonly address: string }>();
  readonly #server: Server;
  #url = '';

  constructor(name = 'id.test') {
    const parsed = parseServerName(name);
    if (parsed === undefined) throw new Error('not a server name');
    this.name = parsed;
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => response.writeHead(500).end(String(error)));
    });
  }

  static async start(name?: string): Promise<TestIdentityServer> {
    const server = new TestIdentityServer(name);
    server.#server.listen(0, '127.0.0.1');
    await once(server.#server, 'listening');
    const address = server.#server.address();
    if (typeof address !== 'object' || address === null) throw new Error('no address');
    server.#url = `http://127.0.0.1:${address.port}`;
    return server;
  }

  get url(): string {
    return this.#url;
  }

  /** What stands in the configuration of a homeserver. */
  get config(): { readonly name: string; readonly url: string } {
    return { name: this.name, url: this.#url };
  }

  /** As if somebody had followed the link in a message of this server. */
  validate(sid: string, clientSecret: string, address: string, medium = 'email'): void {
    this.#sessions.set(`${sid}\0${clientSecret}`, { medium, address });
  }

  /** Somebody binds an address with this server itself: it tells the user's homeserver of the invites that wait. */
  async bind(mxid: string, address: string, medium = 'email'): Promise<void> {
    this.bindings.set(`${address} ${medium}`, mxid);
    const invites = this.pending
      .filter((one) => one.address === address && one.medium === medium)
      .map(({ token, ...one }) => ({ ...one, mxid, signed: this.sign(mxid, token) }));
    const homeserver = this.homeservers.get(mxid.slice(mxid.indexOf(':') + 1));
    if (invites.length === 0 || homeserver === undefined) return;
    const answer = await fetch(`${homeserver}/_matrix/federation/v1/3pid/onbind`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ medium, address, mxid, invites }),
    });
    this.notified.push({ mxid, status: answer.status });
  }

  /** The proof that a user owns an address that was invited. */
  sign(mxid: string, token: string, more: JsonObject = {}, key = this.key): JsonObject {
    return signJson({ mxid, token, ...more }, this.name, key);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    const body: Body = text === '' ? {} : JSON.parse(text);
    const url = new URL(request.url ?? '', this.#url);
    const path = url.pathname.replace(V2, '');
    const { authorization } = request.headers;
    this.seen.push({ path, authorization, body });
    if (this.misbehave?.(path, response) === true) return;
    const reply = (status: number, json: object) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(json));
    if (path.startsWith('/pubkey/')) {
      const known = [this.key, this.ephemeralKey].some((key) => key.publicKey === url.searchParams.get('public_key'));
      return void reply(200, { valid: this.keysAreValid && known });
    }
    if (path === '/3pid/unbind') return void reply(...(await this.#unbind(authorization ?? '', body)));
    if (authorization !== 'Bearer id-token') return void reply(401, { errcode: 'M_UNAUTHORIZED', error: 'no' });
    const handle = this.#handlers[path];
    reply(
      ...((handle === undefined ? [404, { errcode: 'M_UNRECOGNIZED', error: 'no' }] : await handle(body)) as [
        number,
        object,
      ]),
    );
  }

  readonly #handlers: Readonly<Record<string, (body: Body) => [number, object] | Promise<[number, object]>>> = {
    '/hash_details': () => [200, { lookup_pepper: this.pepper, algorithms: this.algorithms }],
    '/lookup': (body) => {
      if (body.pepper !== this.pepper) return [400, { errcode: 'M_INVALID_PEPPER', error: 'old' }];
      const mappings: Record<string, string> = {};
      for (const [key, mxid] of this.bindings) {
        const hash = createHash('sha256').update(`${key} ${this.pepper}`).digest('base64url');
        const name = body.algorithm === 'none' ? key : hash;
        if (body.addresses.includes(name)) mappings[name] = mxid;
      }
      return [200, { mappings }];
    },
    '/store-invite': (body) => {
      const token = randomBytes(12).toString('hex');
      this.pending.push({
        token,
        medium: body.medium,
        address: body.address,
        room_id: body.room_id,
        sender: body.sender,
      });
      const at = (path: string) => `${this.#url}${V2}/pubkey${path}/isvalid`;
      const public_keys = [
        { public_key: this.key.publicKey, key_validity_url: at('') },
        { public_key: this.ephemeralKey.publicKey, key_validity_url: at('/ephemeral') },
      ];
      return [200, { token, public_keys, display_name: 'x...@e...' }];
    },
    '/sign-ed25519': (body) => {
      const invite = this.pending.find((one) => one.token === body.token);
      if (invite === undefined) return [404, { errcode: 'M_UNRECOGNIZED', error: 'no such token' }];
      const key = generateSigningKey('0', Buffer.from(body.private_key, 'base64'));
      return [200, this.sign(body.mxid, body.token, { sender: invite.sender }, key)];
    },
    '/3pid/bind': async (body) => {
      const session = this.#sessions.get(`${body.sid}\0${body.client_secret}`);
      if (session === undefined) return [404, { errcode: 'M_NO_VALID_SESSION', error: 'no such session' }];
      await this.bind(body.mxid, session.address, session.medium);
      const times = { ts: 1, not_before: 1, not_after: 2 };
      return [200, signJson({ ...session, mxid: body.mxid, ...times }, this.name, this.key)];
    },
  };

  /** Verifies the homeserver's signature with the key that it publishes. */
  async #unbind(authorization: string, body: Body): Promise<[number, object]> {
    const field = (name: string) => new RegExp(`${name}="([^"]*)"`).exec(authorization)?.[1] ?? '';
    const origin = parseServerName(field('origin'));
    const keyId = parseKeyId(field('key'));
    if (origin === undefined || keyId === undefined || field('destination') !== this.name) return [403, {}];
    const published: Body = await (await fetch(`${this.homeservers.get(origin)}/_matrix/key/v2/server`)).json();
    const publicKey: string = published.verify_keys[keyId]?.key ?? '';
    const request = { method: 'POST', uri: `${V2}/3pid/unbind`, origin, destination: this.name, content: body };
    const signed = { ...request, signatures: { [origin]: { [keyId]: field('sig') } } };
    const isOwn = String(body.mxid).endsWith(`:${origin}`);
    if (!isOwn || !verifyJson(signed, origin, keyId, publicKey)) return [403, { errcode: 'M_FORBIDDEN', error: 'no' }];
    const key = `${body.threepid.address} ${body.threepid.medium}`;
    if (this.bindings.get(key) === body.mxid) this.bindings.delete(key);
    return [200, {}];
  }
}
