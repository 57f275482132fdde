/** PNG and WebP without what programs write about them: both are chunks with a name. */
import { crc32 } from 'node:zlib';
import { isTurned, orientationOf, tiffWith } from './exif.ts';

export const PNG_SIGNATURE = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
/** All that changes how the picture looks. PNG (third edition), 11.3; the critical ones begin with a capital. */
const PNG_NEEDED = /^([A-Z]|gAMA|cHRM|sRGB|iCCP|sBIT|bKGD|hIST|tRNS|pHYs|sPLT|acTL|fcTL|fdAT|cICP|mDCV|cLLI)/;
const WEBP_NEEDED = /^(VP8[ LX]|ALPH|ANIM|ANMF|ICCP)$/;
const VP8X_EXIF = 0x08;
const VP8X_XMP = 0x04;

/** The same picture with its orientation and colours only. Throws `RangeError` for what isn't built like a PNG. */
export function stripPng(bytes: Buffer): Buffer {
  const kept: Buffer[] = [PNG_SIGNATURE];
  let orientation = 1;
  let pixelsAt: number | undefined;
  let isEnded = false;
  for (let at = PNG_SIGNATURE.length; at < bytes.length && !isEnded; ) {
    const end = at + 12 + bytes.readUInt32BE(at);
    const name = bytes.toString('latin1', at + 4, at + 8);
    if (end > bytes.length) throw new RangeError('cut off');
    if (name === 'eXIf') orientation = orientationOf(bytes.subarray(at + 8, end - 4));
    if (name === 'IDAT') pixelsAt ??= kept.length;
    if (PNG_NEEDED.test(name)) kept.push(bytes.subarray(at, end));
    isEnded = name === 'IEND';
    at = end;
  }
  if (!isEnded || pixelsAt === undefined) throw new RangeError('cut off');
  // Before the pixels: readers don't look for it behind them.
  if (isTurned(orientation)) kept.splice(pixelsAt, 0, pngChunk('eXIf', tiffWith(orientation)));
  return Buffer.concat(kept);
}

function pngChunk(name: string, content: Buffer): Buffer {
  const chunk = Buffer.alloc(content.length + 12);
  chunk.writeUInt32BE(content.length, 0);
  chunk.write(name, 4, 'latin1');
  content.copy(chunk, 8);
  chunk.writeUInt32BE(crc32(chunk.subarray(4, -4)), chunk.length - 4);
  return chunk;
}

/** Likewise for WebP. RFC 9649. */
export function stripWebp(bytes: Buffer): Buffer {
  const kept: Buffer[] = [];
  let orientation = 1;
  let features: Buffer | undefined;
  const whole = Math.min(bytes.length, 8 + bytes.readUInt32LE(4));
  for (let at = 12; at + 8 <= whole; ) {
    const name = bytes.toString('latin1', at, at + 4);
    const length = bytes.readUInt32LE(at + 4);
    const end = at + 8 + length + (length % 2);
    if (at + 8 + length > bytes.length) throw new RangeError('cut off');
    const chunk = Buffer.from(bytes.subarray(at, end));
    if (name === 'EXIF') orientation = orientationOf(withoutHeader(chunk.subarray(8)));
    if (name === 'VP8X' && length >= 10) features = chunk;
    if (WEBP_NEEDED.test(name)) kept.push(chunk);
    at = end;
  }
  if (kept.length === 0) throw new RangeError('no picture');
  if (features !== undefined) {
    const isShown = isTurned(orientation);
    if (isShown) kept.push(webpExif(orientation));
    features[8] = ((features[8] ?? 0) & ~(VP8X_EXIF | VP8X_XMP)) | (isShown ? VP8X_EXIF : 0);
  }
  const content = Buffer.concat(kept);
  const head = Buffer.from('RIFF\0\0\0\0WEBP', 'latin1');
  head.writeUInt32LE(content.length + 4, 4);
  return Buffer.concat([head, content]);
}

/** Some programs write the header of JPEG's EXIF there too. */
function withoutHeader(exif: Buffer): Buffer {
  return exif.toString('latin1', 0, 6) === 'Exif\0\0' ? exif.subarray(6) : exif;
}

function webpExif(orientation: number): Buffer {
  const tiff = tiffWith(orientation);
  const head = Buffer.from('EXIF\0\0\0\0', 'latin1');
  head.writeUInt32LE(tiff.length, 4);
  return Buffer.concat([head, tiff]);
}
