import { Event } from './event.ts';
import { canonicalJsonFor } from './hashes.ts';
import type { Pdu } from './pdu.ts';
import { redactPdu } from './redact.ts';

/**
 * The event as it is after redaction, under the same id. Redacting it again changes nothing.
 * Spec: client-server-api/#redactions
 */
export function redactEvent(event: Event): Event {
  const pdu = redactPdu(event.exactPdu, event.rules) as Pdu;
  const json = canonicalJsonFor(pdu, event.rules);
  return Event.fromParts(event.eventId, json, event.rules, event.rules.strictCanonicalJson ? { pdu } : {});
}
