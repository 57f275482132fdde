/** Spec: data/api/client-server/voip.yaml */
import { createHmac } from 'node:crypto';
import type { Config } from '../config/index.ts';
import { type Route, route } from '../http/route.ts';
import { forbidden } from '../protocol/errors.ts';
import { v3 } from './paths.ts';

type CallsConfig = Pick<Config, 'calls'>;

/** Where clients get TURN, and where MatrixRTC's media go. */
export function voipRoutes({ config: { calls } }: { config: CallsConfig }): Route[] {
  const { turn, rtc_transports } = calls;
  return [
    route({
      method: 'GET',
      path: v3('/voip/turnServer'),
      operationId: 'getTurnServer',
      spec: 'client-server-api/#get_matrixclientv3voipturnserver',
      auth: 'guest',
      rateLimit: 'generic',
      handle: ({ requester: { userId, isGuest }, now }) => {
        if (turn.uris.length === 0) return {};
        if (isGuest && !turn.guests) throw forbidden('Guests may not use the TURN server');
        const ttl = Math.floor(turn.credentials_lifetime / 1000);
        const { shared_secret: secret, uris } = turn;
        if (secret !== undefined)
          return { ...turnCredentials(secret, userId, Math.floor(now / 1000) + ttl), uris, ttl };
        return { username: turn.username ?? '', password: turn.password ?? '', uris, ttl };
      },
    }),
    route({
      method: 'GET',
      path: ['/_matrix/client/v1/rtc/transports', '/_matrix/client/unstable/org.matrix.msc4143/rtc/transports'],
      operationId: 'getRtcTransports',
      spec: 'https://github.com/matrix-org/matrix-spec-proposals/pull/4143',
      auth: 'guest',
      handle: () => ({ rtc_transports }),
    }),
  ];
}

/**
 * Credentials that a TURN server with the same secret accepts until they expire: the TURN REST API, as coturn's
 * `use-auth-secret` has it. `expiresSec`: seconds since the epoch.
 */
export function turnCredentials(
  secret: string,
  userId: string,
  expiresSec: number,
): { readonly username: string; readonly password: string } {
  const username = `${expiresSec}:${userId}`;
  return { username, password: createHmac('sha1', secret).update(username).digest('base64') };
}
