/**
 * The outer shell for browsers: express with compression and the pages. It only gets what no route of the table matches,
 * so the APIs don't pay for it.
 */
import compression from 'compression';
import express, { type NextFunction, type Request, type Response, type Router } from 'express';
import type { Logger } from '../telemetry/log.ts';
import type { Fallback } from './pipeline.ts';

export interface WebAppOptions {
  readonly trustedProxies: readonly string[];
  readonly router: Router;
  readonly logger: Logger;
}

/** An express app around the pages' router; what that doesn't know is answered 404. */
export function createWebApp({ trustedProxies, router, logger }: WebAppOptions): Fallback {
  const app = express();
  app.disable('x-powered-by');
  app.set('trust proxy', trustedProxies.length === 0 ? false : [...trustedProxies]);
  app.use(compression());
  app.use(router);
  app.use((_request: Request, response: Response) => {
    response.status(404).json({ errcode: 'M_UNRECOGNIZED', error: 'Unrecognized request' });
  });
  app.use((error: unknown, request: Request, response: Response, next: NextFunction) => {
    if (response.headersSent) {
      next(error);
      return;
    }
    const status = statusOf(error);
    if (status >= 500) logger.error({ err: error, path: request.path }, 'web request failed');
    response
      .status(status)
      .json({ errcode: 'M_UNKNOWN', error: status >= 500 ? 'Internal server error' : 'Bad request' });
  });
  return app;
}

/** The status that express and its parts give to errors which are the client's fault. */
function statusOf(error: unknown): number {
  const status = typeof error === 'object' && error !== null && 'status' in error ? error.status : undefined;
  return typeof status === 'number' && status >= 400 && status < 500 ? status : 500;
}
