/** Spec: data/api/client-server/policy_server.yaml */
import type { Config } from '../config/index.ts';
import { type Route, route } from '../http/route.ts';
import { notFound } from '../protocol/errors.ts';

/** The key of the policy server that runs under our name, for whoever wants it to protect a room. */
export function policyServerRoutes({ config }: { config: Pick<Config, 'well_known'> }): Route[] {
  const { policy_server_key: ed25519 } = config.well_known;
  return [
    route({
      method: 'GET',
      path: '/.well-known/matrix/policy_server',
      operationId: 'getWellknownPolicy',
      spec: 'client-server-api/#getwell-knownmatrixpolicy_server',
      auth: 'none',
      handle: () => {
        if (ed25519 === undefined) throw notFound('No policy server is configured');
        return { public_keys: { ed25519 } };
      },
    }),
  ];
}
