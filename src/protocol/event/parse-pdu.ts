/**
 * The format of PDUs that came from outside. Written by hand: it stands on the path of every federated event.
 * Spec: "Event format" of each room version, client-server-api/#size-limits
 */
import {
  type EventId,
  fitsBytes,
  ID_BYTES_MAX,
  isHashRoomId,
  parseEventId,
  parseRoomId,
  parseUserId,
} from '../ids/index.ts';
import {
  isJsonArray,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  NotCanonicalError,
  readInteger,
  withPlainNumbers,
} from '../json/index.ts';
import type { RoomVersionRules } from '../room-versions/index.ts';
import { BadPduError } from './bad-pdu-error.ts';
import { Event } from './event.ts';
import { canonicalJsonFor, eventSignedText, hashedEventId } from './hashes.ts';
import type { Pdu } from './pdu.ts';

/** The largest event, in bytes of canonical JSON. Spec: client-server-api/#size-limits */
export const PDU_BYTES_MAX = 65_536;
/** Spec: "Event format" of each room version. */
export const AUTH_EVENTS_MAX = 10;
/** Spec: "Event format" of each room version. */
export const PREV_EVENTS_MAX = 20;

/**
 * Checks a PDU's format and sizes, and computes its id. `unsigned` is dropped: nobody vouches for it, and it doesn't
 * count into the size, so that all servers judge an event alike. Signatures, hashes and authorization aren't looked at.
 * Spec: server-server-api/#checks-performed-on-receipt-of-a-pdu, check 1
 * @throws BadPduError
 */
export function parsePdu(value: JsonObject, rules: RoomVersionRules): Event {
  const { unsigned: _unsigned, ...exact } = value;
  // With numbers that are kept as they were written, no strict canonical JSON can be made.
  const pdu = rules.strictCanonicalJson ? exact : withPlainNumbers(exact);
  checkCommonFields(pdu);
  checkNumbers(pdu, rules);
  checkRoomId(pdu, rules);
  checkHashes(pdu);
  checkReferences(pdu, 'prev_events', PREV_EVENTS_MAX, rules);
  checkReferences(pdu, 'auth_events', AUTH_EVENTS_MAX, rules);
  const ownId = rules.eventIds === 'in-event' ? ownEventId(pdu) : undefined;
  try {
    const json = canonicalJsonFor(exact, rules);
    checkPduSize(json);
    const eventId = ownId ?? hashedEventId(eventSignedText(exact, rules), rules);
    return Event.fromParts(eventId, json, rules, { pdu });
  } catch (error) {
    if (error instanceof NotCanonicalError) throw new BadPduError('bad-format', error.message);
    throw error;
  }
}

/** @throws BadPduError where the event's JSON is larger than an event may be */
export function checkPduSize(json: string): void {
  if (!fitsBytes(json, PDU_BYTES_MAX)) throw tooLarge(`the event is larger than ${PDU_BYTES_MAX} bytes`);
}

/** @throws BadPduError where type or state key are larger than they may be, or the type holds what divides the two */
export function checkKeys(type: string, stateKey: string | undefined): void {
  // State is kept under `type NUL key`: two pairs must not become one.
  if (type.includes('\0')) throw badFormat('type must not contain NUL');
  if (!fitsBytes(type, ID_BYTES_MAX)) throw tooLarge(`type is longer than ${ID_BYTES_MAX} bytes`);
  if (stateKey !== undefined && !fitsBytes(stateKey, ID_BYTES_MAX)) {
    throw tooLarge(`state_key is longer than ${ID_BYTES_MAX} bytes`);
  }
}

function checkCommonFields(pdu: JsonObject): asserts pdu is Pdu {
  const { type, sender, state_key: stateKey, content } = pdu;
  if (typeof type !== 'string') throw badFormat('type must be a string');
  if (stateKey !== undefined && typeof stateKey !== 'string') throw badFormat('state_key must be a string');
  checkKeys(type, stateKey);
  if (typeof sender !== 'string' || parseUserId(sender) === undefined) throw badFormat('sender must be a user id');
  if (!isJsonObject(content)) throw badFormat('content must be an object');
}

