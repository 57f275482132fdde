import { isUtf8 } from 'node:buffer';
import type { SigningKey } from '../protocol/crypto/index.ts';
import type { ServerName } from '../protocol/ids/index.ts';
import { isJsonObject, type JsonObject, type JsonValue, parseExactJson, parseJson } from '../protocol/json/index.ts';
import type { Backoff } from './backoff.ts';
import { type Connections, type IncomingAnswer, readLimited, type StreamedAnswer } from './connections.ts';
import type { Discovery, Target } from './discovery.ts';
import { RefusedError, UnreachableError } from './errors.ts';
import type { ServerPolicy } from './policy.ts';
import { signedAuthorization } from './x-matrix.ts';

export interface FederationClientDeps {
  readonly serverName: ServerName;
  readonly signingKey: SigningKey;
  readonly discovery: Discovery;
  readonly connections: Connections;
  readonly backoff: Backoff;
  readonly policy: ServerPolicy;
  readonly requestTimeoutMs: number;
}

/** A request to another server. */
export interface FederationRequest {
  readonly destination: ServerName;
  readonly method: 'GET' | 'PUT' | 'POST';
  /** Percent-encoded, from `/_matrix/…` on, with the query. */
  readonly path: string;
  readonly content?: JsonObject | undefined;
  readonly timeoutMs?: number;
  readonly bodyBytesMax?: number;
  /** Nobody waits for it: it isn't even tried while the server is left in peace. */
  readonly isBackground?: boolean;
  /** Signed unless it is false: keys are asked for without a signature. */
  readonly isSigned?: boolean;
  /** What is asked for; JSON by default. */
  readonly accept?: string;
}

/** A request for a file. `timeoutMs` is for the beginning of the answer and for each pause in it. */
export type DownloadRequest = Omit<FederationRequest, 'method' | 'content' | 'bodyBytesMax' | 'isBackground'>;

const BODY_BYTES_MAX = 32 * 1024 * 1024;
/** Values in the JSON of an answer; more where more bytes are expected. */
const VALUES_MAX = 2_000_000;
const BYTES_PER_VALUE_MIN = 25;
const REFUSAL_BYTES_MAX = 64 * 1024;

/** Sends signed requests to other servers. Spec: server-server-api/#request-authentication */
export class FederationClient {
  readonly #deps: FederationClientDeps;

  constructor(deps: FederationClientDeps) {
    this.#deps = deps;
  }

  get serverName(): ServerName {
    return this.#deps.serverName;
  }

  /**
   * Sends a request; resolves with the JSON of a 200.
   * @throws UnreachableError, RefusedError, MatrixError 403 for a server that we don't talk to
   */
  async request(request: FederationRequest): Promise<JsonObject> {
    const { destination } = request;
    const { status, body } = await this.send(request);
    const json = parseAnswer(body, request.bodyBytesMax, HOLDS_EVENTS.test(request.path));
    if (status !== 200) throw new RefusedError(destination, status, json);
    if (!isJsonObject(json)) throw new UnreachableError(destination, 'the answer is not a JSON object');
    return json;
  }

