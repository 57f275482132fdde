/**
 * The way of a request, all of it: match, CORS, authenticate, rate limit, read and check the body, handle, answer or
 * render the error, log and count. Federation requests are authenticated after their body, which their signature covers.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { performance } from 'node:perf_hooks';
import type { Clock } from '../clock.ts';
import { forbidden, MatrixError, methodNotAllowed, missingToken, unrecognized } from '../protocol/errors.ts';
import { type JsonObject, parseExactJson, parseJson, withPlainNumbers } from '../protocol/json/index.ts';
import { Slots } from '../slots.ts';
import type { Logger } from '../telemetry/log.ts';
import type { RequestMetrics } from '../telemetry/request-metrics.ts';
import { BODY_TIMEOUT_MS_DEFAULT, parseBody, rawBody, readBody } from './body.ts';
import { CORS_HEADERS, PREFLIGHT_HEADERS } from './cors.ts';
import { bearerToken, firstOf, masquerade, queryObject } from './credentials.ts';
import type { RateLimits } from './rate-limits.ts';
import { refusalOf } from './refusal.ts';
import type { RemoteOf } from './remote.ts';
import { type OpenSignals, PipelineRequest } from './request.ts';
import type { Authenticator, FederationAuthenticator, FederationRequester, Requester } from './requester.ts';
import { sendRefusal, sendResult } from './respond.ts';
import type { Resource, Result, Route } from './route.ts';
import { createRouter, type Match } from './router.ts';
import { validate } from './validate.ts';

export interface PipelineOptions {
  readonly routes: readonly Route[];
  readonly authenticator: Authenticator;
  /** Undefined while the server doesn't federate: routes with `auth: 'federation'` then answer 403. */
  readonly federationAuthenticator?: FederationAuthenticator | undefined;
  readonly rateLimits: RateLimits;
  readonly remoteOf: RemoteOf;
  readonly logger: Logger;
  readonly metrics: RequestMetrics;
  readonly clock: Clock;
  /** The level of the line that each request writes; `debug` by default, since it costs as much as a small request. */
  readonly requestLogLevel?: 'trace' | 'debug' | 'info';
  /** Also takes access tokens from the query (`?access_token=`), which the spec deprecates. */
  readonly allowQueryTokens?: boolean;
  readonly bodyTimeoutMs?: number;
}

/** What a listener does with a request that no route of its resources matches. */
export type Fallback = (incoming: IncomingMessage, response: ServerResponse) => void;

/** Serves the route table. */
export class Pipeline {
  readonly #options: PipelineOptions;
  readonly #router;
  readonly #logLevel: 'trace' | 'debug' | 'info';
  /** How much of this server each other server may have at a time, so that none keeps the others from being served. */
  readonly #origins = new Slots(ORIGIN_SLOTS);
  readonly #openSignals: OpenSignals = { controllers: new Set(), byUser: new Map(), isClosing: false };

