/** Spec: data/api/client-server/profile.yaml */
import { z } from 'zod';
import { type Accounts, fieldOf, type Profile, profileToJson } from '../accounts/index.ts';
import type { RemoteLookups } from '../federation/index.ts';
import { type Requester, type Route, route } from '../http/route.ts';
import { jsonObjectSchema, userIdSchema } from '../http/schema.ts';
import { MatrixError, missingParam, notFound } from '../protocol/errors.ts';
import type { UserId } from '../protocol/ids/index.ts';
import { readValue } from '../protocol/json/index.ts';
import { assertOwn } from './own-account.ts';

const params = z.object({ userId: userIdSchema, keyName: z.string().min(1) });
const FIELD_PATHS = [
  '/_matrix/client/v3/profile/{userId}/{keyName}',
  '/_matrix/client/r0/profile/{userId}/{keyName}',
  '/_matrix/client/unstable/uk.tcpip.msc4133/profile/{userId}/{keyName}',
] as const;

/** A little more than a profile may be, for the JSON around it and its escapes. */
const BODY_BYTES_MAX = 512 * 1024;

/** Profiles: who somebody says they are. */
export function profileRoutes({
  accounts,
  federation,
}: {
  readonly accounts: Accounts;
  readonly federation: { readonly lookups: RemoteLookups } | undefined;
}): Route[] {
  async function getProfile(userId: UserId): Promise<Profile> {
    const profile = accounts.isLocal(userId) ? await accounts.getProfile(userId) : undefined;
    if (profile === undefined) throw notFound('No such user');
    return profile;
  }

  return [
    route({
      method: 'GET',
      path: ['/_matrix/client/v3/profile/{userId}', '/_matrix/client/r0/profile/{userId}'],
      operationId: 'getUserProfile',
      spec: 'client-server-api/#get_matrixclientv3profileuserid',
      auth: 'none',
      params: z.object({ userId: userIdSchema }),
      handle: async ({ params: { userId } }) => {
        if (federation !== undefined && !accounts.isLocal(userId)) return federation.lookups.profile(userId);
        return profileToJson(await getProfile(userId));
      },
    }),
    route({
      method: 'GET',
      path: FIELD_PATHS,
      operationId: 'getProfileField',
      spec: 'client-server-api/#get_matrixclientv3profileuseridkeyname',
      auth: 'none',
      params,
      handle: async ({ params: { userId, keyName } }) => {
        const isRemote = federation !== undefined && !accounts.isLocal(userId);
        const value = isRemote
          ? readValue(await federation.lookups.profile(userId), keyName)
          : fieldOf(await getProfile(userId), keyName);
        if (value === undefined) throw notFound('The profile has no such field');
        return { [keyName]: value };
      },
    }),
    route({
      method: 'PUT',
      path: FIELD_PATHS,
      operationId: 'setProfileField',
      spec: 'client-server-api/#put_matrixclientv3profileuseridkeyname',
      auth: 'guest',
      rateLimit: 'profile',
      params,
      body: jsonObjectSchema,
      bodyBytesMax: BODY_BYTES_MAX,
      handle: async ({ requester, params: { userId, keyName }, body }) => {
        assertOwn(requester, userId);
        assertMayChange(requester, keyName);
        const value = readValue(body, keyName);
        if (value === undefined) throw missingParam('Missing key: the one that the path names');
        await accounts.profiles.set(userId, keyName, value);
        return {};
      },
    }),
    route({
      method: 'DELETE',
      path: FIELD_PATHS,
      operationId: 'deleteProfileField',
      spec: 'client-server-api/#delete_matrixclientv3profileuseridkeyname',
      auth: 'guest',
      rateLimit: 'profile',
      params,
      handle: async ({ requester, params: { userId, keyName } }) => {
        assertOwn(requester, userId);
        assertMayChange(requester, keyName);
        await accounts.profiles.delete(userId, keyName);
        return {};
      },
    }),
  ];
}

/** Guests have nothing but a name. Spec: client-server-api/#guest-access */
function assertMayChange({ isGuest }: Requester, keyName: string): void {
  if (isGuest && keyName !== 'displayname') {
    throw new MatrixError('M_GUEST_ACCESS_FORBIDDEN', 'Guests may change nothing but their display name');
  }
}
