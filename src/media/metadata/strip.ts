/** Takes out of pictures what their makers write into them: places, times, names of devices, other pictures. */
import { PNG_SIGNATURE, stripPng, stripWebp } from './chunks.ts';
import { stripHeif } from './heif.ts';
import { stripJpeg } from './jpeg.ts';

/**
 * The same picture with orientation and colour profile as its only metadata; undefined for what is no JPEG, PNG, WebP, HEIC
 * or AVIF, whatever it is called. Pixels are copied as they are. Throws `RangeError` for pictures that are broken.
 */
export function stripMetadata(bytes: Buffer): Buffer | undefined {
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return stripJpeg(bytes);
  if (bytes.subarray(0, PNG_SIGNATURE.length).equals(PNG_SIGNATURE)) return stripPng(bytes);
  const start = bytes.toString('latin1', 0, 12);
  if (start.startsWith('RIFF') && start.endsWith('WEBP')) return stripWebp(bytes);
  if (start.slice(4, 8) === 'ftyp') return stripHeif(bytes);
  return undefined;
}
