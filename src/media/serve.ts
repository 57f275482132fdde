/** Turns a file into a reply: headers that keep browsers from running it, ranges, and the stream. */
import type { IncomingHttpHeaders } from 'node:http';
import { type Reply, reply } from '../http/result.ts';
import { notFound } from '../protocol/errors.ts';
import type { Blobs } from './blobs/blobs.ts';
import { isInlineType } from './content-types.ts';
import { contentDisposition } from './file-name.ts';
import { wantedOf } from './ranges.ts';

/** What is sent: a file, or a thumbnail of one. */
export interface Servable {
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly contentType: string;
  readonly fileName: string | undefined;
}

/** Spec: client-server-api/#content-repository */
const SAFETY_HEADERS = {
  'content-security-policy':
    "sandbox; default-src 'none'; script-src 'none'; plugin-types application/pdf; style-src 'unsafe-inline'; object-src 'self';",
  'cross-origin-resource-policy': 'cross-origin',
  'x-content-type-options': 'nosniff',
  'x-robots-tag': 'noindex, nofollow, noarchive, noimageindex',
};

/** A file never changes, but it may be deleted or quarantined: browsers ask again after a day. */
const CACHE_CONTROL = {
  open: 'public, max-age=86400, s-maxage=86400',
  authenticated: 'private, max-age=86400',
} as const;

/** The whole file, the part that is asked for, or that nothing has changed. Throws `M_NOT_FOUND` where the file is lost. */
export async function serve(
  blobs: Blobs,
  file: Servable,
  headers: IncomingHttpHeaders,
  access: keyof typeof CACHE_CONTROL,
): Promise<Reply> {
  const etag = `"${file.sha256.slice(0, 32)}"`;
  const common = {
    ...SAFETY_HEADERS,
    etag,
    'cache-control': CACHE_CONTROL[access],
    'accept-ranges': 'bytes',
  };
  const wanted = wantedOf(headers, etag, file.sizeBytes);
  if (wanted === 'unchanged') return reply({ status: 304, headers: common });
  if (wanted === 'unsatisfiable') {
    return reply({ status: 416, headers: { ...common, 'content-range': `bytes */${file.sizeBytes}` } });
  }
  const range = wanted === 'all' ? undefined : wanted;
  const body = await blobs.open(file.sha256, file.sizeBytes, range);
  if (body === undefined) throw notFound('The file is lost');
  const kind = isInlineType(file.contentType) ? 'inline' : 'attachment';
  return reply({
    status: range === undefined ? 200 : 206,
    headers: {
      ...common,
      'content-type': file.contentType,
      'content-disposition': contentDisposition(kind, file.fileName),
      'content-length': String(range === undefined ? file.sizeBytes : range.end - range.start + 1),
      ...(range === undefined ? {} : { 'content-range': `bytes ${range.start}-${range.end}/${file.sizeBytes}` }),
    },
    body,
  });
}