  constructor(options: PipelineOptions) {
    this.#options = options;
    this.#router = createRouter(options.routes);
    this.#logLevel = options.requestLogLevel ?? 'debug';
    options.authenticator.onChanged?.((userId) => {
      for (const request of this.#openSignals.byUser.get(userId) ?? []) request.doubt();
    });
  }

  /**
   * The request listener for a listener with these resources. `fallback` gets what no route matches outside of
   * `/_matrix/`; without one the answer is 404 `M_UNRECOGNIZED`, as for routes of other resources.
   */
  listener(resources: ReadonlySet<Resource>, fallback?: Fallback): Fallback {
    return (incoming, response) => {
      const target = incoming.url ?? '/';
      const match = this.#router.find(target);
      if (typeof match === 'object' && resources.has(match.entry.resource)) {
        void this.#serve(match, incoming, response);
      } else if (match === undefined && fallback !== undefined && !target.startsWith('/_matrix/')) {
        fallback(incoming, response);
      } else {
        this.#refuseUnmatched(match === 'bad', incoming, response);
      }
    };
  }

  /** Ends waiting requests: their `signal` is aborted, and so is that of later ones. */
  abortWaiting(): void {
    this.#openSignals.isClosing = true;
    for (const controller of this.#openSignals.controllers) controller.abort();
  }

  async #serve({ entry, params, query }: Match, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const { metrics, clock, remoteOf } = this.#options;
    const common = entry.resource === 'metrics' || entry.resource === 'federation' ? NO_HEADERS : CORS_HEADERS;
    if (incoming.method === 'OPTIONS') {
      response.writeHead(204, common === CORS_HEADERS ? [...PREFLIGHT_HEADERS] : ['allow', entry.allowed.join(', ')]);
      response.end();
      return;
    }
    metrics.begin();
    const request = new PipelineRequest(incoming, response, remoteOf(incoming), clock.now(), this.#openSignals);
    const route = entry.byMethod[incoming.method as keyof typeof entry.byMethod];
    try {
      if (route === undefined) throw methodNotAllowed(entry.allowed);
      request.params = params;
      const result = await this.#answer(route, request, query);
      const sent = sendResult(incoming, response, result, common);
      if (sent !== undefined) await sent;
    } catch (error) {
      this.#sendError(error, request, route, common);
    }
    this.#finish(request, route);
  }

  async #answer(route: Route, request: PipelineRequest, query: string): Promise<Result> {
    const { auth } = route;
    if (auth !== 'none' && auth !== 'federation') {
      const asked = this.#authenticate(route, request, query);
      request.requester = asked instanceof Promise ? await asked : asked;
    }
    if (route.rateLimit !== undefined) this.#limit(route.rateLimit, request);
    if (auth === 'federation') await this.#readBody(route, request);
    // Of a server it must first be known who it is, and its signature covers the body.
    if (route.params !== undefined) request.params = validate(route.params, request.params, 'path');
    request.query = route.query === undefined ? undefined : validate(route.query, queryObject(query), 'query');
    if (route.body !== 'none' && auth !== 'federation') await this.#readBody(route, request);
    if (route.isLongPoll) return this.#await(route, request, query);
    const { requester } = request;
    if (auth !== 'federation' || !isServer(requester)) return route.handle(request);
    return this.#origins.run(requester.origin, () => route.handle(request));
  }

  /** The answer of a request that waits for news, if the one who asked may still have it when it is there. */
  async #await(route: Route, request: PipelineRequest, query: string): Promise<Result> {
    const userId = userIdOf(request.requester);
    if (typeof userId === 'string') request.watch(userId);
    const result = await route.handle(request);
    if (request.isDoubtful) await this.#authenticate(route, request, query);
    return result;
  }

