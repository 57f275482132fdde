/** The text of a page, whatever its encoding. */

/** Where in a page its encoding must stand. HTML: "determining the character encoding". */
const SNIFF_BYTES = 1024;

/** Decodes by byte order mark, `Content-Type`, what the page says, or UTF-8. Bytes that fit nothing become U+FFFD. */
export function decodePage(bytes: Uint8Array, contentType: string): string {
  const label = markOf(bytes) ?? charsetOf(contentType) ?? declaredIn(bytes) ?? 'utf-8';
  return decoderOf(label).decode(bytes);
}

function markOf(bytes: Uint8Array): string | undefined {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) return 'utf-8';
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'utf-16be';
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  return undefined;
}

function charsetOf(text: string): string | undefined {
  const found = /charset\s*=\s*["']?\s*([\w.:-]+)/i.exec(text)?.[1];
  return found !== undefined && isKnown(found) ? found : undefined;
}

function declaredIn(bytes: Uint8Array): string | undefined {
  const head = Buffer.from(bytes.subarray(0, SNIFF_BYTES)).toString('latin1');
  const inMeta = /<meta[^>]+charset\s*=\s*["']?\s*([\w.:-]+)/i.exec(head)?.[1];
  const inXml = /^<\?xml[^>]+encoding\s*=\s*["']([\w.:-]+)/i.exec(head)?.[1];
  const label = inMeta ?? inXml;
  if (label === undefined || !isKnown(label)) return undefined;
  // It could be read as ASCII, so it isn't UTF-16.
  return /^utf-?16/i.test(label) ? 'utf-8' : label;
}

function isKnown(label: string): boolean {
  try {
    new TextDecoder(label);
    return true;
  } catch {
    return false;
  }
}

function decoderOf(label: string): TextDecoder {
  return new TextDecoder(label, { fatal: false });
}
