/** Conditional and partial requests. RFC 9110, sections 13 and 14. */
import type { IncomingHttpHeaders } from 'node:http';
import type { ByteRange } from './blobs/blob-store.ts';

/** What of a file is asked for: all, a part, nothing since the client has it, or a part that there isn't. */
export type Wanted = 'all' | 'unchanged' | 'unsatisfiable' | ByteRange;

/** What a request wants of a file with this entity tag (quoted) and size in bytes. Several ranges at once get the whole file. */
export function wantedOf(headers: IncomingHttpHeaders, etag: string, sizeBytes: number): Wanted {
  const known = headers['if-none-match'];
  if (known !== undefined && hasTag(known, etag)) return 'unchanged';
  const { range } = headers;
  const ifRange = headers['if-range'];
  if (range === undefined || (ifRange !== undefined && ifRange !== etag)) return 'all';
  return parseRange(range, sizeBytes);
}

function hasTag(header: string, etag: string): boolean {
  return header.split(',').some((one) => {
    const tag = one.trim();
    return tag === '*' || tag === etag || tag === `W/${etag}`;
  });
}

function parseRange(header: string, sizeBytes: number): Wanted {
  const [, from, to] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header.trim()) ?? [];
  if (from === undefined || to === undefined || (from === '' && to === '')) return 'all';
  if (from === '') {
    const length = Math.min(Number(to), sizeBytes);
    return length === 0 ? 'unsatisfiable' : { start: sizeBytes - length, end: sizeBytes - 1 };
  }
  const start = Number(from);
  const end = to === '' ? sizeBytes - 1 : Math.min(Number(to), sizeBytes - 1);
  if (to !== '' && Number(to) < start) return 'all';
  return start >= sizeBytes ? 'unsatisfiable' : { start, end };
}
