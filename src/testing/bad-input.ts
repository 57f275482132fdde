/** Bad requests for every route of a table, with the answers that the specification wants. */
import { z } from 'zod';
import type { Route } from '../http/index.ts';

/** One bad request and what must come of it. */
export interface BadInputCase {
  readonly name: string;
  readonly method: string;
  readonly path: string;
  /** Which token to send: that of an ordinary user, one that nobody has, or none. */
  readonly token: 'user' | 'admin' | 'unknown' | undefined;
  readonly body?: string;
  /** Sent as `Content-Length` without a body of that length. */
  readonly announcedBytes?: number;
  readonly statuses: readonly number[];
  readonly errcodes: readonly string[];
}

/** Values for path params, by name, that pass the checks of their grammar. Other names get `x`. */
const SAMPLE_PARAMS: Readonly<Record<string, string>> = {
  userId: '@nobody:example.org',
  roomId: '!nowhere:example.org',
  roomIdOrAlias: '!nowhere:example.org',
  eventId: '$nothing:example.org',
  reportId: '1',
  roomAlias: '#nothing:example.org',
  serverName: 'example.org',
  keyName: 'displayname',
  visibility: 'public',
};

const METHODS = ['GET', 'PUT', 'POST', 'DELETE', 'PATCH'] as const;
const BAD_BODY = ['M_BAD_JSON', 'M_MISSING_PARAM', 'M_INVALID_PARAM'] as const;

/** The cases for all routes: tokens, bodies, queries, methods, and paths that lead nowhere. */
export function badInputCases(routes: readonly Route[]): BadInputCase[] {
  const cases: BadInputCase[] = [];
  for (const route of routes) {
    for (const pattern of route.paths) {
      const path = samplePath(pattern, route);
      cases.push(...tokenCases(route, path));
      if (route.auth === 'federation') continue;
      cases.push(...bodyCases(route, path + sampleQuery(route)), ...queryCases(route, path));
    }
  }
  cases.push(...methodCases(routes), ...unknownPathCases(routes));
  return cases;
}

/** A path with params that pass: what is checked after them is to be reached. */
function samplePath(pattern: string, { params }: Partial<Pick<Route, 'params'>>): string {
  const schemas = new Map(params === undefined ? [] : properties(params));
  return pattern.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(SAMPLE_PARAMS[name] ?? firstOf(schemas.get(name)) ?? 'x'),
  );
}

