/** Spec: data/api/client-server/room_summary.yaml, and the unstable paths of MSC3266 */
import { z } from 'zod';
import { type Route, route } from '../http/route.ts';
import { queryStrings } from '../http/schema.ts';
import { parseServerName, type RoomAlias, type RoomId, type UserId } from '../protocol/ids/index.ts';
import type { Rooms } from '../rooms/index.ts';
import { roomIdOrAliasSchema } from './room-schemas.ts';

const params = z.object({ roomIdOrAlias: roomIdOrAliasSchema });
const query = z.object({ via: queryStrings() });
const VIA_MAX = 10;

/** Rooms in short, for those who think about joining. */
export function roomSummaryRoutes({ rooms }: { readonly rooms: Rooms }): Route[] {
  return [
    route({
      method: 'GET',
      path: '/_matrix/client/v1/room_summary/{roomIdOrAlias}',
      operationId: 'getRoomSummary',
      spec: 'client-server-api/#get_matrixclientv1room_summaryroomidoralias',
      auth: 'optional',
      rateLimit: 'generic',
      params,
      query,
      handle: ({ requester, params: { roomIdOrAlias }, query: { via } }) =>
        summaryOf(rooms, roomIdOrAlias, via, requester?.userId),
    }),
    route({
      method: 'GET',
      path: [
        '/_matrix/client/unstable/im.nheko.summary/summary/{roomIdOrAlias}',
        '/_matrix/client/unstable/im.nheko.summary/rooms/{roomIdOrAlias}/summary',
      ],
      operationId: 'getRoomSummaryUnstable',
      spec: 'client-server-api/#get_matrixclientv1room_summaryroomidoralias',
      auth: 'optional',
      rateLimit: 'generic',
      params,
      query,
      handle: async ({ requester, params: { roomIdOrAlias }, query: { via } }) => {
        const summary = await summaryOf(rooms, roomIdOrAlias, via, requester?.userId);
        const { room_version: version, encryption } = summary;
        return {
          ...summary,
          'im.nheko.summary.room_version': version,
          'im.nheko.summary.version': version,
          ...(encryption !== undefined && { 'im.nheko.summary.encryption': encryption }),
        };
      },
    }),
  ];
}

async function summaryOf(
  rooms: Rooms,
  named: RoomId | RoomAlias,
  via: readonly string[],
  userId: UserId | undefined,
): Promise<Awaited<ReturnType<Rooms['reads']['summary']>>> {
  const asked = via
    .slice(0, VIA_MAX)
    .map(parseServerName)
    .filter((name) => name !== undefined);
  if (!isAlias(named)) return rooms.reads.summary({ roomId: named, via: asked, userId });
  const { roomId, servers } = await rooms.aliases.resolve(named);
  return rooms.reads.summary({ roomId, via: [...asked, ...servers], userId });
}

function isAlias(named: RoomId | RoomAlias): named is RoomAlias {
  return named.startsWith('#');
}
