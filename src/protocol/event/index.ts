/** Events: the immutable value, its making, its checking, its redaction, and what clients see of it. */
export { Event } from './event.ts';
export type { EventReference, Pdu } from './pdu.ts';
