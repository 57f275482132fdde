/** The browser's pages, loaded when the first browser comes: express costs an API server nothing until then. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Config } from './config/index.ts';
import type { Fallback, RemoteOf } from './http/index.ts';
import type { Logger } from './telemetry/log.ts';
import { PROJECT_FOLDER, VERSION } from './version.ts';

export interface LazyWebOptions {
  readonly config: Config;
  readonly logger: Logger;
  /** Tells whether a request comes from this machine itself. */
  readonly remoteOf: RemoteOf;
  readonly hasAccounts: () => Promise<boolean>;
  /** The very first account becomes an administrator, if it is made from this machine itself. */
  readonly firstLocalUserIsAdmin: boolean;
}

/** Serves the pages; builds the web client first if that has not happened yet. */
export function lazyWeb(options: LazyWebOptions): Fallback {
  let app: Promise<Fallback> | undefined;
  return (incoming, response) => {
    app ??= makeApp(options);
    app.then(
      (serve) => serve(incoming, response),
      (error: unknown) => {
        app = undefined;
        options.logger.error({ err: error }, 'the web pages could not be made');
        response.writeHead(500, { 'content-type': 'text/plain' }).end('Internal server error\n');
      },
    );
  };
}

async function makeApp(options: LazyWebOptions): Promise<Fallback> {
  const { config, logger, remoteOf, hasAccounts } = options;
  const [{ createWebApp }, { ensureWebClient, webRouter }] = await Promise.all([
    import('./http/web-app.ts'),
    import('./web/index.ts'),
  ]);
  const router = webRouter({
    pagesFolder: path.join(import.meta.dirname, 'web/pages'),
    clientFolder: config.web.client ? (builtClient() ?? (await ensureWebClient(PROJECT_FOLDER))) : undefined,
    facts: async (request) => {
      const { isLocal } = remoteOf(request);
      const { open_to } = config.registration;
      const isEmpty = !(await hasAccounts());
      return {
        serverName: config.server.name,
        version: VERSION,
        mayRegister: config.login.password && (open_to === 'everyone' || (open_to === 'local' && isLocal)),
        hasAccounts: !isEmpty,
        nextIsAdmin: options.firstLocalUserIsAdmin && isLocal && isEmpty,
      };
    },
  });
  return createWebApp({ trustedProxies: config.http.trusted_proxies, router, logger });
}

/** The client in dist/, where the build has put it. */
function builtClient(): string | undefined {
  const folder = path.join(import.meta.dirname, 'web/client');
  return existsSync(path.join(folder, 'assets')) ? folder : undefined;
}
