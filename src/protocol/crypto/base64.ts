/**
 * Unpadded base64, both alphabets.
 * Spec: appendices/#unpadded-base64
 */

const EITHER_ALPHABET = /^(?:[A-Za-z0-9+/]*|[A-Za-z0-9_-]*)={0,2}$/;

/** Encodes in the standard alphabet, without padding. */
export function encodeBase64(bytes: Uint8Array): string {
  const padded = asBuffer(bytes).toString('base64');
  const padding = padded.indexOf('=');
  return padding === -1 ? padded : padded.slice(0, padding);
}

/** Encodes in the URL-safe alphabet, without padding. */
export function encodeBase64Url(bytes: Uint8Array): string {
  return asBuffer(bytes).toString('base64url');
}

/** Decodes base64 of either alphabet, padded or not; undefined where it is neither. */
export function decodeBase64(text: string): Buffer | undefined {
  if (!EITHER_ALPHABET.test(text)) return undefined;
  const padding = text.indexOf('=');
  const digits = padding === -1 ? text.length : padding;
  // One digit alone holds only six bits. Padding, where there is any, fills up to a multiple of four.
  if (digits % 4 === 1 || (padding !== -1 && text.length % 4 !== 0)) return undefined;
  return Buffer.from(text, 'base64');
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
