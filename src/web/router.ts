import path from 'node:path';
import express, { type NextFunction, type Request, type Response, type Router } from 'express';
import { WEB_BASE_PATH } from './build.ts';
import { renderRegisterPage } from './register-page.ts';
import { type PageFacts, renderStartPage } from './start-page.ts';

/** What the web pages need of the rest of the server. */
export interface WebOptions {
  /** The folder of this project or package, in which `src/web` lies. */
  readonly pagesFolder: string;
  /** The finished bundle of the web client; undefined: the client is switched off. */
  readonly clientFolder: string | undefined;
  /** The facts for our pages, as they are for whoever asks. */
  readonly facts: (request: Request) => Promise<Omit<PageFacts, 'webClient'>>;
}

const YEAR_MS = 365 * 24 * 3600 * 1000;

/** Our own pages need nothing but themselves. */
const PAGES_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; " +
  "base-uri 'none'; frame-ancestors 'none'";

/** The script in the page of a frame through which Hydrogen has the browser save a file; see `download-sandbox.html` of its SDK. */
const SAVING_SCRIPT = 'sha256-WBXxGXLetOyzS6ThAYb2DFfGZqkW1OxfcQCCUtZQots=';

/**
 * The client talks to whichever homeserver a user names, shows media from there, runs libolm (WebAssembly), and sets
 * inline styles.
 */
const CLIENT_POLICY =
  `default-src 'none'; script-src 'self' 'wasm-unsafe-eval' '${SAVING_SCRIPT}'; ` +
  "style-src 'self' 'unsafe-inline'; font-src 'self'; " +
  "img-src 'self' https: data: blob:; media-src 'self' https: blob:; connect-src 'self' https: http://localhost:* data: blob:; " +
  "worker-src 'self'; frame-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'";

/**
 * The start page at `/`, the registration form at `/_web/register`, and the web client below `/_web/`. The bundle's assets
 * carry a hash in their names and are cached for good; the pages are asked for anew each time.
 */
export function webRouter({ pagesFolder, clientFolder, facts }: WebOptions): Router {
  const router = express.Router();
  const pages = withHeaders(PAGES_POLICY);

  const page = (render: (facts: PageFacts) => string) => async (request: Request, response: Response) => {
    const html = render({ ...(await facts(request)), webClient: clientFolder !== undefined });
    response.set('cache-control', 'no-store').type('html').send(html);
  };
  router.get('/', pages, page(renderStartPage));
  router.get(`${WEB_BASE_PATH}register`, pages, page(renderRegisterPage));
  router.use(`${WEB_BASE_PATH}pages`, pages, express.static(pagesFolder, { index: false, maxAge: 0 }));
  if (clientFolder !== undefined) {
    const client = withHeaders(CLIENT_POLICY);
    const assets = express.static(path.join(clientFolder, 'assets'), {
      index: false,
      immutable: true,
      maxAge: YEAR_MS,
    });
    router.use(`${WEB_BASE_PATH}assets`, client, assets);
    router.use(WEB_BASE_PATH, client, express.static(clientFolder, { maxAge: 0 }));
  }
  return router;
}

function withHeaders(policy: string) {
  return (_request: Request, response: Response, next: NextFunction): void => {
    response.set({
      'content-security-policy': policy,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
    });
    next();
  };
}