/** Room versions 1 to 5 allow numbers up to 2^63-1: to be read, they are rounded to doubles. */
function checkNumbers(pdu: JsonObject, rules: RoomVersionRules): void {
  if (rules.strictCanonicalJson) {
    if (readInteger(pdu, 'origin_server_ts') === undefined) throw badFormat('origin_server_ts must be an integer');
    const depth = readInteger(pdu, 'depth');
    if (depth === undefined || depth < 0) throw badFormat('depth must be an integer from 0 to 2^53-1');
  } else {
    const { origin_server_ts: timestamp, depth } = pdu;
    if (!Number.isInteger(timestamp)) throw badFormat('origin_server_ts must be an integer');
    if (typeof depth !== 'number' || !Number.isInteger(depth) || depth < 0 || depth > 2 ** 63) {
      throw badFormat('depth must be an integer from 0 to 2^63-1');
    }
  }
}

/** Spec: rooms/v12/#event-format-1: the create event has no room id, all others have a hash. */
function checkRoomId(pdu: JsonObject, rules: RoomVersionRules): void {
  const { room_id: roomId, type } = pdu;
  if (rules.createEventIsRoomId && type === 'm.room.create') {
    if (roomId !== undefined) throw badFormat('m.room.create must not have a room_id in this room version');
    return;
  }
  const parsed = typeof roomId === 'string' ? parseRoomId(roomId) : undefined;
  if (parsed === undefined) throw badFormat('room_id must be a room id');
  if (isHashRoomId(parsed) !== rules.createEventIsRoomId)
    throw badFormat('room_id has the form of another room version');
}

function checkHashes(pdu: JsonObject): void {
  const { hashes, signatures } = pdu;
  if (!isJsonObject(hashes) || typeof hashes.sha256 !== 'string') throw badFormat('hashes must have a string sha256');
  if (!isJsonObject(signatures)) throw badFormat('signatures must be an object');
  for (const ofEntity of Object.values(signatures)) {
    if (!isJsonObject(ofEntity)) throw badFormat('signatures must be an object of objects of strings');
    for (const signature of Object.values(ofEntity)) {
      if (typeof signature !== 'string') throw badFormat('signatures must be an object of objects of strings');
    }
  }
}

function checkReferences(pdu: JsonObject, field: string, countMax: number, rules: RoomVersionRules): void {
  const references = pdu[field];
  if (!isJsonArray(references)) throw badFormat(`${field} must be an array`);
  if (references.length > countMax) throw badFormat(`${field} must not have more than ${countMax} entries`);
  const isReference = rules.eventIds === 'in-event' ? isPair : isEventId;
  for (const reference of references) {
    if (!isReference(reference)) throw badFormat(`${field} has an entry of the wrong form`);
  }
}

function isEventId(value: JsonValue | undefined): boolean {
  return typeof value === 'string' && parseEventId(value) !== undefined;
}

/** Room versions 1 and 2: `[event id, {"sha256": hash}]`. */
function isPair(value: JsonValue): boolean {
  return isJsonArray(value) && value.length === 2 && isEventId(value[0]) && isJsonObject(value[1]);
}

/** Room versions 1 and 2. Spec: rooms/v1/#event-ids */
function ownEventId(pdu: JsonObject): EventId {
  const { event_id: text } = pdu;
  const eventId = typeof text === 'string' ? parseEventId(text) : undefined;
  if (eventId === undefined || !eventId.includes(':'))
    throw badFormat('event_id must be an event id with a server name');
  return eventId;
}

function badFormat(message: string): BadPduError {
  return new BadPduError('bad-format', message);
}

function tooLarge(message: string): BadPduError {
  return new BadPduError('too-large', message);
}
