/** Spec: data/api/server-server/query.yaml */
import { z } from 'zod';
import { type Accounts, fieldOf, profileToJson } from '../accounts/index.ts';
import { type Route, route } from '../http/route.ts';
import { roomAliasSchema, userIdSchema } from '../http/schema.ts';
import { forbidden, invalidParam, notFound } from '../protocol/errors.ts';
import { type ServerName, serverNameOf, type UserId } from '../protocol/ids/index.ts';
import type { Rooms } from '../rooms/index.ts';
import { V1 } from './paths.ts';

/** Whether a server may look up the profile of a user of ours. */
export type ProfilePolicy = (origin: ServerName, userId: UserId) => Promise<boolean>;

/** Answers about our aliases and our users. */
export function queryRoutes({
  rooms,
  accounts,
  mayLookUp,
}: {
  readonly rooms: Rooms;
  readonly accounts: Accounts;
  readonly mayLookUp: ProfilePolicy;
}): Route[] {
  return [
    route({
      method: 'GET',
      path: `${V1}/query/directory`,
      operationId: 'queryRoomDirectory',
      spec: 'server-server-api/#get_matrixfederationv1querydirectory',
      auth: 'federation',
      query: z.object({ room_alias: roomAliasSchema }),
      handle: async ({ query: { room_alias: alias } }) => {
        if (serverNameOf(alias) !== accounts.serverName) throw invalidParam('The alias is not of this server');
        const { roomId, servers } = await rooms.aliases.resolveOurs(alias);
        return { room_id: roomId, servers };
      },
    }),
    route({
      method: 'GET',
      path: `${V1}/query/profile`,
      operationId: 'queryProfile',
      spec: 'server-server-api/#get_matrixfederationv1queryprofile',
      auth: 'federation',
      query: z.object({ user_id: userIdSchema, field: z.string().optional() }),
      handle: async ({ requester: { origin }, query: { user_id: userId, field } }) => {
        if (!accounts.isLocal(userId)) throw invalidParam('The user is not of this server');
        if (!(await mayLookUp(origin, userId))) throw forbidden('Your server may not look up this profile');
        const profile = await accounts.getProfile(userId);
        if (profile === undefined) throw notFound('There is no such user');
        if (field === undefined) return profileToJson(profile);
        const value = fieldOf(profile, field);
        return value === undefined ? {} : { [field]: value };
      },
    }),
  ];
}