  /** The user behind the request's token; undefined only where the route lets anyone in. */
  #authenticate(
    route: Route,
    request: PipelineRequest,
    query: string,
  ): Promise<Requester | undefined> | Requester | undefined {
    const token = bearerToken(request.headers.authorization) ?? this.#queryToken(query);
    if (token === undefined) {
      if (route.auth === 'optional') return undefined;
      throw missingToken();
    }
    const asked = this.#options.authenticator.authenticate(token, request.remote, masquerade(query));
    return asked instanceof Promise ? asked.then((one) => admit(route, one)) : admit(route, asked);
  }

  #queryToken(query: string): string | undefined {
    if (this.#options.allowQueryTokens !== true || !query.includes('access_token=')) return undefined;
    return firstOf(queryObject(query).access_token);
  }

  #limit(name: NonNullable<Route['rateLimit']>, { requester, remote }: PipelineRequest): void {
    const key =
      typeof requester === 'object' && requester !== null && 'userId' in requester ? requester.userId : remote.ip;
    this.#options.rateLimits.take(name, String(key));
  }

  async #readBody(route: Route, request: PipelineRequest): Promise<void> {
    const { incoming } = request;
    // Who doesn't even say who they are has no body read.
    if (route.auth === 'federation' && incoming.headers.authorization === undefined) {
      await this.#authenticateServer(request, undefined);
    }
    const timeoutMs = this.#options.bodyTimeoutMs ?? BODY_TIMEOUT_MS_DEFAULT;
    if (route.body === 'raw') {
      if (route.auth === 'federation') await this.#authenticateServer(request, undefined);
      request.body = rawBody(incoming, route.bodyBytesMax, timeoutMs);
      return;
    }
    const hasBody =
      incoming.headers['content-length'] !== undefined || incoming.headers['transfer-encoding'] !== undefined;
    const bytes = hasBody ? await readBody(incoming, route.bodyBytesMax, timeoutMs) : NO_BYTES;
    const isFederation = route.auth === 'federation';
    const body = parseBody(bytes, isFederation ? parseExactJson : parseJson);
    // What was signed are the numbers as they were written.
    if (isFederation) await this.#authenticateServer(request, bytes.length === 0 ? undefined : body);
    if (route.body === 'none') return;
    const read = isFederation && !route.keepsNumbers ? withPlainNumbers(body) : body;
    request.body = validate(route.body, read, 'body');
  }

  async #authenticateServer(request: PipelineRequest, content: JsonObject | undefined): Promise<void> {
    const { federationAuthenticator } = this.#options;
    if (federationAuthenticator === undefined) throw forbidden('This server does not federate');
    const { incoming, remote } = request;
    const authorization = incoming.headersDistinct.authorization ?? [];
    const signed = { method: incoming.method ?? 'GET', uri: incoming.url ?? '/', authorization, content };
    const requester = await federationAuthenticator.authenticate(signed, remote);
    this.#options.rateLimits.take('federation', requester.origin);
    request.requester = requester;
  }

  #sendError(error: unknown, request: PipelineRequest, route: Route | undefined, common: readonly string[]): void {
    const { incoming, response } = request;
    if (!(error instanceof MatrixError) && !isClientGone(request)) {
      this.#options.logger.error(
        { requestId: request.requestId, operationId: route?.operationId, err: error },
        'request failed',
      );
    }
    if (response.headersSent) {
      // Half an answer is out: only a broken connection tells the client.
      response.destroy();
      return;
    }
    sendRefusal(incoming, response, refusalOf(error, request.requestId), common);
  }

  #finish(request: PipelineRequest, route: Route | undefined): void {
    const { logger, metrics } = this.#options;
    const { incoming, response } = request;
    const durationMs = performance.now() - request.startedAt;
    metrics.end(route?.operationId ?? 'wrongMethod', response.statusCode, durationMs);
    if (!logger.isLevelEnabled(this.#logLevel)) return;
    const line = {
      requestId: request.requestId,
      operationId: route?.operationId,
      method: incoming.method,
      path: incoming.url?.split('?', 1)[0],
      status: response.statusCode,
      durationMs: Math.round(durationMs * 1000) / 1000,
      userId: userIdOf(request.requester),
      ip: request.remote.ip,
    };
    logger[this.#logLevel](line, 'request');
  }

  /** 404 for an unknown path (or one of another listener's), 400 for one that is not valid percent-encoding. */
  #refuseUnmatched(isBad: boolean, incoming: IncomingMessage, response: ServerResponse): void {
    const { metrics } = this.#options;
    if (incoming.method === 'OPTIONS' && !isBad) {
      response.writeHead(204, [...PREFLIGHT_HEADERS]);
      response.end();
      return;
    }
    const refusal = isBad ? badTarget() : unrecognized();
    metrics.begin();
    sendRefusal(incoming, response, refusal, CORS_HEADERS);
    metrics.end('unknownPath', refusal.status, 0);
  }
}

function isServer(requester: unknown): requester is FederationRequester {
  return typeof requester === 'object' && requester !== null && 'origin' in requester;
}

/** Of one server so many requests are worked on at once; further ones wait for their turn. */
const ORIGIN_SLOTS = { perKeyMax: 16, waitingMax: 200, retryMs: 2_000 };
const NO_HEADERS: readonly string[] = [];
const NO_BYTES = Buffer.alloc(0);

/** Refuses users that the route isn't for. */
function admit(route: Route, requester: Requester): Requester {
  if (requester.isLocked && !route.allowLocked) {
    throw new MatrixError('M_USER_LOCKED', 'This account has been locked', { fields: { soft_logout: true } });
  }
  if (requester.isSuspended && !route.allowSuspended) {
    throw new MatrixError('M_USER_SUSPENDED', 'This account has been suspended');
  }
  if (requester.isGuest && (route.auth === 'user' || route.auth === 'admin')) {
    throw new MatrixError('M_GUEST_ACCESS_FORBIDDEN', 'Guests may not do this', { status: 403 });
  }
  if (route.auth === 'admin' && !requester.isAdmin) throw forbidden('You are not a server administrator');
  return requester;
}

function userIdOf(requester: unknown): unknown {
  return typeof requester === 'object' && requester !== null && 'userId' in requester ? requester.userId : undefined;
}

function isClientGone({ incoming, response }: PipelineRequest): boolean {
  return response.destroyed || (incoming.destroyed && !incoming.complete);
}

const badTarget = (): MatrixError =>
  new MatrixError('M_UNRECOGNIZED', 'The path is not valid percent-encoding', { status: 400 });
