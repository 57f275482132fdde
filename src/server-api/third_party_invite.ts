/** Spec: data/api/server-server/third_party_invite.yaml */
import { z } from 'zod';
import { type Route, route } from '../http/route.ts';
import { jsonObjectSchema, roomIdSchema, userIdSchema } from '../http/schema.ts';
import type { Identity } from '../identity/index.ts';
import { invalidParam } from '../protocol/errors.ts';
import type { UserId } from '../protocol/ids/index.ts';
import { V1 } from './paths.ts';

const INVITES_MAX = 50;

/** Invites by e-mail, once somebody proves to own the address. */
export function thirdPartyInviteRoutes({
  identity: { thirdParties },
  isLocal,
}: {
  readonly identity: Identity;
  readonly isLocal: (userId: UserId) => boolean;
}): Route[] {
  return [
    route({
      method: 'PUT',
      path: `${V1}/exchange_third_party_invite/{roomId}`,
      operationId: 'exchangeThirdPartyInvite',
      spec: 'server-server-api/#put_matrixfederationv1exchange_third_party_inviteroomid',
      auth: 'federation',
      params: z.object({ roomId: roomIdSchema }),
      body: jsonObjectSchema,
      handle: async ({ requester: { origin }, params: { roomId }, body }) => {
        await thirdParties.exchange(origin, roomId, body);
        return {};
      },
    }),
    route({
      method: 'PUT',
      path: `${V1}/3pid/onbind`,
      operationId: 'onBindThirdPartyIdentifier',
      spec: 'server-server-api/#put_matrixfederationv13pidonbind',
      // Identity servers aren't homeservers: what they say is proved by the signatures in the invites.
      auth: 'none',
      // Each invite may lead to a request to another server.
      rateLimit: 'third_party_bind',
      body: z.object({
        medium: z.string(),
        address: z.string(),
        mxid: userIdSchema,
        invites: z.array(jsonObjectSchema).max(INVITES_MAX),
      }),
      handle: async ({ body: { mxid, invites } }) => {
        if (!isLocal(mxid)) throw invalidParam('mxid is not of this server');
        await thirdParties.bound(mxid, invites);
        return {};
      },
    }),
  ];
}
