/** Spec: data/api/client-server/report_content.yaml */
import { z } from 'zod';
import type { Accounts } from '../accounts/index.ts';
import { type Route, route } from '../http/route.ts';
import { eventIdSchema, roomIdSchema, userIdSchema } from '../http/schema.ts';
import type { Reports } from '../moderation/index.ts';
import { v3 } from './paths.ts';

/** Reporting events, rooms and users to the administrators. */
export function reportContentRoutes({ reports, accounts }: { reports: Reports; accounts: Accounts }): Route[] {
  return [
    route({
      method: 'POST',
      path: [
        '/_matrix/client/v3/rooms/{roomId}/report',
        '/_matrix/client/unstable/org.matrix.msc4151/rooms/{roomId}/report',
      ],
      operationId: 'reportRoom',
      spec: 'client-server-api/#post_matrixclientv3roomsroomidreport',
      auth: 'user',
      allowSuspended: true,
      rateLimit: 'report',
      params: z.object({ roomId: roomIdSchema }),
      body: z.object({ reason: z.string() }),
      handle: async ({ requester: { userId }, params: { roomId }, body: { reason } }) => {
        await reports.reportRoom(roomId, { reporter: userId, reason });
        return {};
      },
    }),
    route({
      method: 'POST',
      path: v3('/rooms/{roomId}/report/{eventId}'),
      operationId: 'reportEvent',
      spec: 'client-server-api/#post_matrixclientv3roomsroomidreporteventid',
      auth: 'user',
      allowSuspended: true,
      rateLimit: 'report',
      params: z.object({ roomId: roomIdSchema, eventId: eventIdSchema }),
      body: z.object({ reason: z.string().optional(), score: z.int().optional() }),
      handle: async ({ requester: { userId }, params: { roomId, eventId }, body }) => {
        await reports.reportEvent(roomId, eventId, { reporter: userId, reason: body.reason ?? '', score: body.score });
        return {};
      },
    }),
    route({
      method: 'POST',
      path: [
        '/_matrix/client/v3/users/{userId}/report',
        '/_matrix/client/unstable/org.matrix.msc4260/users/{userId}/report',
      ],
      operationId: 'reportUser',
      spec: 'client-server-api/#post_matrixclientv3usersuseridreport',
      auth: 'user',
      allowSuspended: true,
      rateLimit: 'report',
      params: z.object({ userId: userIdSchema }),
      body: z.object({ reason: z.string() }),
      handle: async ({ requester, params: { userId }, body: { reason } }) => {
        // The answer doesn't tell who has an account here.
        const isKnown = !accounts.isLocal(userId) || (await accounts.users.find(userId)) !== undefined;
        if (isKnown) await reports.reportUser(userId, { reporter: requester.userId, reason });
        return {};
      },
    }),
  ];
}
