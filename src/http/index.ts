/** HTTP: `route()`, the pipeline that serves the routes, rate limits, listeners. `web-app.ts` loads express: not here. */
export { routesMarkdown } from './docs.ts';
export { type BoundAddress, type Listeners, startListeners } from './listeners.ts';
export { healthRoutes, metricsRoutes, openApiRoutes } from './operations.ts';
export { type Fallback, Pipeline, type PipelineOptions } from './pipeline.ts';
export { RateLimits } from './rate-limits.ts';
export { createRemoteOf, type RemoteOf } from './remote.ts';
export * from './route.ts';
export * from './schema.ts';
