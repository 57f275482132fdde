/** Spec: data/api/client-server/content-repo.yaml */
import { z } from 'zod';
import { type RawBody, type Route, route } from '../http/route.ts';
import type { Media } from '../media/index.ts';
import { mediaParams, namedMediaParams, oldMedia, openQuery, previewQuery, thumbnailQuery } from './media-paths.ts';

const uploadQuery = z.object({ filename: z.string().optional() });

/** Uploads, and files without login: those that came while that was allowed. */
export function contentRepoRoutes({ media }: { media: Media }): Route[] {
  const mxc = (mediaId: string): string => `mxc://${media.serverName}/${mediaId}`;
  return [
    route({
      method: 'POST',
      path: oldMedia('/upload'),
      operationId: 'uploadContent',
      spec: 'client-server-api/#post_matrixmediav3upload',
      auth: 'user',
      rateLimit: 'media',
      query: uploadQuery,
      body: 'raw',
      bodyBytesMax: media.rules.uploadBytesMax,
      handle: async ({ requester, query, body }) => ({
        content_uri: mxc(await media.uploads.upload(requester.userId, uploadOf(body, query.filename))),
      }),
    }),
    route({
      method: 'PUT',
      path: oldMedia('/upload/{serverName}/{mediaId}'),
      operationId: 'uploadContentToMXC',
      spec: 'client-server-api/#put_matrixmediav3uploadservernamemediaid',
      auth: 'user',
      rateLimit: 'media',
      params: mediaParams,
      query: uploadQuery,
      body: 'raw',
      bodyBytesMax: media.rules.uploadBytesMax,
      handle: async ({ requester, params: { serverName, mediaId }, query, body }) => {
        await media.uploads.complete(requester.userId, serverName, mediaId, uploadOf(body, query.filename));
        return {};
      },
    }),
    route({
      method: 'POST',
      path: '/_matrix/media/v1/create',
      operationId: 'createContent',
      spec: 'client-server-api/#post_matrixmediav1create',
      auth: 'user',
      rateLimit: 'media',
      handle: async ({ requester }) => {
        const { mediaId, expiresTs } = await media.uploads.create(requester.userId);
        return { content_uri: mxc(mediaId), unused_expires_at: expiresTs };
      },
    }),
    route({
      method: 'GET',
      path: oldMedia('/download/{serverName}/{mediaId}'),
      operationId: 'getContent',
      spec: 'client-server-api/#get_matrixmediav3downloadservernamemediaid',
      auth: 'none',
      rateLimit: 'media_download',
      params: mediaParams,
      query: openQuery,
      handle: ({ params: { serverName, mediaId }, query, headers, signal }) =>
        media.download({
          origin: serverName,
          mediaId,
          waitMs: query.timeout_ms,
          allowRemote: query.allow_remote ?? true,
          access: 'open',
          headers,
          signal,
        }),
    }),
    route({
      method: 'GET',
      path: oldMedia('/download/{serverName}/{mediaId}/{fileName}'),
      operationId: 'getContentOverrideName',
      spec: 'client-server-api/#get_matrixmediav3downloadservernamemediaidfilename',
      auth: 'none',
      rateLimit: 'media_download',
      params: namedMediaParams,
      query: openQuery,
      handle: ({ params: { serverName, mediaId, fileName }, query, headers, signal }) =>
        media.download({
          origin: serverName,
          mediaId,
          fileName,
          waitMs: query.timeout_ms,
          allowRemote: query.allow_remote ?? true,
          access: 'open',
          headers,
          signal,
        }),
    }),
    route({
      method: 'GET',
      path: oldMedia('/thumbnail/{serverName}/{mediaId}'),
      operationId: 'getContentThumbnail',
      spec: 'client-server-api/#get_matrixmediav3thumbnailservernamemediaid',
      auth: 'none',
      rateLimit: 'media_download',
      params: mediaParams,
      query: thumbnailQuery,
      handle: ({ params: { serverName, mediaId }, query, headers, signal }) =>
        media.thumbnail({ origin: serverName, mediaId, ...query, access: 'open', headers, signal }),
    }),
    route({
      method: 'GET',
      path: oldMedia('/preview_url'),
      operationId: 'getUrlPreview',
      spec: 'client-server-api/#get_matrixmediav3preview_url',
      auth: 'user',
      rateLimit: 'generic',
      query: previewQuery,
      handle: ({ query }) => media.preview(query.url),
    }),
    route({
      method: 'GET',
      path: oldMedia('/config'),
      operationId: 'getConfig',
      spec: 'client-server-api/#get_matrixmediav3config',
      auth: 'guest',
      rateLimit: 'media_download',
      handle: () => ({ 'm.upload.size': media.rules.uploadBytesMax }),
    }),
  ];
}

function uploadOf({ contentType, contentLength, stream }: RawBody, fileName: string | undefined) {
  return { contentType, contentLength, fileName, stream };
}
