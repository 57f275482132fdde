/** Spec: data/api/client-server/key_backup.yaml */
import { z } from 'zod';
import type { BackupInfo, BackupSession, Devices } from '../devices/index.ts';
import { type Route, rawJson, route } from '../http/route.ts';
import { jsonObjectSchema } from '../http/schema.ts';
import { invalidParam } from '../protocol/errors.ts';
import { v3 } from './paths.ts';

/** Clients send some hundred keys at a time. */
const BODY_BYTES_MAX = 10 * 1024 * 1024;

const versionQuery = z.object({ version: z.string() });

const settingsBody = z.object({
  algorithm: z.string().min(1).max(255),
  auth_data: jsonObjectSchema,
  version: z.string().optional(),
});

const sessionSchema = z.looseObject({
  first_message_index: z.int().min(0),
  forwarded_count: z.int().min(0),
  is_verified: z.boolean(),
  session_data: jsonObjectSchema,
});
const roomSchema = z.object({ sessions: z.record(z.string(), sessionSchema) });

type SessionBody = z.output<typeof sessionSchema>;

/** Backups of room keys. */
export function keyBackupRoutes({ devices }: { readonly devices: Devices }): Route[] {
  const { backups } = devices;
  return [
    route({
      method: 'POST',
      path: v3('/room_keys/version'),
      operationId: 'postRoomKeysVersion',
      spec: 'client-server-api/#post_matrixclientv3room_keysversion',
      auth: 'user',
      allowSuspended: true,
      rateLimit: 'key_backup',
      body: settingsBody,
      handle: async ({ requester, body }) => ({
        version: await backups.create(requester.userId, { algorithm: body.algorithm, authData: body.auth_data }),
      }),
    }),
    route({
      method: 'GET',
      path: v3('/room_keys/version'),
      operationId: 'getRoomKeysVersionCurrent',
      spec: 'client-server-api/#get_matrixclientv3room_keysversion',
      auth: 'user',
      rateLimit: 'key_backup',
      handle: async ({ requester }) => infoJson(await backups.get(requester.userId)),
    }),
    route({
      method: 'GET',
      path: v3('/room_keys/version/{version}'),
      operationId: 'getRoomKeysVersion',
      spec: 'client-server-api/#get_matrixclientv3room_keysversionversion',
      auth: 'user',
      rateLimit: 'key_backup',
      handle: async ({ requester, params }) => infoJson(await backups.get(requester.userId, params.version)),
    }),
    route({
      method: 'PUT',
      path: v3('/room_keys/version/{version}'),
      operationId: 'putRoomKeysVersion',
      spec: 'client-server-api/#put_matrixclientv3room_keysversionversion',
      auth: 'user',
      rateLimit: 'key_backup',
      allowSuspended: true,
      body: settingsBody,
      handle: async ({ requester, params, body }) => {
        if (body.version !== undefined && body.version !== params.version) {
          throw invalidParam('The version in the body is not that in the path');
        }
        const settings = { algorithm: body.algorithm, authData: body.auth_data };
        await backups.update(requester.userId, params.version, settings);
        return {};
      },
    }),
    route({
      method: 'DELETE',
      path: v3('/room_keys/version/{version}'),
      operationId: 'deleteRoomKeysVersion',
      spec: 'client-server-api/#delete_matrixclientv3room_keysversionversion',
      auth: 'user',
      rateLimit: 'key_backup',
      allowSuspended: true,
      handle: async ({ requester, params }) => {
        await backups.delete(requester.userId, params.version);
        return {};
      },
    }),
    route({
      method: 'PUT',
      path: v3('/room_keys/keys'),
      operationId: 'putRoomKeys',
      spec: 'client-server-api/#put_matrixclientv3room_keyskeys',
      auth: 'user',
      rateLimit: 'key_backup',
      allowSuspended: true,
      bodyBytesMax: BODY_BYTES_MAX,
      query: versionQuery,
      body: z.object({ rooms: z.record(z.string(), roomSchema) }),
      handle: ({ requester, query, body }) => {
        const sessions = Object.entries(body.rooms).flatMap(([roomId, room]) => sessionsOf(roomId, room.sessions));
        return backups.put(requester.userId, query.version, sessions);
      },
    }),
    route({
      method: 'GET',
      path: v3('/room_keys/keys'),
      operationId: 'getRoomKeys',
      spec: 'client-server-api/#get_matrixclientv3room_keyskeys',
      auth: 'user',
      rateLimit: 'key_backup',
      query: versionQuery,
      handle: async ({ requester, query }) =>
        rawJson(`{"rooms":${await backups.all(requester.userId, query.version)}}`),
    }),
    route({
      method: 'DELETE',
      path: v3('/room_keys/keys'),
      operationId: 'deleteRoomKeys',
      spec: 'client-server-api/#delete_matrixclientv3room_keyskeys',
      auth: 'user',
      rateLimit: 'key_backup',
      allowSuspended: true,
      query: versionQuery,
      handle: ({ requester, query }) => backups.deleteSessions(requester.userId, query.version, {}),
    }),
    route({
      method: 'PUT',
      path: v3('/room_keys/keys/{roomId}'),
      operationId: 'putRoomKeysByRoomId',
      spec: 'client-server-api/#put_matrixclientv3room_keyskeysroomid',
      auth: 'user',
      rateLimit: 'key_backup',
      allowSuspended: true,
      bodyBytesMax: BODY_BYTES_MAX,
      query: versionQuery,
      body: roomSchema,
      handle: ({ requester, params, query, body }) =>
        backups.put(requester.userId, query.version, sessionsOf(params.roomId, body.sessions)),
    }),
    route({
      method: 'GET',
      path: v3('/room_keys/keys/{roomId}'),
      operationId: 'getRoomKeysByRoomId',
      spec: 'client-server-api/#get_matrixclientv3room_keyskeysroomid',
      auth: 'user',
      rateLimit: 'key_backup',
      query: versionQuery,
      handle: async ({ requester, params, query }) =>
        rawJson(`{"sessions":${await backups.ofRoom(requester.userId, query.version, params.roomId)}}`),
    }),
    route({
      method: 'DELETE',
      path: v3('/room_keys/keys/{roomId}'),
      operationId: 'deleteRoomKeysByRoomId',
      spec: 'client-server-api/#delete_matrixclientv3room_keyskeysroomid',
      auth: 'user',
      rateLimit: 'key_backup',
      allowSuspended: true,
      query: versionQuery,
      handle: ({ requester, params, query }) => backups.deleteSessions(requester.userId, query.version, params),
    }),
    route({
      method: 'PUT',
      path: v3('/room_keys/keys/{roomId}/{sessionId}'),
      operationId: 'putRoomKeyBySessionId',
      spec: 'client-server-api/#put_matrixclientv3room_keyskeysroomidsessionid',
      auth: 'user',
      rateLimit: 'key_backup',
      allowSuspended: true,
      query: versionQuery,
      body: sessionSchema,
      handle: ({ requester, params, query, body }) =>
        backups.put(requester.userId, query.version, sessionsOf(params.roomId, { [params.sessionId]: body })),
    }),
    route({
      method: 'GET',
      path: v3('/room_keys/keys/{roomId}/{sessionId}'),
      operationId: 'getRoomKeyBySessionId',
      spec: 'client-server-api/#get_matrixclientv3room_keyskeysroomidsessionid',
      auth: 'user',
      rateLimit: 'key_backup',
      query: versionQuery,
      handle: async ({ requester, params, query }) =>
        rawJson(await backups.one(requester.userId, query.version, params.roomId, params.sessionId)),
    }),
    route({
      method: 'DELETE',
      path: v3('/room_keys/keys/{roomId}/{sessionId}'),
      operationId: 'deleteRoomKeyBySessionId',
      spec: 'client-server-api/#delete_matrixclientv3room_keyskeysroomidsessionid',
      auth: 'user',
      rateLimit: 'key_backup',
      allowSuspended: true,
      query: versionQuery,
      handle: ({ requester, params, query }) => backups.deleteSessions(requester.userId, query.version, params),
    }),
  ];
}

function infoJson({ algorithm, authData, count, etag, version }: BackupInfo) {
  return { algorithm, auth_data: authData, count, etag, version };
}

function sessionsOf(roomId: string, sessions: Readonly<Record<string, SessionBody>>): readonly BackupSession[] {
  return Object.entries(sessions).map(([sessionId, session]) => ({
    roomId,
    sessionId,
    isVerified: session.is_verified,
    firstMessageIndex: session.first_message_index,
    forwardedCount: session.forwarded_count,
    json: JSON.stringify(session),
  }));
}
