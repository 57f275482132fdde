/** Spec: data/api/client-server/whoami.yaml */
import { type Route, route } from '../http/route.ts';
import { v3 } from './paths.ts';

/** Whose token it is. */
export function whoamiRoutes(): Route[] {
  return [
    route({
      method: 'GET',
      path: v3('/account/whoami'),
      operationId: 'getTokenOwner',
      spec: 'client-server-api/#get_matrixclientv3accountwhoami',
      auth: 'guest',
      rateLimit: 'generic',
      handle: ({ requester: { userId, deviceId, isGuest } }) => ({
        user_id: userId,
        ...(deviceId === undefined ? {} : { device_id: deviceId }),
        is_guest: isGuest,
      }),
    }),
  ];
}
