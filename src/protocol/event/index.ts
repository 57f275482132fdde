/** Events: the immutable value, its making, its checking, its redaction, and what clients see of it. */
export { BadPduError } from './bad-pdu-error.ts';
export { buildEvent, type EventDraft, makeEventId } from './build-event.ts';
export { clientEventPrefix, strippedState } from './client-format.ts';
export { Event, type KnownParts } from './event.ts';
export { canonicalJsonFor, contentHash, eventSignedText, referenceHash } from './hashes.ts';
export { AUTH_EVENTS_MAX, PDU_BYTES_MAX, PREV_EVENTS_MAX, parsePdu } from './parse-pdu.ts';
export type { EventReference, Pdu } from './pdu.ts';
export { isPolicyExempt, POLICY_KEY_ID, POLICY_TYPE, type PolicyServer, policyServerOf } from './policy.ts';
export { redactContent, redactPdu } from './redact.ts';
export { redactEvent } from './redact-event.ts';
export { hasRelType, isValidEdit, type Relation, relationOf } from './relation.ts';
export { requiredSigners } from './required-signers.ts';
export { STICKY_KEY, STICKY_MS_MAX, stickyUntil } from './sticky.ts';
export { redactOnHashMismatch, verifyContentHash, verifyEventSignature } from './verify.ts';
