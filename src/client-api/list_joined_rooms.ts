/** Spec: data/api/client-server/list_joined_rooms.yaml */
import { type Route, route } from '../http/route.ts';
import type { RoomReads } from '../rooms/index.ts';
import { v3 } from './paths.ts';

/** The rooms that one is in. */
export function listJoinedRoomsRoutes({ reads }: { readonly reads: RoomReads }): Route[] {
  return [
    route({
      method: 'GET',
      path: v3('/joined_rooms'),
      operationId: 'getJoinedRooms',
      spec: 'client-server-api/#get_matrixclientv3joined_rooms',
      auth: 'guest',
      handle: async ({ requester }) => ({ joined_rooms: await reads.joinedRooms(requester.userId) }),
    }),
  ];
}
