/**
 * HEIC and AVIF without EXIF and XMP. Everything in such a file is found by its offset, so what goes is overwritten in its place.
 * ISO/IEC 14496-12 (boxes), 23008-12 (items).
 */
import { tiffWith } from './exif.ts';

interface Box {
  readonly type: string;
  /** Of the content, behind the header. */
  readonly start: number;
  readonly end: number;
}

interface Extent {
  readonly start: number;
  readonly length: number;
}

/** The same bytes without metadata; orientation and colours stand in properties of their own. Throws `RangeError` for broken boxes. */
export function stripHeif(original: Buffer): Buffer {
  const bytes = Buffer.from(original);
  for (const box of boxesIn(bytes, 0, bytes.length)) {
    if (box.type === 'uuid') bytes.fill(0, box.start, box.end);
    if (box.type !== 'meta') continue;
    const inner = boxesIn(bytes, box.start + 4, box.end);
    const extents = itemExtents(bytes, inner);
    for (const { id, type, isXmp } of itemsIn(bytes, inner)) {
      if (type !== 'Exif' && !isXmp) continue;
      for (const extent of extents.get(id) ?? []) blank(bytes, extent, type === 'Exif');
    }
  }
  return bytes;
}

function blank(bytes: Buffer, { start, length }: Extent, isExif: boolean): void {
  if (start + length > bytes.length) throw new RangeError('an item lies outside');
  bytes.fill(isExif ? 0 : 0x20, start, start + length);
  const tiff = tiffWith(1);
  // Four bytes say where the TIFF block begins: at once.
  if (isExif && length >= tiff.length + 4) tiff.copy(bytes, start + 4);
}

function boxesIn(bytes: Buffer, from: number, to: number): readonly Box[] {
  const boxes: Box[] = [];
  for (let at = from; at + 8 <= to; ) {
    const short = bytes.readUInt32BE(at);
    const header = short === 1 ? 16 : 8;
    const size = short === 1 ? Number(bytes.readBigUInt64BE(at + 8)) : short === 0 ? to - at : short;
    if (size < header || at + size > to) throw new RangeError('a box lies outside');
    boxes.push({ type: bytes.toString('latin1', at + 4, at + 8), start: at + header, end: at + size });
    at += size;
  }
  return boxes;
}

function itemsIn(bytes: Buffer, boxes: readonly Box[]) {
  const iinf = boxes.find((box) => box.type === 'iinf');
  if (iinf === undefined) return [];
  const countBytes = bytes[iinf.start] === 0 ? 2 : 4;
  return boxesIn(bytes, iinf.start + 4 + countBytes, iinf.end).flatMap((box) => {
    const version = bytes[box.start] ?? 0;
    // Older versions have no types.
    if (box.type !== 'infe' || version < 2) return [];
    const idBytes = version === 2 ? 2 : 4;
    const typeAt = box.start + 4 + idBytes + 2;
    const type = bytes.toString('latin1', typeAt, typeAt + 4);
    const isXmp = type === 'mime' && bytes.toString('latin1', typeAt + 4, box.end).includes('application/rdf+xml');
    return [{ id: bytes.readUIntBE(box.start + 4, idBytes), type, isXmp }];
  });
}

/** Where items lie in the file. */
function itemExtents(bytes: Buffer, boxes: readonly Box[]): ReadonlyMap<number, readonly Extent[]> {
  const iloc = boxes.find((box) => box.type === 'iloc');
  const found = new Map<number, Extent[]>();
  if (iloc === undefined) return found;
  const idat = boxes.find((box) => box.type === 'idat');
  const version = bytes[iloc.start] ?? 0;
  const sizes = bytes.readUInt16BE(iloc.start + 4);
  const [offsetBytes, lengthBytes, baseBytes] = [sizes >> 12, (sizes >> 8) & 15, (sizes >> 4) & 15];
  const indexBytes = version === 0 ? 0 : sizes & 15;
  const idBytes = version < 2 ? 2 : 4;
  let at = iloc.start + 6;
  const read = (size: number): number => {
    const value = size === 0 ? 0 : size === 8 ? Number(bytes.readBigUInt64BE(at)) : bytes.readUIntBE(at, size);
    at += size;
    if (at > iloc.end) throw new RangeError('cut off');
    return value;
  };
  const itemCount = read(idBytes);
  for (let item = 0; item < itemCount; item++) {
    const id = read(idBytes);
    const method = version === 0 ? 0 : read(2) & 15;
    read(2);
    const base = read(baseBytes) + (method === 1 ? (idat?.start ?? 0) : 0);
    const extents: Extent[] = [];
    const extentCount = read(2);
    for (let extent = 0; extent < extentCount; extent++) {
      read(indexBytes);
      const start = base + read(offsetBytes);
      extents.push({ start, length: read(lengthBytes) });
    }
    if (method <= 1) found.set(id, extents);
  }
  return found;
}
