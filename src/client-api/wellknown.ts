/** Spec: data/api/client-server/wellknown.yaml and data/api/server-server/wellknown.yaml */
import type { Config } from '../config/index.ts';
import { type Route, route } from '../http/route.ts';
import { notFound } from '../protocol/errors.ts';
import type { JsonObject } from '../protocol/json/index.ts';

/** What of the configuration is told to clients. */
export type ClientDiscovery = Pick<Config, 'server' | 'well_known'>;

/** What clients are told of the way here; undefined where nothing is configured. Spec: client-server-api/#getwell-knownmatrixclient */
export function clientWellKnown({ server, well_known }: ClientDiscovery): JsonObject | undefined {
  if (server.public_url === undefined) return undefined;
  const base_url = server.public_url.replace(/\/+$/, '');
  return { 'm.homeserver': { base_url }, ...well_known.client };
}

/** By which clients and servers find the way here. */
export function wellknownRoutes({ config }: { config: ClientDiscovery }): Route[] {
  const client = clientWellKnown(config);
  const { server } = config.well_known;
  return [
    route({
      method: 'GET',
      path: '/.well-known/matrix/client',
      operationId: 'getWellknown',
      spec: 'client-server-api/#getwell-knownmatrixclient',
      auth: 'none',
      handle: () => {
        if (client === undefined) throw notFound('No public address is configured');
        return client;
      },
    }),
    route({
      method: 'GET',
      path: '/.well-known/matrix/server',
      operationId: 'getWellKnown',
      spec: 'server-server-api/#getwell-knownmatrixserver',
      auth: 'none',
      handle: () => {
        if (server === undefined) throw notFound('No address for other servers is configured');
        return { 'm.server': server };
      },
    }),
  ];
}
