/** What the two route files of the content repository share. */
import { z } from 'zod';
import { queryBoolean, queryInteger, serverNameSchema } from '../http/schema.ts';
import { isMediaId } from '../protocol/ids/index.ts';

/** The parts of an `mxc:` URI. Anything but the characters of the grammar is refused, so that no path leads elsewhere. */
export const mediaParams = z.object({
  serverName: serverNameSchema,
  mediaId: z.string().refine(isMediaId, 'must be a media id'),
});

export const namedMediaParams = mediaParams.extend({ fileName: z.string() });

/** How long to wait for a file that is announced, in milliseconds. */
export const waitQuery = z.object({ timeout_ms: queryInteger().optional() });

/** The old paths: `allow_remote` keeps servers from asking each other in circles. */
export const openQuery = waitQuery.extend({ allow_remote: queryBoolean().optional() });

/** Which thumbnail is wanted. Without a method it is scaled. */
export const thumbnailQuery = openQuery
  .extend({
    width: queryInteger({ min: 1, max: 100_000 }),
    height: queryInteger({ min: 1, max: 100_000 }),
    method: z.enum(['crop', 'scale']).optional(),
    animated: queryBoolean().optional(),
  })
  .transform(({ width, height, method, animated, timeout_ms, allow_remote }) => ({
    wish: { width, height, method: method ?? 'scale', isAnimated: animated ?? false } as const,
    waitMs: timeout_ms,
    allowRemote: allow_remote ?? true,
  }));

/** A link to preview. The point in time is taken, but there is only the newest. */
export const previewQuery = z.object({ url: z.string().min(1), ts: queryInteger().optional() });

/** The versions under which old clients look for a path of the old content repository. */
export function oldMedia<Path extends string>(
  path: Path,
): readonly [`/_matrix/media/v3${Path}`, `/_matrix/media/r0${Path}`, `/_matrix/media/v1${Path}`] {
  return [`/_matrix/media/v3${path}`, `/_matrix/media/r0${path}`, `/_matrix/media/v1${path}`];
}
