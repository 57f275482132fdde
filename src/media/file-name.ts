/** Names of files: cleaned when they come, quoted when they go. */

const FILE_NAME_BYTES_MAX = 255;
const EXTENSION_CHARACTERS_MAX = 16;
/** Controls, and what turns the direction of text around, so that `exe.jpg` is what it seems. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed
const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** A file name without path, control characters and excess length; undefined where nothing is left. Others come back as they are. */
export function cleanFileName(name: string | undefined): string | undefined {
  if (name === undefined) return undefined;
  let cleaned = name.toWellFormed().replace(HIDDEN, '').replace(/[/\\]/g, '_').trim();
  if (/^\.+$/.test(cleaned)) cleaned = '';
  if (Buffer.byteLength(cleaned) > FILE_NAME_BYTES_MAX) cleaned = shorten(cleaned);
  return cleaned === '' ? undefined : cleaned;
}

/** Takes characters off the end, but keeps an extension. */
function shorten(name: string): string {
  const dot = name.lastIndexOf('.');
  const extension = dot > 0 && name.length - dot - 1 <= EXTENSION_CHARACTERS_MAX ? name.slice(dot) : '';
  const stem = name.slice(0, name.length - extension.length);
  const room = new Uint8Array(FILE_NAME_BYTES_MAX - Buffer.byteLength(extension));
  // Only whole characters find room.
  const { read } = new TextEncoder().encodeInto(stem, room);
  return stem.slice(0, read) + extension;
}

/** `Content-Disposition` as in RFC 6266: names that aren't plain ASCII in UTF-8, with a stand-in for old clients. */
export function contentDisposition(kind: 'inline' | 'attachment', fileName: string | undefined): string {
  if (fileName === undefined) return kind;
  const plain = fileName.replace(/[^\x20-\x7e]/g, '_').replace(/["\\]/g, (found) => `\\${found}`);
  if (/^[\x20-\x7e]*$/.test(fileName)) return `${kind}; filename="${plain}"`;
  const encoded = encodeURIComponent(fileName).replace(
    /['()*]/g,
    (found) => `%${found.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `${kind}; filename="${plain}"; filename*=UTF-8''${encoded}`;
}

/** The file name of a `Content-Disposition`, the UTF-8 form first; undefined where it has none. Not cleaned. */
export function fileNameOf(disposition: string | undefined): string | undefined {
  if (disposition === undefined) return undefined;
  const [, encoded] = /;\s*filename\*\s*=\s*utf-8'[^']*'([^\s;]+)/i.exec(disposition) ?? [];
  if (encoded !== undefined) {
    try {
      return decodeURIComponent(encoded);
    } catch {
      // The other form may be whole.
    }
  }
  const [, quoted, bare] = /;\s*filename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))/i.exec(disposition) ?? [];
  return quoted?.replace(/\\(.)/g, '$1') ?? bare;
}