/** The query that a route can't do without. */
function sampleQuery({ query }: Route): string {
  if (query === undefined) return '';
  const { required = [] } = z.toJSONSchema(query, { io: 'input', unrepresentable: 'any' });
  const schemas = new Map(properties(query));
  const pairs = required.map((name) => `${name}=${encodeURIComponent(firstOf(schemas.get(name)) ?? '1')}`);
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`;
}

/** The first of the values that a schema lists. */
function firstOf(schema: z.core.JSONSchema.BaseSchema | undefined): string | undefined {
  const first = schema?.enum?.[0];
  return typeof first === 'string' ? first : undefined;
}

function tokenCases({ method, auth, operationId }: Route, path: string): BadInputCase[] {
  const base = { method, path };
  if (auth === 'none') return [];
  if (auth === 'federation') {
    const errcodes = ['M_UNAUTHORIZED', 'M_FORBIDDEN', 'M_MISSING_PARAM'];
    return [
      { ...base, name: `${operationId}: unsigned`, token: undefined, body: '{}', statuses: [401, 403], errcodes },
    ];
  }
  const unknown: BadInputCase = {
    ...base,
    name: `${operationId}: unknown token`,
    token: 'unknown',
    statuses: [401],
    errcodes: ['M_UNKNOWN_TOKEN'],
  };
  if (auth === 'optional') return [unknown];
  const missing: BadInputCase = {
    ...base,
    name: `${operationId}: no token`,
    token: undefined,
    statuses: [401],
    errcodes: ['M_MISSING_TOKEN'],
  };
  if (auth !== 'admin') return [unknown, missing];
  const plain = {
    name: `${operationId}: no administrator`,
    token: 'user',
    statuses: [403],
    errcodes: ['M_FORBIDDEN'],
  } as const;
  return [unknown, missing, { ...base, ...plain }];
}

function bodyCases(route: Route, path: string): BadInputCase[] {
  if (route.body === 'none') return [];
  const base = { method: route.method, path, token: tokenFor(route) };
  const tooLarge: BadInputCase = {
    ...base,
    name: `${route.operationId}: too large`,
    announcedBytes: route.bodyBytesMax + 1,
    statuses: [413],
    errcodes: ['M_TOO_LARGE'],
  };
  if (route.body === 'raw') return [tooLarge];
  const wrong = (name: string, body: string, errcodes: readonly string[]): BadInputCase => ({
    ...base,
    name: `${route.operationId}: ${name}`,
    body,
    statuses: [400],
    errcodes,
  });
  return [
    tooLarge,
    wrong('cut JSON', '{"a":', ['M_NOT_JSON']),
    wrong('no JSON', 'hello', ['M_NOT_JSON']),
    wrong('an array', '[]', ['M_BAD_JSON']),
    wrong('a string', '"text"', ['M_BAD_JSON']),
    wrong('null', 'null', ['M_BAD_JSON']),
    ...wrongTypes(route.body).map(({ key, value }) =>
      wrong(`${key} of another type`, JSON.stringify({ [key]: value }), BAD_BODY),
    ),
  ];
}

function tokenFor({ auth }: Route): 'user' | 'admin' | undefined {
  if (auth === 'admin') return 'admin';
  return auth === 'user' || auth === 'guest' ? 'user' : undefined;
}

/** Per key whose type is known, a value of another type. */
function wrongTypes(schema: z.ZodType): { readonly key: string; readonly value: unknown }[] {
  return properties(schema).flatMap(([key, { type }]) => {
    if (typeof type !== 'string' || !Object.hasOwn(OTHER_TYPE, type)) return [];
    return [{ key, value: OTHER_TYPE[type as keyof typeof OTHER_TYPE] }];
  });
}

const OTHER_TYPE = { string: 12345, number: 'text', integer: 'text', boolean: 'text', array: 7, object: 7 } as const;

function queryCases(route: Route, path: string): BadInputCase[] {
  if (route.query === undefined || path.includes('{')) return [];
  const wrong = properties(route.query).filter(
    ([, property]) => property.pattern !== undefined || property.enum !== undefined,
  );
  return wrong.map(([key]) => ({
    name: `${route.operationId}: query ${key} of another type`,
    method: route.method,
    path: `${path}?${key}=%20neither%20`,
    token: tokenFor(route),
    statuses: [400],
    errcodes: ['M_INVALID_PARAM', 'M_MISSING_PARAM'],
  }));
}

function properties(schema: z.ZodType): [string, z.core.JSONSchema.BaseSchema][] {
  const { properties = {} } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return Object.entries(properties).flatMap(([key, value]) => (typeof value === 'object' ? [[key, value]] : []));
}

function methodCases(routes: readonly Route[]): BadInputCase[] {
  const methodsOf = new Map<string, Set<string>>();
  for (const { method, paths } of routes) {
    for (const path of paths) methodsOf.set(path, (methodsOf.get(path) ?? new Set()).add(method));
  }
  return [...methodsOf].flatMap(([pattern, used]) => {
    const method = METHODS.find((one) => !used.has(one));
    if (method === undefined) return [];
    return [
      {
        name: `${pattern}: wrong method ${method}`,
        method,
        path: samplePath(pattern, {}),
        token: 'user' as const,
        statuses: [405],
        errcodes: ['M_UNRECOGNIZED'],
      },
    ];
  });
}

function unknownPathCases(routes: readonly Route[]): BadInputCase[] {
  const paths = new Set(
    routes.flatMap((route) => route.paths.map((path) => `${samplePath(path, {})}/no/such/path/at/all`)),
  );
  paths
    .add('/_matrix')
    .add('/_matrix/')
    .add('/_matrix/client')
    .add('/_matrix/client/v3/nothing')
    .add('/_matrix/client/v99/sync');
  return [...paths].map((path) => ({
    name: `unknown path ${path}`,
    method: 'GET',
    path,
    token: 'user',
    statuses: [404],
    errcodes: ['M_UNRECOGNIZED'],
  }));
}
