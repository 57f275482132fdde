/** JPEG without what cameras and programs write about it. ITU-T T.81, annex B. */
import { isTurned, orientationOf, tiffWith } from './exif.ts';

const EXIF = 'Exif\0\0';
const SOI = 0xd8;
const EOI = 0xd9;
const SOS = 0xda;
const COM = 0xfe;

/** Which application segments are needed to show the picture: APP0, the colour profile, and how the colours are stored. */
function isNeeded(marker: number, payload: Buffer): boolean {
  if (marker === 0xe0) return payload.toString('latin1', 0, 5) === 'JFIF\0';
  if (marker === 0xe2) return payload.toString('latin1', 0, 12) === 'ICC_PROFILE\0';
  if (marker === 0xee) return payload.toString('latin1', 0, 5) === 'Adobe';
  return !(marker >= 0xe1 && marker <= 0xef) && marker !== COM;
}

/**
 * The same picture with its orientation and colour profile only; its pixels aren't touched. What follows the picture goes too:
 * some cameras append a film. Throws `RangeError` for what isn't built like a JPEG.
 */
export function stripJpeg(bytes: Buffer): Buffer {
  const kept: Buffer[] = [];
  let orientation = 1;
  let hasPicture = false;
  for (let at = 2; at < bytes.length; ) {
    if (bytes[at] !== 0xff) throw new RangeError('not a marker');
    const marker = bytes[at + 1];
    if (marker === 0xff) {
      at++;
      continue;
    }
    if (marker === undefined || marker === EOI) break;
    const end = at + 2 + bytes.readUInt16BE(at + 2);
    const payload = bytes.subarray(at + 4, end);
    if (end > bytes.length) throw new RangeError('cut off');
    if (marker === 0xe1 && payload.toString('latin1', 0, EXIF.length) === EXIF) {
      orientation = orientationOf(payload.subarray(EXIF.length));
    }
    const next = marker === SOS ? endOfScan(bytes, end) : end;
    if (marker === SOS) hasPicture = true;
    if (isNeeded(marker, payload)) kept.push(bytes.subarray(at, next));
    at = next;
  }
  if (!hasPicture) throw new RangeError('no picture');
  const hasJfif = kept[0]?.[1] === 0xe0;
  if (isTurned(orientation)) kept.splice(hasJfif ? 1 : 0, 0, exifSegment(orientation));
  return Buffer.concat([Buffer.from([0xff, SOI]), ...kept, Buffer.from([0xff, EOI])]);
}

/** Where the next marker stands behind the data of a scan, which has stuffed zeros and restart markers in it. */
function endOfScan(bytes: Buffer, from: number): number {
  for (let at = bytes.indexOf(0xff, from); at !== -1; at = bytes.indexOf(0xff, at + 1)) {
    const marker = bytes[at + 1];
    if (marker !== undefined && marker !== 0 && marker !== 0xff && !(marker >= 0xd0 && marker <= 0xd7)) return at;
  }
  return bytes.length;
}

function exifSegment(orientation: number): Buffer {
  const payload = Buffer.concat([Buffer.from(EXIF, 'latin1'), tiffWith(orientation)]);
  const head = Buffer.from([0xff, 0xe1, 0, 0]);
  head.writeUInt16BE(payload.length + 2, 2);
  return Buffer.concat([head, payload]);
}
