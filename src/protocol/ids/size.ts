/** The longest that user ids, room ids, aliases, event ids, types and state keys may be, in bytes of UTF-8. */
export const ID_BYTES_MAX = 255;

/** Whether `text` takes at most `bytesMax` bytes of UTF-8. */
export function fitsBytes(text: string, bytesMax: number): boolean {
  if (text.length > bytesMax) return false;
  // A UTF-16 unit takes at most three bytes.
  return text.length * 3 <= bytesMax || Buffer.byteLength(text) <= bytesMax;
}
