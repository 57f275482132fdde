/**
 * Our signing keys and the file that keeps them: one a line, `ed25519 <version> <seed in unpadded base64>`, the format
 * that homeservers share.
 */
import { type KeyObject, sign } from 'node:crypto';
import { type KeyId, parseKeyId } from '../ids/index.ts';
import { decodeBase64, encodeBase64 } from './base64.ts';
import { privateKeyFromSeed, rawPublicKey } from './ed25519.ts';

const ALGORITHM = 'ed25519';
const VERSION = /^[A-Za-z0-9_]{1,200}$/;

/** A private key that signs in this server's name. */
export interface SigningKey {
  readonly keyId: KeyId;
  /** Unpadded base64. */
  readonly publicKey: string;
  /** The signature in unpadded base64 (about 33 us). A string is signed as its UTF-8. */
  sign(message: Uint8Array | string): string;
  /** The seed in unpadded base64. A secret: for the key file only. */
  exportSeed(): string;
}

/** A signing key file that can't be read. */
export class BadSigningKeyFileError extends Error {
  override readonly name = 'BadSigningKeyFileError';
}

class Ed25519SigningKey implements SigningKey {
  readonly keyId: KeyId;
  readonly publicKey: string;
  // Private to the language, so that no logger or inspector prints them.
  readonly #privateKey: KeyObject;
  readonly #seed: Uint8Array;

  constructor(keyId: KeyId, seed: Uint8Array) {
    this.keyId = keyId;
    this.#seed = Uint8Array.from(seed);
    this.#privateKey = privateKeyFromSeed(seed);
    this.publicKey = encodeBase64(rawPublicKey(this.#privateKey));
  }

  sign(message: Uint8Array | string): string {
    const bytes = typeof message === 'string' ? Buffer.from(message) : message;
    return encodeBase64(sign(null, bytes, this.#privateKey));
  }

  exportSeed(): string {
    return encodeBase64(this.#seed);
  }
}

/**
 * The signing key `ed25519:<version>` that grows from a seed of 32 random bytes.
 * @throws RangeError on a seed of another length or a version with characters beside `A-Z a-z 0-9 _`
 */
export function generateSigningKey(version: string, seed: Uint8Array): SigningKey {
  const keyId = VERSION.test(version) ? parseKeyId(`${ALGORITHM}:${version}`) : undefined;
  if (keyId === undefined) throw new RangeError('A key version has only letters, digits and _');
  return new Ed25519SigningKey(keyId, seed);
}

/**
 * Reads a signing key file; empty lines and lines that start with `#` are passed over. The first key is the one to sign
 * with.
 * @throws BadSigningKeyFileError that names the line, never what stands in it
 */
export function parseSigningKeyFile(text: string): SigningKey[] {
  const keys: SigningKey[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    const trimmed = line.trim();
    if (trimmed === '' || trimmed.startsWith('#')) continue;
    const key = parseLine(trimmed);
    if (typeof key === 'string') throw new BadSigningKeyFileError(`Line ${index + 1}: ${key}`);
    keys.push(key);
  }
  if (keys.length === 0) throw new BadSigningKeyFileError('There is no key in the file');
  return keys;
}

/** The key of one line, or what is wrong with it. */
function parseLine(line: string): SigningKey | string {
  const [algorithm, version, encoded, ...rest] = line.split(/\s+/);
  if (version === undefined || encoded === undefined || rest.length > 0) return 'expected "ed25519 <version> <seed>"';
  if (algorithm !== ALGORITHM) return 'the only algorithm is ed25519';
  if (!VERSION.test(version)) return 'a key version has only letters, digits and _';
  const seed = decodeBase64(encoded);
  if (seed?.length !== 32) return 'the seed must be 32 bytes in unpadded base64';
  return generateSigningKey(version, seed);
}

/** Writes a signing key file. It holds secrets: store it readable by the server's user only. */
export function formatSigningKeyFile(keys: readonly SigningKey[]): string {
  return keys.map((key) => `${ALGORITHM} ${key.keyId.slice(ALGORITHM.length + 1)} ${key.exportSeed()}\n`).join('');
}
