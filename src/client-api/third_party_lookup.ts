/** Spec: data/api/client-server/third_party_lookup.yaml */
import { z } from 'zod';
import { type Route, rawJson, route } from '../http/route.ts';
import { notFound } from '../protocol/errors.ts';
import { v3 } from './paths.ts';

const protocolParams = z.object({ protocol: z.string().min(1) });

/** Other networks. There are none while no application service brings one. */
export function thirdPartyLookupRoutes(): Route[] {
  return [
    route({
      method: 'GET',
      path: v3('/thirdparty/protocols'),
      operationId: 'getProtocols',
      spec: 'client-server-api/#get_matrixclientv3thirdpartyprotocols',
      auth: 'user',
      handle: () => ({}),
    }),
    route({
      method: 'GET',
      path: v3('/thirdparty/protocol/{protocol}'),
      operationId: 'getProtocolMetadata',
      spec: 'client-server-api/#get_matrixclientv3thirdpartyprotocolprotocol',
      auth: 'user',
      params: protocolParams,
      handle: () => {
        throw notFound('Unknown protocol');
      },
    }),
    ...(['location', 'user'] as const).flatMap((what) => {
      const Name = what === 'location' ? 'Location' : 'User';
      return [
        route({
          method: 'GET',
          path: v3(`/thirdparty/${what}/{protocol}`),
          operationId: `query${Name}ByProtocol`,
          spec: `client-server-api/#get_matrixclientv3thirdparty${what}protocol`,
          auth: 'user',
          params: protocolParams,
          handle: () => rawJson('[]'),
        }),
        route({
          method: 'GET',
          path: v3(`/thirdparty/${what}`),
          operationId: what === 'location' ? 'queryLocationByAlias' : 'queryUserByID',
          spec: `client-server-api/#get_matrixclientv3thirdparty${what}`,
          auth: 'user',
          query: what === 'location' ? z.object({ alias: z.string() }) : z.object({ userid: z.string() }),
          handle: () => rawJson('[]'),
        }),
      ];
    }),
  ];
}
