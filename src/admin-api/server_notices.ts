/** What administrators have the server say to a user. */
import { z } from 'zod';
import { type Route, route } from '../http/route.ts';
import { jsonObjectSchema, userIdSchema } from '../http/schema.ts';
import type { ServerNotices } from '../moderation/index.ts';

const PATH = '/_synapse/admin/v1/send_server_notice';
const SPEC = 'https://element-hq.github.io/synapse/latest/admin_api/server_notices.html';

const body = z.object({
  user_id: userIdSchema,
  content: jsonObjectSchema,
  type: z.string().min(1).optional(),
  state_key: z.string().optional(),
});

/** Sends server notices, as in Synapse's admin API. */
export function adminServerNoticesRoutes({ serverNotices }: { serverNotices: ServerNotices }): Route[] {
  return [
    route({
      method: 'POST',
      path: PATH,
      operationId: 'adminSendServerNotice',
      spec: SPEC,
      auth: 'admin',
      body,
      handle: async ({ body: { user_id: userId, content, type, state_key: stateKey } }) => ({
        event_id: await serverNotices.send({ userId, content, type, stateKey }),
      }),
    }),
    route({
      method: 'PUT',
      path: `${PATH}/{txnId}`,
      operationId: 'adminSendServerNoticeOnce',
      spec: SPEC,
      auth: 'admin',
      body,
      handle: async ({
        requester,
        params: { txnId },
        body: { user_id: userId, content, type, state_key: stateKey },
      }) => {
        const transaction = { userId: requester.userId, txnId };
        return { event_id: await serverNotices.send({ userId, content, type, stateKey, transaction }) };
      },
    }),
  ];
}
