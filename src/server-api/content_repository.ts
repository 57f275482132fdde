/** Spec: data/api/server-server/content_repository.yaml */
import { z } from 'zod';
import { thumbnailQuery, waitQuery } from '../client-api/media-paths.ts';
import { type Route, route } from '../http/route.ts';
import type { Media } from '../media/index.ts';
import { isMediaId } from '../protocol/ids/index.ts';
import { V1 } from './paths.ts';

const mediaParams = z.object({ mediaId: z.string().refine(isMediaId, 'must be a media id') });

/** Our own files for other servers. */
export function contentRepositoryRoutes({ media }: { readonly media: Media }): Route[] {
  return [
    route({
      method: 'GET',
      path: `${V1}/media/download/{mediaId}`,
      operationId: 'getContentFederated',
      spec: 'server-server-api/#get_matrixfederationv1mediadownloadmediaid',
      auth: 'federation',
      params: mediaParams,
      query: waitQuery,
      handle: ({ params: { mediaId }, query, signal }) =>
        media.downloadForServer({ mediaId, waitMs: query.timeout_ms, signal }),
    }),
    route({
      method: 'GET',
      path: `${V1}/media/thumbnail/{mediaId}`,
      operationId: 'getContentThumbnailFederated',
      spec: 'server-server-api/#get_matrixfederationv1mediathumbnailmediaid',
      auth: 'federation',
      params: mediaParams,
      query: thumbnailQuery,
      handle: ({ params: { mediaId }, query: { wish, waitMs }, signal }) =>
        media.thumbnailForServer({ mediaId, wish, waitMs, signal }),
    }),
  ];
}
