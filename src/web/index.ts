export { ensureWebClient } from './build.ts';
export { type WebOptions, webRouter } from './router.ts';
