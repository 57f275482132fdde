/** Spec: data/api/server-server/version.yaml */
import { type Route, route } from '../http/route.ts';
import { VERSION } from '../version.ts';

/** What software this is. */
export function versionRoutes(): Route[] {
  return [
    route({
      method: 'GET',
      path: '/_matrix/federation/v1/version',
      operationId: 'getVersion',
      spec: 'server-server-api/#get_matrixfederationv1version',
      auth: 'none',
      handle: () => ({ server: { name: 'Inglenook', version: VERSION } }),
    }),
  ];
}
