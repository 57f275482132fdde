/**
 * `route()`: the only way an endpoint exists. One typed declaration gives routing, authentication, rate limit,
 * validation, documentation, metrics and the tests for bad input.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import type { z } from 'zod';
import type { RateLimitName } from '../config/index.ts';
import type { FederationRequester, Remote, Requester } from './requester.ts';
import type { Result } from './result.ts';

export type {
  Authenticator,
  FederationAuthenticator,
  FederationRequester,
  Masquerade,
  Remote,
  Requester,
  SignedRequest,
} from './requester.ts';
export { RawJson, Reply, type Result, rawJson, reply, WrittenBody } from './result.ts';

/** The methods that a route can have. A GET route answers HEAD too, and every path answers OPTIONS. */
export type HttpMethod = 'GET' | 'PUT' | 'POST' | 'DELETE' | 'PATCH';

/**
 * Who may call a route, and so what `requester` is in its handler:
 * `none`: anyone (a token is not looked at); `optional`: anyone, but a token that is sent must be valid; `user`: users,
 * no guests; `guest`: users and guests; `admin`: server administrators; `federation`: other servers, by signature.
 */
export interface RequesterOf {
  none: undefined;
  optional: Requester | undefined;
  user: Requester;
  guest: Requester;
  admin: Requester;
  federation: FederationRequester;
}

export type Auth = keyof RequesterOf;

/** The sorts of endpoints that a listener may serve. */
export type Resource = 'client' | 'federation' | 'admin' | 'metrics' | 'health' | 'web';

/** A body that the route reads by itself (`body: 'raw'`), for uploads. */
export interface RawBody {
  /** The `Content-Type` header, undefined where the client sent none. */
  readonly contentType: string | undefined;
  /** The length that the client announced in bytes, undefined for chunked bodies. Never above the route's limit. */
  readonly contentLength: number | undefined;
  /** The bytes as they come; fails with `M_TOO_LARGE` where they exceed the route's `bodyBytesMax`. Read it once. */
  stream(): Readable;
  /** All bytes; fails with `M_TOO_LARGE` likewise. */
  bytes(): Promise<Buffer>;
}

/** Names in braces of a path: `'/rooms/{roomId}/x/{key}'` gives `'roomId' | 'key'`. */
export type PathParamNames<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? Name | PathParamNames<Rest>
  : never;

type NamesAsKeys<Path extends string> = Path extends string
  ? { readonly [Name in PathParamNames<Path>]: string }
  : never;

/** The params of a route without a schema for them: strings. With several paths, those not in all may be undefined. */
export type PathParams<Path extends string> = {
  readonly [Name in keyof NamesAsKeys<Path>]: string;
} & { readonly [Name in Exclude<PathParamNames<Path>, keyof NamesAsKeys<Path>>]?: string };

/** A request as a handler sees it: routed, authenticated, limited, validated. */
export interface RouteRequest<Params, Query, Body, Who> {
  readonly params: Params;
  /** The parsed query; undefined where the route declares none. */
  readonly query: Query;
  /** The parsed body; undefined where the route declares none. */
  readonly body: Body;
  readonly requester: Who;
  readonly remote: Remote;
  readonly headers: IncomingHttpHeaders;
  readonly requestId: string;
  /** Aborted when the client goes away or the server shuts down. Made when first asked for. */
  readonly signal: AbortSignal;
  /** When the request came, in milliseconds since the epoch. */
  readonly now: number;
}

type ParamsOf<P, Path extends string> = P extends z.ZodType ? z.output<P> : PathParams<Path>;
type QueryOf<Q> = Q extends z.ZodType ? z.output<Q> : undefined;
type BodyOf<B> = B extends z.ZodType ? z.output<B> : B extends 'raw' ? RawBody : undefined;
type ResultOf<R> = R extends z.ZodType<infer Output> ? Result<Output & object> : Result;

/** What `route()` takes. */
export interface RouteDeclaration<
  Path extends string,
  A extends Auth,
  P extends z.ZodType | undefined,
  Q extends z.ZodType | undefined,
  B extends z.ZodType | 'raw' | 'none' | undefined,
  R extends z.ZodType | undefined,