  /** As `request`, with the answer as it came, whatever its status. */
  async send(request: FederationRequest): Promise<IncomingAnswer> {
    const { destination, isBackground = false } = request;
    const { backoff, policy, serverName } = this.#deps;
    policy.assertAllowed(destination);
    if (destination === serverName) throw new UnreachableError(destination, 'that is this server');
    if (isBackground && backoff.waitMs(destination) > 0)
      throw new UnreachableError(destination, 'left in peace for now');
    try {
      const outgoing = { ...this.#outgoing(request), bodyBytesMax: request.bodyBytesMax ?? BODY_BYTES_MAX };
      const answer = await this.#tryTargets(destination, (target) => this.#deps.connections.request(target, outgoing));
      // A proxy answers for a server that is down.
      if (answer.status === 502 || answer.status === 503 || answer.status === 504) backoff.noteFailure(destination);
      else backoff.noteAlive(destination);
      return answer;
    } catch (error) {
      backoff.noteFailure(destination);
      this.#deps.discovery.forget(destination);
      const reason = error instanceof Error ? error.message : String(error);
      throw new UnreachableError(destination, reason, error);
    }
  }

  /**
   * A GET whose answer is a file: resolves when the bytes begin to come.
   * @param signal ends it at any time
   * @throws RefusedError for an answer that isn't 200; otherwise as `request`
   */
  async download(request: DownloadRequest, signal: AbortSignal): Promise<StreamedAnswer> {
    const { destination } = request;
    const { backoff, policy, serverName, connections, discovery } = this.#deps;
    policy.assertAllowed(destination);
    if (destination === serverName) throw new UnreachableError(destination, 'that is this server');
    if (backoff.waitMs(destination) > 0) throw new UnreachableError(destination, 'left in peace for now');
    const outgoing = { ...this.#outgoing({ ...request, method: 'GET' }), signal };
    try {
      const answer = await this.#tryTargets(destination, (target) => connections.stream(target, outgoing));
      if (answer.status !== 200) {
        const json = parseAnswer(await readLimited(answer.body, REFUSAL_BYTES_MAX));
        throw new RefusedError(destination, answer.status, json);
      }
      backoff.noteAlive(destination);
      return answer;
    } catch (error) {
      if (error instanceof RefusedError) throw error;
      if (!signal.aborted) {
        backoff.noteFailure(destination);
        discovery.forget(destination);
      }
      throw new UnreachableError(destination, error instanceof Error ? error.message : String(error), error);
    }
  }

  /** A GET of what a server points to, without a signature. `https` only; private addresses as the configuration says. */
  downloadFrom(
    url: URL,
    limits: { readonly timeoutMs: number; readonly signal: AbortSignal },
  ): Promise<StreamedAnswer> {
    return this.#deps.connections.streamPlain(url, limits);
  }

  #outgoing(request: FederationRequest) {
    const { content, method, path } = request;
    const headers: Record<string, string> = { accept: request.accept ?? 'application/json' };
    if (request.isSigned !== false) headers.authorization = this.#authorization(request);
    if (content !== undefined) headers['content-type'] = 'application/json';
    return {
      method,
      path,
      headers,
      body: content === undefined ? undefined : JSON.stringify(content),
      timeoutMs: request.timeoutMs ?? this.#deps.requestTimeoutMs,
    };
  }

  async #tryTargets<T>(destination: ServerName, attempt: (target: Target) => Promise<T>): Promise<T> {
    let failure: unknown;
    for (const target of await this.#deps.discovery.find(destination)) {
      try {
        return await attempt(target);
      } catch (error) {
        failure = error;
        // Only what never reached the other side may be tried elsewhere.
        if (!isConnectError(error)) break;
      }
    }
    throw failure;
  }

  #authorization({ destination, method, path, content }: FederationRequest): string {
    const { serverName, signingKey } = this.#deps;
    return signedAuthorization(serverName, signingKey, { destination, method, path, content });
  }
}

const CONNECT_ERRORS: ReadonlySet<unknown> = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
]);

function isConnectError(error: unknown): boolean {
  return error instanceof Error && 'code' in error && CONNECT_ERRORS.has(error.code);
}

/** Answers that hold events, whose numbers are kept as they were written. */
const HOLDS_EVENTS =
  /^\/_matrix\/federation\/v[12]\/(?:send_join|invite|get_missing_events|backfill|event|event_auth|state)\//;

function parseAnswer(body: Buffer, bodyBytesMax = BODY_BYTES_MAX, holdsEvents = false): JsonValue | undefined {
  if (!isUtf8(body)) return undefined;
  // Small values take far more memory than their text: those of events have thrice as many bytes and more.
  const valuesMax = Math.max(VALUES_MAX, bodyBytesMax / BYTES_PER_VALUE_MIN);
  try {
    const text = body.toString('utf8');
    return holdsEvents ? parseExactJson(text, valuesMax) : parseJson(text, valuesMax);
  } catch {
    return undefined;
  }
}
