/** The page that ends mails about missed messages, and what mail programs send in its place (RFC 8058). */
import { z } from 'zod';
import type { Config } from '../config/index.ts';
import { UNSUBSCRIBE_PATH, type UnsubscribeLinks } from '../delivery/index.ts';
import { languageOf, outcomePage, unsubscribePage } from '../email/index.ts';
import { type Route, reply, route } from '../http/route.ts';
import { queryInteger } from '../http/schema.ts';
import { PAGE_HEADERS } from './email-page.ts';

const query = z.object({ pusher: queryInteger(), token: z.string() });
const spec = 'inglenook';

/** Ends mails by a link, without a log-in. */
export function emailUnsubscribeRoutes({
  unsubscribeLinks,
  config,
}: {
  readonly unsubscribeLinks: UnsubscribeLinks;
  readonly config: Config;
}): Route[] {
  const appName = config.email.app_name;
  return [
    route({
      method: 'GET',
      path: UNSUBSCRIBE_PATH,
      operationId: 'showEmailUnsubscription',
      spec,
      auth: 'none',
      query,
      handle: ({ headers }) =>
        reply({ headers: PAGE_HEADERS, body: unsubscribePage(languageOf(headers['accept-language']), appName) }),
    }),
    route({
      method: 'POST',
      path: UNSUBSCRIBE_PATH,
      operationId: 'unsubscribeEmail',
      spec,
      auth: 'none',
      rateLimit: 'generic',
      query,
      handle: async ({ headers, query: { pusher, token } }) => {
        const isDone = await unsubscribeLinks.follow(pusher, token);
        const language = languageOf(headers['accept-language']);
        const body = outcomePage(language, appName, isDone ? 'stopped' : 'failed');
        return reply({ status: isDone ? 200 : 403, headers: PAGE_HEADERS, body });
      },
    }),
  ];
}
