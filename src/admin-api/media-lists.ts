/** Lists of files, as in Synapse's admin API. */
import { z } from 'zod';
import { mediaParams } from '../client-api/media-paths.ts';
import { type Route, route } from '../http/route.ts';
import { queryInteger, queryLimit, roomIdSchema, userIdSchema } from '../http/schema.ts';
import { MEDIA_ORDERS, type Media, type MediaOrder, type MediaRow, USER_ORDERS } from '../media/index.ts';

const V1 = '/_synapse/admin/v1';
const SPEC = 'https://element-hq.github.io/synapse/latest/admin_api';
const LIMIT = 100;
const LIMIT_MAX = 1_000;

const pageQuery = {
  from: queryInteger().optional(),
  limit: queryLimit({ max: LIMIT_MAX }).optional(),
  dir: z.enum(['f', 'b']).optional(),
};
const isOrder = (name: string): name is MediaOrder => Object.hasOwn(MEDIA_ORDERS, name);
const listQuery = z
  .object({ ...pageQuery, order_by: z.string().refine(isOrder, 'is not an order').optional() })
  .transform(({ from = 0, limit = LIMIT, dir, order_by = 'created_ts' }) => ({
    orderBy: order_by,
    // The newest first, where nothing else is said.
    direction: (dir ?? (order_by === 'created_ts' ? 'b' : 'f')) === 'f' ? ('asc' as const) : ('desc' as const),
    offset: from,
    limit,
  }));
const userParams = z.object({ userId: userIdSchema });

/** A file, as clients of the admin API know it. */
function fileJson(row: MediaRow) {
  return {
    media_id: row.media_id,
    media_type: row.content_type ?? 'application/octet-stream',
    media_length: row.size_bytes,
    upload_name: row.file_name,
    created_ts: row.created_ts,
    last_access_ts: row.last_access_ts,
    quarantined_by: row.quarantined_by ?? (row.is_quarantined === 1 ? 'unknown' : null),
    safe_from_quarantine: row.is_protected === 1,
  };
}

/** Which files a user or a room has, and how much all users have. */
export function adminMediaListRoutes({ media: { admin } }: { readonly media: Media }): Route[] {
  return [
    route({
      method: 'GET',
      path: `${V1}/users/{userId}/media`,
      operationId: 'adminListUserMedia',
      spec: `${SPEC}/user_admin_api.html`,
      auth: 'admin',
      params: userParams,
      query: listQuery,
      handle: async ({ params: { userId }, query }) => {
        const { rows, total } = await admin.listOf(userId, query);
        const next = query.offset + rows.length;
        return { media: rows.map(fileJson), total, ...(next < total ? { next_token: next } : {}) };
      },
    }),
    route({
      method: 'DELETE',
      path: `${V1}/users/{userId}/media`,
      operationId: 'adminDeleteUserMedia',
      spec: `${SPEC}/user_admin_api.html`,
      auth: 'admin',
      params: userParams,
      query: listQuery,
      handle: async ({ params: { userId }, query }) => {
        const ids = await admin.deletePageOf(userId, query);
        return { deleted_media: ids, total: ids.length };
      },
    }),
    route({
      method: 'GET',
      path: `${V1}/room/{roomId}/media`,
      operationId: 'adminListRoomMedia',
      spec: `${SPEC}/media_admin_api.html`,
      auth: 'admin',
      params: z.object({ roomId: roomIdSchema }),
      handle: ({ params: { roomId } }) => admin.listOfRoom(roomId),
    }),
    route({
      method: 'GET',
      path: `${V1}/media/{serverName}/{mediaId}`,
      operationId: 'adminGetMedia',
      spec: `${SPEC}/media_admin_api.html`,
      auth: 'admin',
      params: mediaParams,
      handle: async ({ params: { serverName, mediaId } }) => {
        const row = await admin.get(serverName, mediaId);
        return {
          media_info: {
            ...fileJson(row),
            media_origin: row.origin,
            user_id: row.uploader,
            authenticated: row.is_open === 0,
            sha256: row.sha256,
          },
        };
      },
    }),
    route({
      method: 'GET',
      path: `${V1}/statistics/users/media`,
      operationId: 'adminMediaStatistics',
      spec: `${SPEC}/statistics.html`,
      auth: 'admin',
      query: z.object({
        ...pageQuery,
        order_by: z.enum(USER_ORDERS).optional(),
        from_ts: queryInteger().optional(),
        until_ts: queryInteger().optional(),
        search_term: z.string().min(1).optional(),
      }),
      handle: async ({ query }) => {
        const { from = 0, limit = LIMIT, dir = 'f' } = query;
        const { users, total } = await admin.statistics({
          orderBy: query.order_by ?? 'user_id',
          direction: dir === 'f' ? 'asc' : 'desc',
          offset: from,
          limit,
          fromTs: query.from_ts ?? 0,
          untilTs: query.until_ts ?? Number.MAX_SAFE_INTEGER,
          search: query.search_term,
        });
        const next = from + users.length;
        return { users, total, ...(next < total ? { next_token: next } : {}) };
      },
    }),
  ];
}
