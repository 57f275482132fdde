import { createHash, randomBytes, randomInt } from 'node:crypto';
import { type DeviceId, parseDeviceId } from '../protocol/ids/index.ts';

/** A secret that can't be guessed: 32 random bytes. The prefix tells scanners for leaked secrets what it is. */
export function newSecret(prefix = ''): string {
  return prefix + randomBytes(32).toString('base64url');
}

/** What is kept of a secret: its SHA-256, base64url. Enough for secrets of high entropy, never for passwords. */
export function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url');
}

/** A device id as clients are used to see them: ten capital letters. */
export function newDeviceId(): DeviceId {
  const deviceId = parseDeviceId(randomLetters(10, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'));
  if (deviceId === undefined) throw new Error('a generated device id is not valid');
  return deviceId;
}

/** A localpart for somebody who named none. */
export function newLocalpart(): string {
  return randomLetters(12, 'abcdefghijklmnopqrstuvwxyz');
}

function randomLetters(length: number, alphabet: string): string {
  return Array.from({ length }, () => alphabet.charAt(randomInt(alphabet.length))).join('');
}
