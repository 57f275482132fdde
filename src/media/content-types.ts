/** Content types: what uploaders say, and what browsers may show in place. */

/** Spec: client-server-api/#serving-inline-content */
const INLINE: ReadonlySet<string> = new Set([
  'text/css',
  'text/plain',
  'text/csv',
  'application/json',
  'application/ld+json',
  'image/jpeg',
  'image/gif',
  'image/png',
  'image/apng',
  'image/webp',
  'image/avif',
  'video/mp4',
  'video/webm',
  'video/ogg',
  'video/quicktime',
  'audio/mp4',
  'audio/webm',
  'audio/aac',
  'audio/mpeg',
  'audio/ogg',
  'audio/wave',
  'audio/wav',
  'audio/x-wav',
  'audio/x-pn-wav',
  'audio/flac',
  'audio/x-flac',
]);

export const OCTET_STREAM = 'application/octet-stream';

const CONTENT_TYPE = /^[\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+(\s*;[\x20-\x7e]*)?$/;
const CONTENT_TYPE_CHARACTERS_MAX = 255;

/** A `Content-Type` that can be sent back as a header; undefined for what is none. */
export function cleanContentType(header: string | undefined): string | undefined {
  const text = header?.trim() ?? '';
  return text.length <= CONTENT_TYPE_CHARACTERS_MAX && CONTENT_TYPE.test(text) ? text : undefined;
}

/** The type without its parameters, in lower case. */
export function essenceOf(contentType: string): string {
  return (contentType.split(';', 1)[0] ?? '').trim().toLowerCase();
}

/** Whether a browser may show the type in place. */
export function isInlineType(contentType: string): boolean {
  return INLINE.has(essenceOf(contentType));
}

/** Whether a type is one of `patterns`: whole types, or `video/*`. */
export function matchesType(contentType: string, patterns: readonly string[]): boolean {
  const essence = essenceOf(contentType);
  return patterns.some((pattern) =>
    pattern.endsWith('/*') ? essence.startsWith(pattern.slice(0, -1).toLowerCase()) : essence === pattern.toLowerCase(),
  );
}
