/**
 * The hashes of events and the text that is signed.
 * Spec: server-server-api/#signing-events
 */
import { sha256Base64, sha256Base64Url } from '../crypto/sha256.ts';
import { type EventId, parseEventId } from '../ids/index.ts';
import { canonicalJson, canonicalJsonLenient, type JsonObject, type JsonValue } from '../json/index.ts';
import type { RoomVersionRules } from '../room-versions/index.ts';
import { redactPdu } from './redact.ts';

/** The canonical JSON of a value as the room version demands it. @throws NotCanonicalError */
export function canonicalJsonFor(value: JsonValue, rules: RoomVersionRules): string {
  return rules.strictCanonicalJson ? canonicalJson(value) : canonicalJsonLenient(value);
}

/**
 * The content hash in unpadded base64: of the whole event but `unsigned`, `signatures` and `hashes`. Numbers are taken as
 * they are, since an event with a bad one was refused before.
 * Spec: server-server-api/#calculating-the-content-hash-for-an-event
 * @throws NotCanonicalError
 */
export function contentHash(pdu: JsonObject): string {
  const { unsigned: _unsigned, signatures: _signatures, hashes: _hashes, ...rest } = pdu;
  return sha256Base64(canonicalJsonLenient(rest));
}

/**
 * The text that servers sign, and over which the reference hash goes: the redacted event without `signatures` (and
 * `unsigned`, which no redaction keeps).
 * Spec: server-server-api/#calculating-the-reference-hash-for-an-event
 * @throws NotCanonicalError
 */
export function eventSignedText(pdu: JsonObject, rules: RoomVersionRules): string {
  const { signatures: _signatures, ...rest } = redactPdu(pdu, rules);
  return canonicalJsonFor(rest, rules);
}

/**
 * The reference hash, in the alphabet of the room version (standard in versions 1 to 3, URL-safe since).
 * Spec: server-server-api/#calculating-the-reference-hash-for-an-event
 * @throws NotCanonicalError
 */
export function referenceHash(pdu: JsonObject, rules: RoomVersionRules): string {
  return hashReference(eventSignedText(pdu, rules), rules);
}

/** The reference hash of an event whose signed text is at hand. */
export function hashReference(signedText: string, rules: RoomVersionRules): string {
  return rules.eventIds === 'hash-urlsafe' ? sha256Base64Url(signedText) : sha256Base64(signedText);
}

/** The id of an event since room version 3: its reference hash. */
export function hashedEventId(signedText: string, rules: RoomVersionRules): EventId {
  const eventId = parseEventId(`$${hashReference(signedText, rules)}`);
  if (eventId === undefined) throw new Error('a hash makes an event id');
  return eventId;
}
