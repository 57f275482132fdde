/** What the route table says of itself: `docs/routes.md` and our OpenAPI document. */
import { z } from 'zod';
import type { Route } from './route.ts';

/** Routes by resource as a Markdown table each, sorted by path. */
export function routesMarkdown(routes: readonly Route[]): string {
  const parts = ['# Routes', '', 'Generated from the route table. Do not edit.', ''];
  for (const resource of new Set(routes.map((one) => one.resource))) {
    parts.push(
      `## ${resource}`,
      '',
      '| method | path | operation | who | rate limit | specified in |',
      '|---|---|---|---|---|---|',
    );
    const rows = routes
      .filter((one) => one.resource === resource)
      .flatMap((one) => one.paths.map((path) => ({ path, one })));
    rows.sort((a, b) => compare(a.path, b.path) || compare(a.one.method, b.one.method));
    for (const { path, one } of rows) {
      parts.push(
        `| ${one.method} | \`${path}\` | ${one.operationId} | ${one.auth} | ${one.rateLimit ?? ''} | ${one.spec} |`,
      );
    }
    parts.push('');
  }
  return parts.join('\n');
}

/** By code units, so that the order is the same on every machine. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The OpenAPI 3.1 document of the routes, for tools. */
export function openApi(routes: readonly Route[], info: { readonly title: string; readonly version: string }) {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) {
    route.paths.forEach((path, index) => {
      const operations = paths[path] ?? {};
      paths[path] = operations;
      operations[route.method.toLowerCase()] = operation(route, path, index);
    });
  }
  return {
    openapi: '3.1.0',
    info,
    paths,
    components: { securitySchemes: { accessToken: { type: 'http', scheme: 'bearer' } } },
  };
}

function operation(route: Route, path: string, index: number) {
  const needsToken = route.auth === 'user' || route.auth === 'guest' || route.auth === 'admin';
  return {
    // Operation ids are unique in a document: the further paths of a route are numbered.
    operationId: index === 0 ? route.operationId : `${route.operationId}_${index + 1}`,
    externalDocs: { url: `https://spec.matrix.org/latest/${route.spec}` },
    ...(needsToken ? { security: [{ accessToken: [] }] } : {}),
    parameters: [...pathParameters(path), ...queryParameters(route.query)],
    ...requestBody(route),
    responses: { 200: { description: 'Success', ...content(route.response, 'output') } },
  };
}

function pathParameters(path: string) {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
}

function queryParameters(schema: z.ZodType | undefined) {
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = jsonSchema(schema, 'input');
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    schema: property,
  }));
}

function requestBody({ body }: Route): object {
  if (body === 'none') return {};
  if (body === 'raw') return { requestBody: { content: { '*/*': {} } } };
  return { requestBody: { required: true, ...content(body, 'input') } };
}

function content(schema: z.ZodType | undefined, io: 'input' | 'output'): object {
  return schema === undefined ? {} : { content: { 'application/json': { schema: jsonSchema(schema, io) } } };
}

function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): z.core.JSONSchema.BaseSchema {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return rest;
}
