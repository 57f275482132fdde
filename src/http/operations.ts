/** Endpoints for those who run the server: health, metrics, and the description of all endpoints. */
import type { Metrics } from '../telemetry/metrics.ts';
import { openApi } from './docs.ts';
import { type Route, rawJson, reply, route } from './route.ts';

/** `GET /health`: 200 `{"status":"ok"}` when `check` (a trivial query) resolves in time, else 503. */
export function healthRoutes({ check }: { readonly check: () => Promise<unknown> }): Route[] {
  return [
    route({
      method: 'GET',
      path: '/health',
      operationId: 'health',
      spec: 'inglenook',
      auth: 'none',
      resource: 'health',
      handle: async () => {
        const isUp = await isAnsweredInTime(check);
        return reply({ status: isUp ? 200 : 503, body: { status: isUp ? 'ok' : 'unavailable' } });
      },
    }),
  ];
}

const CHECK_TIMEOUT_MS = 5000;

async function isAnsweredInTime(check: () => Promise<unknown>): Promise<boolean> {
  const late = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => late.resolve(false), CHECK_TIMEOUT_MS);
  try {
    return await Promise.race([check().then(() => true), late.promise]);
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
  }
}

/** `GET /metrics` in the Prometheus text format. Only listeners with the `metrics` resource serve it. */
export function metricsRoutes({ metrics }: { readonly metrics: Metrics }): Route[] {
  return [
    route({
      method: 'GET',
      path: '/metrics',
      operationId: 'metrics',
      spec: 'inglenook',
      auth: 'none',
      resource: 'metrics',
      handle: async () => reply({ headers: { 'content-type': metrics.contentType }, body: await metrics.render() }),
    }),
  ];
}

/**
 * `GET /openapi.json`: the OpenAPI 3.1 document of every endpoint of this server, for tools. Served where `health` is.
 * The document is made at the first request and kept as text.
 */
export function openApiRoutes(options: { readonly routes: readonly Route[]; readonly version: string }): Route[] {
  let document: string | undefined;
  return [
    route({
      method: 'GET',
      path: '/openapi.json',
      operationId: 'openApi',
      spec: 'inglenook',
      auth: 'none',
      resource: 'health',
      handle: () => {
        document ??= JSON.stringify(openApi(options.routes, { title: 'Inglenook', version: options.version }));
        return rawJson(document);
      },
    }),
  ];
}
