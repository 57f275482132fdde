/** Up to so many entries stand together in one leaf: a small room's state is one node. */
export const LEAF_ENTRIES_MAX = 24;
/** The hash has 32 bits, 5 a level; a leaf at this depth is never split. */
export const DEPTH_MAX = 6;

/** Entries sorted by key. */
export interface Leaf {
  readonly kind: 'leaf';
  readonly keys: readonly number[];
  readonly values: readonly number[];
}

/** One child for each bit set in `bitmap`, in the order of the bits. */
export interface Branch {
  readonly kind: 'branch';
  readonly bitmap: number;
  readonly children: readonly number[];
}

export type StateNode = Leaf | Branch;

export const EMPTY_LEAF: Leaf = { kind: 'leaf', keys: [], values: [] };

/** Which of 32 children a key belongs to at a depth. The mixing is murmur3's finalizer: different keys stay different. */
export function slotOf(key: number, depth: number): number {
  let hash = (key ^ Math.floor(key / 0x1_0000_0000)) | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  hash ^= hash >>> 16;
  return (hash >>> (5 * depth)) & 31;
}

/** The index of a slot's child in `children`, or undefined where it has none. */
export function childIndex(branch: Branch, slot: number): number | undefined {
  const bit = 1 << slot;
  if ((branch.bitmap & bit) === 0) return undefined;
  return countBits(branch.bitmap & (bit - 1));
}

/** The value under a key in a leaf. */
export function leafValue(leaf: Leaf, key: number): number | undefined {
  let low = 0;
  let high = leaf.keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((leaf.keys[middle] ?? 0) < key) low = middle + 1;
    else high = middle;
  }
  return leaf.keys[low] === key ? leaf.values[low] : undefined;
}

export function countBits(bits: number): number {
  let rest = bits - ((bits >>> 1) & 0x55555555);
  rest = (rest & 0x33333333) + ((rest >>> 2) & 0x33333333);
  return Math.imul((rest + (rest >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

const LEAF = 0;
const BRANCH = 1;

/** As stored: a byte for the kind, then varints. Keys of a leaf as differences, for they are sorted. */
export function encodeNode(node: StateNode): Uint8Array {
  const bytes: number[] = [];
  if (node.kind === 'leaf') {
    bytes.push(LEAF);
    let last = 0;
    for (const [index, key] of node.keys.entries()) {
      pushVarint(bytes, key - last);
      pushVarint(bytes, node.values[index] ?? 0);
      last = key;
    }
  } else {
    bytes.push(BRANCH);
    pushVarint(bytes, node.bitmap >>> 0);
    for (const child of node.children) pushVarint(bytes, child);
  }
  return Uint8Array.from(bytes);
}

/** @throws RangeError when the bytes are not a node: the table is damaged */
export function decodeNode(bytes: Uint8Array): StateNode {
  const numbers = readVarints(bytes.subarray(1));
  if (bytes[0] === LEAF) {
    if (numbers.length % 2 !== 0) throw new RangeError('a damaged state node');
    const keys: number[] = [];
    const values: number[] = [];
    let last = 0;
    for (let index = 0; index < numbers.length; index += 2) {
      last += numbers[index] ?? 0;
      keys.push(last);
      values.push(numbers[index + 1] ?? 0);
    }
    return { kind: 'leaf', keys, values };
  }
  const bitmap = (numbers[0] ?? 0) | 0;
  if (bytes[0] !== BRANCH || numbers.length !== 1 + countBits(bitmap)) throw new RangeError('a damaged state node');
  return { kind: 'branch', bitmap, children: numbers.slice(1) };
}

/** Seven bits a byte, lowest first; the eighth says that more follow. Numbers up to 2^53. */
function pushVarint(bytes: number[], number: number): void {
  let rest = number;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
}

function readVarints(bytes: Uint8Array): number[] {
  const numbers: number[] = [];
  let number = 0;
  let factor = 1;
  for (const byte of bytes) {
    number += (byte & 0x7f) * factor;
    if (byte & 0x80) {
      factor *= 0x80;
    } else {
      numbers.push(number);
      number = 0;
      factor = 1;
    }
  }
  if (factor !== 1) throw new RangeError('a damaged state node');
  return numbers;
}
