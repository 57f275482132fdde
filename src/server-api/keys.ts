/** Spec: data/api/server-server/keys_server.yaml, data/api/server-server/keys_query.yaml */
import { z } from 'zod';
import type { Federation } from '../federation/index.ts';
import { type Route, route } from '../http/route.ts';
import { queryInteger, serverNameSchema } from '../http/schema.ts';
import { parseServerName, type ServerName } from '../protocol/ids/index.ts';
import type { JsonObject } from '../protocol/json/index.ts';

const SERVERS_MAX = 100;

/** Our keys, and as a notary those of others. */
export function keysServerRoutes({ federation }: { readonly federation: Federation }): Route[] {
  const { ownKeys, keyRing, policy } = federation;
  async function keyObjects(wanted: Iterable<readonly [ServerName, number]>): Promise<readonly JsonObject[]> {
    const found = await Promise.all(
      [...wanted].map(([server, minimumTs]) =>
        policy.isAllowed(server) ? keyRing.keyObject(server, minimumTs) : undefined,
      ),
    );
    return found.flatMap((object) => (object === undefined ? [] : [ownKeys.countersign(object)]));
  }

  return [
    route({
      method: 'GET',
      // Older servers name the key that they want; the answer is the same.
      path: ['/_matrix/key/v2/server', '/_matrix/key/v2/server/{keyId}'],
      operationId: 'getServerKey',
      spec: 'server-server-api/#get_matrixkeyv2server',
      auth: 'none',
      handle: () => ownKeys.publish(),
    }),
    route({
      method: 'GET',
      path: '/_matrix/key/v2/query/{serverName}',
      operationId: 'perspectivesKeyQuery',
      spec: 'server-server-api/#get_matrixkeyv2queryservername',
      auth: 'none',
      rateLimit: 'generic',
      params: z.object({ serverName: serverNameSchema }),
      query: z.object({ minimum_valid_until_ts: queryInteger().optional() }),
      handle: async ({ params: { serverName }, query, now }) => {
        return { server_keys: await keyObjects([[serverName, query.minimum_valid_until_ts ?? now]]) };
      },
    }),
    route({
      method: 'POST',
      path: '/_matrix/key/v2/query',
      operationId: 'bulkPerspectivesKeyQuery',
      spec: 'server-server-api/#post_matrixkeyv2query',
      auth: 'none',
      rateLimit: 'generic',
      body: z.object({
        server_keys: z.record(
          z.string(),
          z.record(z.string(), z.object({ minimum_valid_until_ts: z.int().min(0).optional() })),
        ),
      }),
      handle: async ({ body, now }) => {
        const wanted = new Map<ServerName, number>();
        for (const [name, keys] of Object.entries(body.server_keys).slice(0, SERVERS_MAX)) {
          const server = parseServerName(name);
          const times = Object.values(keys).map((key) => key.minimum_valid_until_ts ?? now);
          if (server !== undefined) wanted.set(server, times.length === 0 ? now : Math.max(...times));
        }
        return { server_keys: await keyObjects(wanted) };
      },
    }),
  ];
}
