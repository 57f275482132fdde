/** Spec: data/api/client-server/authed-content-repo.yaml */
import { type Route, route } from '../http/route.ts';
import type { Media } from '../media/index.ts';
import { mediaParams, namedMediaParams, previewQuery, thumbnailQuery, waitQuery } from './media-paths.ts';

/** Files for those who are logged in. */
export function authedContentRepoRoutes({ media }: { media: Media }): Route[] {
  return [
    route({
      method: 'GET',
      path: '/_matrix/client/v1/media/download/{serverName}/{mediaId}',
      operationId: 'getContentAuthed',
      spec: 'client-server-api/#get_matrixclientv1mediadownloadservernamemediaid',
      auth: 'guest',
      rateLimit: 'media_download',
      params: mediaParams,
      query: waitQuery,
      handle: ({ params: { serverName, mediaId }, query, headers, signal }) =>
        media.download({
          origin: serverName,
          mediaId,
          waitMs: query.timeout_ms,
          access: 'authenticated',
          headers,
          signal,
        }),
    }),
    route({
      method: 'GET',
      path: '/_matrix/client/v1/media/download/{serverName}/{mediaId}/{fileName}',
      operationId: 'getContentOverrideNameAuthed',
      spec: 'client-server-api/#get_matrixclientv1mediadownloadservernamemediaidfilename',
      auth: 'guest',
      rateLimit: 'media_download',
      params: namedMediaParams,
      query: waitQuery,
      handle: ({ params: { serverName, mediaId, fileName }, query, headers, signal }) =>
        media.download({
          origin: serverName,
          mediaId,
          fileName,
          waitMs: query.timeout_ms,
          access: 'authenticated',
          headers,
          signal,
        }),
    }),
    route({
      method: 'GET',
      path: '/_matrix/client/v1/media/thumbnail/{serverName}/{mediaId}',
      operationId: 'getContentThumbnailAuthed',
      spec: 'client-server-api/#get_matrixclientv1mediathumbnailservernamemediaid',
      auth: 'guest',
      rateLimit: 'media_download',
      params: mediaParams,
      query: thumbnailQuery,
      handle: ({ params: { serverName, mediaId }, query, headers, signal }) =>
        media.thumbnail({
          origin: serverName,
          mediaId,
          ...query,
          allowRemote: true,
          access: 'authenticated',
          headers,
          signal,
        }),
    }),
    route({
      method: 'GET',
      path: '/_matrix/client/v1/media/preview_url',
      operationId: 'getUrlPreviewAuthed',
      spec: 'client-server-api/#get_matrixclientv1mediapreview_url',
      auth: 'user',
      rateLimit: 'generic',
      query: previewQuery,
      handle: ({ query }) => media.preview(query.url),
    }),
    route({
      method: 'GET',
      path: '/_matrix/client/v1/media/config',
      operationId: 'getConfigAuthed',
      spec: 'client-server-api/#get_matrixclientv1mediaconfig',
      auth: 'guest',
      rateLimit: 'media_download',
      handle: () => ({ 'm.upload.size': media.rules.uploadBytesMax }),
    }),
  ];
}