> {
  readonly method: HttpMethod;
  /** One path or several (older versions, unstable prefixes), with `{names}` for the variable segments. */
  readonly path: Path | readonly Path[];
  /** The spec's `operationId`; for our own endpoints one of our own. Unique among the routes. */
  readonly operationId: string;
  /** Where it is specified, e.g. `client-server-api/#put_matrixclientv3roomsroomidsendeventtypetxnid`, or an MSC. */
  readonly spec: string;
  readonly auth: A;
  /** Limits calls by user, or by address where nobody is logged in. */
  readonly rateLimit?: RateLimitName;
  /** Checks path params, already percent-decoded. Without it they are non-empty strings. */
  readonly params?: P;
  /** Checks the query. Values come as strings, repeated ones as arrays: build it with `query-schema.ts`. */
  readonly query?: Q;
  /** A schema for a JSON body, `raw` for a body the handler reads, `none` (the default) to ignore it. */
  readonly body?: B;
  /** The largest body in bytes; `BODY_BYTES_MAX_DEFAULT` without it. */
  readonly bodyBytesMax?: number;
  /** Of `auth: 'federation'`: the body holds events, whose numbers stay as they were written (see `parseExactJson`). */
  readonly keepsNumbers?: boolean;
  /** The shape of the answer, for the compiler and the docs. It isn't checked at run time. */
  readonly response?: R;
  /** Serves locked accounts too (logout). Otherwise they get 401 `M_USER_LOCKED`. */
  readonly allowLocked?: boolean;
  /** Serves suspended accounts too. The default is true for GET and false for the rest (403 `M_USER_SUSPENDED`). */
  readonly allowSuspended?: boolean;
  /**
   * Answers only when there is news. When the user logs out, is locked, or anything else happens to the tokens, `signal` is
   * aborted, and whoever may no longer ask gets the refusal instead of the answer.
   */
  readonly isLongPoll?: boolean;
  /** By default derived from the path: `/_matrix/federation`, `/_matrix/key` and `auth: 'federation'` are `federation`, admin paths `admin`. */
  readonly resource?: Resource;
  handle(
    request: RouteRequest<ParamsOf<P, Path>, QueryOf<Q>, BodyOf<B>, RequesterOf[A]>,
  ): Promise<ResultOf<R>> | ResultOf<R>;
}

/** A declared endpoint, its types erased: what router, pipeline, docs and tests work on. */
export interface Route {
  readonly method: HttpMethod;
  readonly paths: readonly string[];
  readonly operationId: string;
  readonly spec: string;
  readonly auth: Auth;
  readonly rateLimit: RateLimitName | undefined;
  readonly params: z.ZodType | undefined;
  readonly query: z.ZodType | undefined;
  readonly body: z.ZodType | 'raw' | 'none';
  readonly bodyBytesMax: number;
  readonly keepsNumbers: boolean;
  readonly response: z.ZodType | undefined;
  readonly allowLocked: boolean;
  readonly allowSuspended: boolean;
  readonly isLongPoll: boolean;
  readonly resource: Resource;
  handle(request: RouteRequest<unknown, unknown, unknown, unknown>): Promise<Result> | Result;
}

/** Room for the largest event (65,536 bytes) with escapes in its JSON. */
export const BODY_BYTES_MAX_DEFAULT = 256 * 1024;

/**
 * Declares an endpoint. The types of `params`, `query`, `body` and `requester` in `handle` follow from the declaration.
 *
 *     route({
 *       method: 'GET', path: '/_matrix/client/v3/profile/{userId}', operationId: 'getUserProfile',
 *       spec: 'client-server-api/#get_matrixclientv3profileuserid', auth: 'none',
 *       handle: async ({ params }) => accounts.getProfile(params.userId),
 *     })
 */
export function route<
  const Path extends string,
  A extends Auth,
  P extends z.ZodType | undefined = undefined,
  Q extends z.ZodType | undefined = undefined,
  B extends z.ZodType | 'raw' | 'none' | undefined = undefined,
  R extends z.ZodType | undefined = undefined,
>(declaration: RouteDeclaration<Path, A, P, Q, B, R>): Route {
  const paths: readonly string[] = typeof declaration.path === 'string' ? [declaration.path] : declaration.path;
  return {
    method: declaration.method,
    paths,
    operationId: declaration.operationId,
    spec: declaration.spec,
    auth: declaration.auth,
    rateLimit: declaration.rateLimit,
    params: declaration.params,
    query: declaration.query,
    body: declaration.body ?? 'none',
    bodyBytesMax: declaration.bodyBytesMax ?? BODY_BYTES_MAX_DEFAULT,
    keepsNumbers: declaration.keepsNumbers ?? false,
    response: declaration.response,
    allowLocked: declaration.allowLocked ?? false,
    allowSuspended: declaration.allowSuspended ?? declaration.method === 'GET',
    isLongPoll: declaration.isLongPoll ?? false,
    resource: declaration.resource ?? resourceOf(paths[0] ?? '', declaration.auth),
    handle: declaration.handle,
  };
}

function resourceOf(path: string, auth: Auth): Resource {
  if (auth === 'federation' || /^\/_matrix\/(federation|key)\//.test(path)) return 'federation';
  if (auth === 'admin' || /^\/_(synapse|inglenook)\/admin\//.test(path)) return 'admin';
  return 'client';
}
