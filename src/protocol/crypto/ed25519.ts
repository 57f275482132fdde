/**
 * Ed25519 by node:crypto, which takes keys only in DER: a raw key is put behind the fixed header of its kind (RFC 8410).
 */
import { createPrivateKey, createPublicKey, type KeyObject, verify } from 'node:crypto';
import { decodeBase64 } from './base64.ts';

const PKCS8_HEADER = Buffer.from('302e020100300506032b657004220420', 'hex');
const SPKI_HEADER = Buffer.from('302a300506032b6570032100', 'hex');
const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
const CACHED_KEYS_MAX = 1000;

/** The private key that grows from a seed of 32 bytes. */
export function privateKeyFromSeed(seed: Uint8Array): KeyObject {
  if (seed.length !== KEY_BYTES) throw new RangeError(`An Ed25519 seed has ${KEY_BYTES} bytes, not ${seed.length}`);
  return createPrivateKey({ key: Buffer.concat([PKCS8_HEADER, seed]), format: 'der', type: 'pkcs8' });
}

/** The raw 32 bytes of the public key that belongs to a private one. */
export function rawPublicKey(privateKey: KeyObject): Buffer {
  return createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).subarray(SPKI_HEADER.length);
}

/** Making a KeyObject costs as much as half a verification, and a few servers make most of the traffic. */
const publicKeys = new Map<string, KeyObject>();

/** The public key in unpadded base64 as a KeyObject; undefined where it isn't a key. */
function publicKeyFromBase64(text: string): KeyObject | undefined {
  const cached = publicKeys.get(text);
  if (cached !== undefined) return cached;
  const raw = decodeBase64(text);
  if (raw?.length !== KEY_BYTES) return undefined;
  const key = createPublicKey({ key: Buffer.concat([SPKI_HEADER, raw]), format: 'der', type: 'spki' });
  if (publicKeys.size >= CACHED_KEYS_MAX) publicKeys.clear();
  publicKeys.set(text, key);
  return key;
}

/**
 * Verifies on this thread (about 90 us). Key and signature are in base64; what can't be decoded doesn't verify.
 */
export function verifySignature(message: string | Uint8Array, signature: string, publicKey: string): boolean {
  const parts = decodeParts(message, signature, publicKey);
  return parts !== undefined && verify(null, parts.message, parts.key, parts.signature);
}

/** As `verifySignature`, in the thread pool: for batches of events. */
export function verifyAsync(message: string | Uint8Array, signature: string, publicKey: string): Promise<boolean> {
  const parts = decodeParts(message, signature, publicKey);
  if (parts === undefined) return Promise.resolve(false);
  return new Promise((resolve, reject) => {
    verify(null, parts.message, parts.key, parts.signature, (error, isValid) => {
      if (error === null) resolve(isValid);
      else reject(error);
    });
  });
}

function decodeParts(message: string | Uint8Array, signature: string, publicKey: string) {
  const key = publicKeyFromBase64(publicKey);
  const bytes = decodeBase64(signature);
  if (key === undefined || bytes?.length !== SIGNATURE_BYTES) return undefined;
  return { key, signature: bytes, message: typeof message === 'string' ? Buffer.from(message) : message };
}
