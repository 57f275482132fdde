/** Spec: data/api/client-server/rooms.yaml */
import { z } from 'zod';
import { type Route, rawJson, route } from '../http/route.ts';
import { eventIdSchema, roomIdSchema } from '../http/schema.ts';
import type { RoomReads } from '../rooms/index.ts';
import { v3 } from './paths.ts';

const inRoom = z.object({ roomId: roomIdSchema });
const membership = z.enum(['join', 'invite', 'knock', 'leave', 'ban']);

/** Single events, states and members of rooms. */
export function roomsRoutes({ reads }: { readonly reads: RoomReads }): Route[] {
  return [
    route({
      method: 'GET',
      path: v3('/rooms/{roomId}/event/{eventId}'),
      operationId: 'getOneRoomEvent',
      spec: 'client-server-api/#get_matrixclientv3roomsroomideventeventid',
      auth: 'guest',
      params: inRoom.extend({ eventId: eventIdSchema }),
      handle: async ({ requester, params }) => rawJson(await reads.event({ ...params, viewer: requester })),
    }),
    ...stateRoutes(reads),
    ...memberRoutes(reads),
  ];
}

function stateRoutes(reads: RoomReads): Route[] {
  return [
    route({
      method: 'GET',
      path: [
        '/_matrix/client/v3/rooms/{roomId}/state/{eventType}',
        '/_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}',
        '/_matrix/client/r0/rooms/{roomId}/state/{eventType}',
        '/_matrix/client/r0/rooms/{roomId}/state/{eventType}/{stateKey}',
      ],
      operationId: 'getRoomStateWithKey',
      spec: 'client-server-api/#get_matrixclientv3roomsroomidstateeventtypestatekey',
      auth: 'guest',
      params: inRoom.extend({ eventType: z.string(), stateKey: z.string().optional() }),
      query: z.object({ format: z.enum(['content', 'event']).optional() }),
      handle: async ({ requester, params: { roomId, eventType, stateKey }, query }) =>
        rawJson(
          await reads.stateEvent({
            roomId,
            viewer: requester,
            type: eventType,
            stateKey: stateKey ?? '',
            format: query.format ?? 'content',
          }),
        ),
    }),
    route({
      method: 'GET',
      path: v3('/rooms/{roomId}/state'),
      operationId: 'getRoomState',
      spec: 'client-server-api/#get_matrixclientv3roomsroomidstate',
      auth: 'guest',
      params: inRoom,
      handle: async ({ requester, params: { roomId } }) => rawJson(await reads.state({ roomId, viewer: requester })),
    }),
  ];
}

function memberRoutes(reads: RoomReads): Route[] {
  return [
    route({
      method: 'GET',
      path: v3('/rooms/{roomId}/members'),
      operationId: 'getMembersByRoom',
      spec: 'client-server-api/#get_matrixclientv3roomsroomidmembers',
      auth: 'guest',
      params: inRoom,
      query: z.object({
        at: z.string().optional(),
        membership: membership.optional(),
        not_membership: membership.optional(),
      }),
      handle: async ({ requester, params: { roomId }, query }) =>
        rawJson(
          await reads.members({
            roomId,
            viewer: requester,
            at: query.at,
            membership: query.membership,
            notMembership: query.not_membership,
          }),
        ),
    }),
    route({
      method: 'GET',
      path: v3('/rooms/{roomId}/joined_members'),
      operationId: 'getJoinedMembersByRoom',
      spec: 'client-server-api/#get_matrixclientv3roomsroomidjoined_members',
      auth: 'user',
      params: inRoom,
      handle: async ({ requester: { userId }, params: { roomId } }) =>
        rawJson(await reads.joinedMembers({ roomId, userId })),
    }),
  ];
}
