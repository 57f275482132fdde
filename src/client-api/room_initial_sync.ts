/** Spec: data/api/client-server/room_initial_sync.yaml */
import { z } from 'zod';
import type { Accounts } from '../accounts/index.ts';
import { type Route, route } from '../http/route.ts';
import { queryLimit, roomIdSchema } from '../http/schema.ts';
import type { RoomId } from '../protocol/ids/index.ts';
import type { Rooms, Viewer } from '../rooms/index.ts';
import { v3 } from './paths.ts';

const LIMIT_DEFAULT = 20;
const LIMIT_MAX = 100;

/** A room at one stroke: its latest messages, its state, and what the user keeps about it. */
export function roomInitialSyncRoutes(parts: { readonly rooms: Rooms; readonly accounts: Accounts }): Route[] {
  return [
    route({
      method: 'GET',
      path: v3('/rooms/{roomId}/initialSync'),
      operationId: 'roomInitialSync',
      spec: 'client-server-api/#get_matrixclientv3roomsroomidinitialsync',
      auth: 'guest',
      params: z.object({ roomId: roomIdSchema }),
      query: z.object({ limit: queryLimit({ max: LIMIT_MAX }).optional() }),
      handle: ({ requester, params: { roomId }, query }) =>
        roomInfo(parts, roomId, requester, query.limit ?? LIMIT_DEFAULT),
    }),
  ];
}

/** A room as the old endpoints describe it. @throws M_FORBIDDEN for those who may not read it */
export async function roomInfo(
  { rooms, accounts }: { readonly rooms: Rooms; readonly accounts: Accounts },
  roomId: RoomId,
  viewer: Viewer,
  limit: number,
): Promise<object> {
  const page = { roomId, viewer, dir: 'b', from: undefined, to: undefined, limit, filter: undefined } as const;
  const timeline: { start: string; end?: string; chunk: unknown[] } = JSON.parse(await rooms.reads.timeline(page));
  const state: unknown = JSON.parse(await rooms.reads.state({ roomId, viewer }));
  const accountData = await accounts.accountData.changedBetween(viewer.userId, 0, Number.MAX_SAFE_INTEGER);
  const own = accountData.filter((item) => item.roomId === roomId);
  const membership = (await rooms.snapshot(roomId))?.membershipOf(viewer.userId);
  return {
    room_id: roomId,
    ...(membership === undefined ? {} : { membership }),
    messages: {
      ...(timeline.end === undefined ? {} : { start: timeline.end }),
      end: timeline.start,
      chunk: timeline.chunk.reverse(),
    },
    state,
    visibility: (await rooms.aliases.isPublic(roomId)) ? 'public' : 'private',
    account_data: own.map(({ type, content }) => ({ type, content: JSON.parse(content) })),
  };
}
