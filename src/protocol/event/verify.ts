/**
 * Hash and signature checks of received events. Which servers must have signed, and with which keys, is for the caller.
 * Spec: server-server-api/#validating-hashes-and-signatures-on-received-events
 */
import { decodeBase64 } from '../crypto/base64.ts';
import { verifyAsync } from '../crypto/ed25519.ts';
import { type SigningEntity, signatureOf } from '../crypto/sign-json.ts';
import type { KeyId } from '../ids/index.ts';
import { readString } from '../json/index.ts';
import type { Event } from './event.ts';
import { contentHash, eventSignedText } from './hashes.ts';
import { redactEvent } from './redact-event.ts';

/** Whether the event bears the hash of its whole content. A redacted one doesn't, and neither does a forged one. */
export function verifyContentHash(event: Event): boolean {
  const claimed = decodeBase64(readString(event.pdu.hashes, 'sha256') ?? '');
  const actual = decodeBase64(contentHash(event.exactPdu));
  return claimed !== undefined && actual !== undefined && claimed.equals(actual);
}

/** The event, or its redacted form where the content hash doesn't match. */
export function redactOnHashMismatch(event: Event): Event {
  return verifyContentHash(event) ? event : redactEvent(event);
}

/** Whether `entity` signed the event with the key (`publicKey` in unpadded base64). Runs in the thread pool. */
export async function verifyEventSignature(
  event: Event,
  entity: SigningEntity,
  keyId: KeyId,
  publicKey: string,
): Promise<boolean> {
  const signature = signatureOf(event.pdu, entity, keyId);
  if (signature === undefined) return false;
  return verifyAsync(eventSignedText(event.exactPdu, event.rules), signature, publicKey);
}
