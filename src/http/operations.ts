/** Endpoints for those who run the server: health and metrics. */
import type { Metrics } from '../telemetry/metrics.ts';
import { type Route, reply, route } from './route.ts';

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
