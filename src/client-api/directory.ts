/** Spec: data/api/client-server/directory.yaml, and the visibility of data/api/client-server/list_public_rooms.yaml */
import { z } from 'zod';
import { type Route, route } from '../http/route.ts';
import { roomAliasSchema, roomIdSchema } from '../http/schema.ts';
import type { Rooms } from '../rooms/index.ts';
import { v3 } from './paths.ts';

const aliasParams = z.object({ roomAlias: roomAliasSchema });
const roomParams = z.object({ roomId: roomIdSchema });

/** Room aliases. */
export function directoryRoutes({ rooms: { aliases } }: { readonly rooms: Rooms }): Route[] {
  return [
    route({
      method: 'PUT',
      path: v3('/directory/room/{roomAlias}'),
      operationId: 'setRoomAlias',
      spec: 'client-server-api/#put_matrixclientv3directoryroomroomalias',
      auth: 'user',
      params: aliasParams,
      body: z.object({ room_id: roomIdSchema }),
      handle: async ({ requester, params: { roomAlias }, body: { room_id: roomId } }) => {
        await aliases.set(roomAlias, roomId, requester.userId);
        return {};
      },
    }),
    route({
      method: 'GET',
      path: v3('/directory/room/{roomAlias}'),
      operationId: 'getRoomIdByAlias',
      spec: 'client-server-api/#get_matrixclientv3directoryroomroomalias',
      auth: 'none',
      params: aliasParams,
      handle: async ({ params: { roomAlias } }) => {
        const { roomId, servers } = await aliases.resolve(roomAlias);
        return { room_id: roomId, servers };
      },
    }),
    route({
      method: 'DELETE',
      path: v3('/directory/room/{roomAlias}'),
      operationId: 'deleteRoomAlias',
      spec: 'client-server-api/#delete_matrixclientv3directoryroomroomalias',
      auth: 'user',
      params: aliasParams,
      handle: async ({ requester, params: { roomAlias } }) => {
        await aliases.delete(roomAlias, requester);
        return {};
      },
    }),
    route({
      method: 'GET',
      path: [...v3('/rooms/{roomId}/aliases'), '/_matrix/client/unstable/org.matrix.msc2432/rooms/{roomId}/aliases'],
      operationId: 'getLocalAliases',
      spec: 'client-server-api/#get_matrixclientv3roomsroomidaliases',
      auth: 'user',
      rateLimit: 'generic',
      params: roomParams,
      handle: async ({ requester, params: { roomId } }) => ({
        aliases: await aliases.list(roomId, requester.userId),
      }),
    }),
    ...visibilityRoutes(aliases),
  ];
}

function visibilityRoutes(aliases: Rooms['aliases']): Route[] {
  return [
    route({
      method: 'GET',
      path: v3('/directory/list/room/{roomId}'),
      operationId: 'getRoomVisibilityOnDirectory',
      spec: 'client-server-api/#get_matrixclientv3directorylistroomroomid',
      auth: 'none',
      params: roomParams,
      handle: async ({ params: { roomId } }) => ({
        visibility: (await aliases.isPublic(roomId)) ? 'public' : 'private',
      }),
    }),
    route({
      method: 'PUT',
      path: v3('/directory/list/room/{roomId}'),
      operationId: 'setRoomVisibilityOnDirectory',
      spec: 'client-server-api/#put_matrixclientv3directorylistroomroomid',
      auth: 'user',
      params: roomParams,
      body: z.object({ visibility: z.enum(['public', 'private']).default('public') }),
      handle: async ({ requester, params: { roomId }, body: { visibility } }) => {
        await aliases.setPublic(roomId, visibility === 'public', requester);
        return {};
      },
    }),
  ];
}
