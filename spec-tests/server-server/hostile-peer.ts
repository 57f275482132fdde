/** A server that says what it likes: real keys, real TLS, and answers that each test writes itself. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ConfigInput } from '../../src/config/index.ts';
import { signedAuthorization } from '../../src/federation/x-matrix.ts';
import { generateSigningKey, type SigningKey, signJson } from '../../src/protocol/crypto/index.ts';
import { buildEvent, type Event, type EventDraft } from '../../src/protocol/event/index.ts';
import {
  parseRoomId,
  parseServerName,
  parseUserId,
  type ServerName,
  type UserId,
} from '../../src/protocol/ids/index.ts';
import { isJsonObject, type JsonObject, parseJson } from '../../src/protocol/json/index.ts';
import { roomVersionRules } from '../../src/protocol/room-versions/index.ts';
import { writeCertificates } from '../../src/testing/network.ts';
import { TEST_SIGNING_KEY } from '../../src/testing/room-builder.ts';
import { freePort, TestServer } from '../../src/testing/test-server.ts';

/** What a request of the victim is answered with: JSON, or anything that the handler writes itself. */
export type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => unknown;

/** A join, and what came with it. */
interface Joined {
  readonly event: Event;
  readonly state: readonly JsonObject[];
  readonly authChain: readonly JsonObject[];
}

interface Tls {
  readonly cert: Buffer;
  readonly key: Buffer;
}

export const V1 = '/_matrix/federation/v1';
export const V2 = '/_matrix/federation/v2';
const e = encodeURIComponent;

/** The hostile server and the one that it attacks. */
export class HostilePeer implements AsyncDisposable {
  readonly name: ServerName;
  readonly victim: TestServer;
  readonly victimName: ServerName;
  readonly key: SigningKey;
  /** By the beginning of the path; the longest wins. Without one: 404. */
  readonly handlers = new Map<string, Handler>();
  /** What the victim asked for. */
  readonly asked: string[] = [];
  readonly #tls: Tls;
  readonly #parts: AsyncDisposableStack;
  #count = 0;

  private constructor(own: ServerName, victim: TestServer, tls: Tls, parts: AsyncDisposableStack) {
    this.name = own;
    this.victim = victim;
    this.victimName = need(parseServerName(victim.config.server?.name ?? ''));
    this.key = generateSigningKey('h', randomBytes(32));
    this.#tls = tls;
    this.#parts = parts;
  }

  /** Starts the victim and a hostile server. */
  static async start(config: ConfigInput = {}, inProcess = false): Promise<HostilePeer> {
    await using parts = new AsyncDisposableStack();
    const folder = await mkdtemp(path.join(tmpdir(), 'inglenook-hostile-'));
    parts.defer(() => rm(folder, { recursive: true, force: true }));
    const files = await writeCertificates(folder);
    const federation = { allow_private_addresses: true, ca_file: files.ca, ...config.federation };
    const victim = parts.use(await TestServer.start({ inProcess, config: { ...config, federation } }));
    const tls = { cert: await readFile(files.certificate), key: await readFile(files.key) };
    return HostilePeer.#listen(victim, tls, parts.move());
  }

  /** Another hostile server with the same victim. To be disposed of before this one. */
  ally(): Promise<HostilePeer> {
    return HostilePeer.#listen(this.victim, this.#tls, new AsyncDisposableStack());
  }

  static async #listen(victim: TestServer, tls: Tls, parts: AsyncDisposableStack): Promise<HostilePeer> {
    const port = await freePort();
    const peer = new HostilePeer(need(parseServerName(`localhost:${port}`)), victim, tls, parts);
    const server = createServer(tls, (request, response) => void peer.#answer(request, response));
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    peer.#parts.defer(() => {
      server.closeAllConnections();
      server.close();
    });
    return peer;
  }

  user(localpart: string): UserId {
    return need(parseUserId(`@${localpart}:${this.name}`));
  }

  /** A request to the victim, signed. */
  request(method: 'GET' | 'PUT' | 'POST', target: string, content?: JsonObject) {
    const parts = { destination: this.victimName, method, path: target, content };
    const authorization = signedAuthorization(this.name, this.key, parts);
    const body = content === undefined ? undefined : JSON.stringify(content);
    return this.victim.request(method, target, { body, headers: { authorization } });
  }

  /** A transaction. */
  send(pdus: readonly JsonObject[], edus: readonly JsonObject[] = []) {
    const txnId = `t${this.#count++}`;
    return this.request('PUT', `${V1}/send/${txnId}`, { origin: this.name, origin_server_ts: Date.now(), pdus, edus });
  }

  /** Joins a room of the victim with a user of this server; resolves with the join and what came with it. */
  async join(roomId: string, userId: UserId, version = '10'): Promise<Joined> {
    const rules = need(roomVersionRules(version));
    const made = await this.request('GET', `${V1}/make_join/${e(roomId)}/${e(userId)}?ver=${version}`);
    if (made.status !== 200) throw new Error(made.bytes.toString());
    const { depth, prev_events: prevEvents, auth_events: authEvents, content } = made.body.event;
    const own = { type: 'm.room.member', stateKey: userId, sender: userId, content };
    const event = this.build(roomId, { ...own, depth, prevEvents, authEvents }, rules.id);
    const joined = await this.request('PUT', `${V2}/send_join/${e(roomId)}/${e(event.eventId)}`, event.pdu);
    if (joined.status !== 200) throw new Error(joined.bytes.toString());
    const { state, auth_chain: authChain } = joined.body;
    return { event, state, authChain };
  }

  /** An event of this server. */
  build(roomId: string, draft: Omit<EventDraft, 'roomId' | 'originServerTs'>, version = '10'): Event {
    const rules = need(roomVersionRules(version));
    const full = { ...draft, roomId: need(parseRoomId(roomId)), originServerTs: Date.now() };
    return buildEvent(full, rules, this.name, this.key);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = request.url ?? '';
    this.asked.push(`${request.method} ${url}`);
    let body = '';
    for await (const chunk of request) body += chunk;
    const [, handler] = [...this.handlers]
      .filter(([start]) => url.startsWith(start))
      .sort(([a], [b]) => b.length - a.length)[0] ?? [undefined, undefined];
    const found = url.startsWith('/_matrix/key/v2/server') ? this.keys() : await handler?.(request, response, body);
    if (response.writableEnded || response.headersSent) return;
    if (found === undefined) response.writeHead(404).end('{"errcode":"M_NOT_FOUND","error":"no"}');
    else response.end(typeof found === 'string' ? found : JSON.stringify(found));
  }

  /** This server's key object. */
  keys(): JsonObject {
    const object = {
      server_name: this.name,
      valid_until_ts: Date.now() + 3_600_000,
      // The second one signs what a RoomBuilder makes for this server.
      verify_keys: Object.fromEntries(
        [this.key, TEST_SIGNING_KEY].map(({ keyId, publicKey }) => [keyId, { key: publicKey }]),
      ),
      old_verify_keys: {},
    };
    return signJson(signJson(object, this.name, this.key), this.name, TEST_SIGNING_KEY);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.disposeAsync();
  }
}

/** An event's PDU as it is sent. */
export function pduOf(event: Event): JsonObject {
  const value = parseJson(event.json);
  if (!isJsonObject(value)) throw new Error('an event is an object');
  return value;
}

export function need<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('it is there');
  return value;
}
