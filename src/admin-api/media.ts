/** Files, as in Synapse's admin API (docs/admin_api/media_admin_api.md, user_admin_api.md and statistics.md there). */
import { z } from 'zod';
import { mediaParams } from '../client-api/media-paths.ts';
import { type Route, rawJson, route } from '../http/route.ts';
import { queryBoolean, queryInteger, roomIdSchema, serverNameSchema, userIdSchema } from '../http/schema.ts';
import type { Media } from '../media/index.ts';
import { invalidParam } from '../protocol/errors.ts';
import { isMediaId } from '../protocol/ids/index.ts';
import { adminMediaListRoutes } from './media-lists.ts';

const V1 = '/_synapse/admin/v1';
const SPEC = 'https://element-hq.github.io/synapse/latest/admin_api/media_admin_api.html';

const idParams = z.object({ mediaId: z.string().refine(isMediaId, 'must be a media id') });
const roomParams = z.object({ roomId: roomIdSchema });
/** Seconds instead of milliseconds would delete nothing that was meant: Synapse refuses times before 1971 too. */
const BEFORE_TS_MIN = 30_000_000_000;
const beforeTs = queryInteger().refine((ts) => ts >= BEFORE_TS_MIN, 'must be in milliseconds');
const deleteQuery = z.object({
  before_ts: beforeTs,
  size_gt: queryInteger().optional(),
  keep_profiles: queryBoolean().optional(),
});

/** Hiding, protecting and deleting files; lists of them are in media-lists.ts. */
export function adminMediaRoutes({ media }: { readonly media: Media }): Route[] {
  const { admin, serverName } = media;
  const deleted = (ids: readonly string[]) => ({ deleted_media: ids, total: ids.length });

  const common = { spec: SPEC, auth: 'admin' } as const;
  return [
    ...adminMediaListRoutes({ media }),
    route({
      ...common,
      method: 'POST',
      path: `${V1}/media/quarantine/{serverName}/{mediaId}`,
      operationId: 'adminQuarantineMedia',
      params: mediaParams,
      handle: async ({ params, requester }) => {
        await admin.quarantine(params.serverName, params.mediaId, requester.userId);
        return {};
      },
    }),
    route({
      ...common,
      method: 'POST',
      path: `${V1}/media/unquarantine/{serverName}/{mediaId}`,
      operationId: 'adminUnquarantineMedia',
      params: mediaParams,
      handle: async ({ params }) => {
        await admin.unquarantine(params.serverName, params.mediaId);
        return {};
      },
    }),
    route({
      ...common,
      method: 'POST',
      path: [`${V1}/room/{roomId}/media/quarantine`, `${V1}/quarantine_media/{roomId}`],
      operationId: 'adminQuarantineRoomMedia',
      params: roomParams,
      handle: async ({ params: { roomId }, requester }) => ({
        num_quarantined: await admin.quarantineRoom(roomId, requester.userId),
      }),
    }),
    route({
      ...common,
      method: 'POST',
      path: `${V1}/user/{userId}/media/quarantine`,
      operationId: 'adminQuarantineUserMedia',
      params: z.object({ userId: userIdSchema }),
      handle: async ({ params: { userId }, requester }) => ({
        num_quarantined: await admin.quarantineOf(userId, requester.userId),
      }),
    }),
    route({
      ...common,
      method: 'POST',
      path: `${V1}/media/protect/{mediaId}`,
      operationId: 'adminProtectMedia',
      params: idParams,
      handle: async ({ params: { mediaId } }) => {
        await admin.setProtected(mediaId, true);
        return {};
      },
    }),
    route({
      ...common,
      method: 'POST',
      path: `${V1}/media/unprotect/{mediaId}`,
      operationId: 'adminUnprotectMedia',
      params: idParams,
      handle: async ({ params: { mediaId } }) => {
        await admin.setProtected(mediaId, false);
        return {};
      },
    }),
    route({
      ...common,
      method: 'DELETE',
      path: `${V1}/media/{serverName}/{mediaId}`,
      operationId: 'adminDeleteMedia',
      params: mediaParams,
      handle: async ({ params }) => {
        await admin.delete(params.serverName, params.mediaId);
        return deleted([params.mediaId]);
      },
    }),
    route({
      ...common,
      method: 'POST',
      path: `${V1}/media/delete`,
      operationId: 'adminDeleteOldMedia',
      query: deleteQuery,
      handle: async ({ query }) => deleted(await admin.deleteOld(oldOf(query))),
    }),
    route({
      ...common,
      method: 'POST',
      path: `${V1}/media/{serverName}/delete`,
      operationId: 'adminDeleteOldMediaOf',
      params: z.object({ serverName: serverNameSchema }),
      query: deleteQuery,
      handle: async ({ params, query }) => {
        if (params.serverName !== serverName) throw invalidParam('Only our own files are deleted by their age');
        return deleted(await admin.deleteOld(oldOf(query)));
      },
    }),
    route({
      ...common,
      method: 'POST',
      path: `${V1}/purge_media_cache`,
      operationId: 'adminPurgeMediaCache',
      query: z.object({ before_ts: beforeTs }),
      handle: async ({ query }) => ({ deleted: await admin.purgeRemote(query.before_ts) }),
    }),
    route({
      ...common,
      method: 'GET',
      path: '/_inglenook/admin/v1/media_deletions/{mediaId}',
      operationId: 'adminMediaDeletions',
      spec: 'inglenook',
      params: idParams,
      handle: async ({ params: { mediaId } }) => {
        return rawJson(`{"deletions":[${(await admin.deletionsOf(mediaId)).join(',')}]}`);
      },
    }),
  ];
}

function oldOf({ before_ts, size_gt = 0, keep_profiles = true }: z.output<typeof deleteQuery>) {
  return { beforeTs: before_ts, bytesMin: size_gt, keepAvatars: keep_profiles };
}
