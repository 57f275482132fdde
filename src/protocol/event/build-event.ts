/**
 * Making events of our own. The PDU's fields are few and known, so its canonical JSON is put together by hand, around
 * the content, which is encoded once.
 * Spec: server-server-api/#adding-hashes-and-signatures-to-outgoing-events
 */
import { sha256Base64 } from '../crypto/sha256.ts';
import type { SigningKey } from '../crypto/signing-key.ts';
import { type EventId, parseEventId, type RoomId, type ServerName, type UserId } from '../ids/index.ts';
import { type JsonObject, NotCanonicalError } from '../json/index.ts';
import type { RoomVersionRules } from '../room-versions/index.ts';
import { BadPduError } from './bad-pdu-error.ts';
import { Event } from './event.ts';
import { canonicalJsonFor, hashedEventId } from './hashes.ts';
import { AUTH_EVENTS_MAX, checkKeys, checkPduSize, PREV_EVENTS_MAX } from './parse-pdu.ts';
import type { EventReference, Pdu } from './pdu.ts';
import { redactContent } from './redact.ts';
import { STICKY_KEY } from './sticky.ts';

/** What makes an event, before hashes and signature. */
export interface EventDraft {
  /** Left out for the create event of room version 12, and only there. */
  readonly roomId?: RoomId;
  readonly type: string;
  readonly sender: UserId;
  /** Present on state events. */
  readonly stateKey?: string;
  readonly content: JsonObject;
  /** Milliseconds since the epoch. */
  readonly originServerTs: number;
  readonly depth: number;
  readonly prevEvents: readonly EventId[];
  readonly authEvents: readonly EventId[];
  /** Of a redaction; it is put where the room version wants it. */
  readonly redacts?: EventId;
  /** MSC4354: makes it sticky for so long. */
  readonly stickyDurationMs?: number;
  readonly unsigned?: JsonObject;
  /** Room versions 1 and 2 only: the new event's id, `$opaque:server`. */
  readonly eventId?: EventId;
  /** Room versions 1 and 2 only: the reference hashes of prev and auth events. Those that are missing are left empty. */
  readonly referenceHashes?: ReadonlyMap<EventId, string>;
}

/**
 * Hashes and signs an event.
 * @throws BadPduError where the draft has no canonical JSON or breaks a size limit
 */
export function buildEvent(draft: EventDraft, rules: RoomVersionRules, serverName: ServerName, key: SigningKey): Event {
  checkDraft(draft, rules);
  try {
    return build(draft, rules, serverName, key);
  } catch (error) {
    if (error instanceof NotCanonicalError) throw new BadPduError('bad-format', error.message);
    throw error;
  }
}

function build(draft: EventDraft, rules: RoomVersionRules, serverName: ServerName, key: SigningKey): Event {
  const content = contentOf(draft, rules);
  const contentJson = canonicalJsonFor(content, rules);
  const redactedContentJson = canonicalJsonFor(redactContent(draft.type, content, rules), rules);
  const fields = fieldsOf(draft, rules);

  const { redacts, sticky } = fields;
  const hash = sha256Base64(joinFields(fields, { content: contentJson, redacts, sticky }));
  const hashes = `"hashes":{"sha256":"${hash}"},`;
  const signedText = joinFields(fields, { content: redactedContentJson, hashes });
  const signature = key.sign(signedText);
  const signatures = `"signatures":{"${serverName}":{"${key.keyId}":"${signature}"}},`;
  const unsigned = draft.unsigned === undefined ? '' : `,"unsigned":${canonicalJsonFor(draft.unsigned, rules)}`;
  const json = joinFields(fields, { content: contentJson, hashes, redacts, signatures, sticky, unsigned });
  checkPduSize(json);

  const eventId = draft.eventId ?? hashedEventId(signedText, rules);
  const pdu = pduOf(draft, rules, content, hash, { [serverName]: { [key.keyId]: signature } });
  return Event.fromParts(eventId, json, rules, { pdu, contentJson });
}

/** A redaction names its target in the content since room version 11. */
function contentOf(draft: EventDraft, rules: RoomVersionRules): JsonObject {
  return draft.redacts !== undefined && rules.redactsInContent
    ? { ...draft.content, redacts: draft.redacts }
    : draft.content;
}

/** The fields' JSON in canonical order, each with its comma. */
interface Fields {
  readonly authEvents: string;
  readonly depth: string;
  readonly eventId: string;
  readonly timestamp: string;
  readonly prevEvents: string;
  readonly redacts: string;
  readonly rest: string;
  /** Not protected from redaction. */
  readonly sticky: string;
  readonly type: string;
}

function fieldsOf(draft: EventDraft, rules: RoomVersionRules): Fields {
  const room = draft.roomId === undefined ? '' : `"room_id":${canonicalJsonFor(draft.roomId, rules)},`;
  const stateKey = draft.stateKey === undefined ? '' : `"state_key":${canonicalJsonFor(draft.stateKey, rules)},`;
  return {
    authEvents: canonicalJsonFor(referencesOf(draft, draft.authEvents, rules), rules),
    depth: canonicalJsonFor(draft.depth, rules),
    eventId: draft.eventId === undefined ? '' : `"event_id":${canonicalJsonFor(draft.eventId, rules)},`,
    timestamp: canonicalJsonFor(draft.originServerTs, rules),
    prevEvents: canonicalJsonFor(referencesOf(draft, draft.prevEvents, rules), rules),
    redacts:
      draft.redacts === undefined || rules.redactsInContent
        ? ''
        : `"redacts":${canonicalJsonFor(draft.redacts, rules)},`,
    rest: `${room}"sender":${canonicalJsonFor(draft.sender, rules)},`,
    sticky: draft.stickyDurationMs === undefined ? '' : `"${STICKY_KEY}":{"duration_ms":${draft.stickyDurationMs}},`,
    type: `${stateKey}"type":${canonicalJsonFor(draft.type, rules)}`,
  };
}

interface Variable {
  readonly content: string;
  readonly hashes?: string;
  readonly redacts?: string;
  readonly signatures?: string;
  readonly sticky?: string;
  readonly unsigned?: string;
}

function joinFields(
  fields: Fields,
  { content, hashes = '', redacts = '', signatures = '', sticky = '', unsigned = '' }: Variable,
) {
  return `{"auth_events":${fields.authEvents},"content":${content},"depth":${fields.depth},${fields.eventId}${hashes}${sticky}"origin_server_ts":${fields.timestamp},"prev_events":${fields.prevEvents},${redacts}${fields.rest}${signatures}${fields.type}${unsigned}}`;
}

function referencesOf(
  draft: EventDraft,
  eventIds: readonly EventId[],
  rules: RoomVersionRules,
): readonly string[] | readonly EventReference[] {
  if (rules.eventIds !== 'in-event') return eventIds;
  return eventIds.map((eventId): EventReference => {
    const hash = draft.referenceHashes?.get(eventId);
    return [eventId, hash === undefined ? {} : { sha256: hash }];
  });
}

function pduOf(
  draft: EventDraft,
  rules: RoomVersionRules,
  content: JsonObject,
  hash: string,
  signatures: JsonObject,
): Pdu {
  return {
    auth_events: referencesOf(draft, draft.authEvents, rules),
    content,
    depth: draft.depth,
    hashes: { sha256: hash },
    origin_server_ts: draft.originServerTs,
    prev_events: referencesOf(draft, draft.prevEvents, rules),
    sender: draft.sender,
    signatures,
    type: draft.type,
    ...(draft.eventId === undefined ? {} : { event_id: draft.eventId }),
    ...(draft.redacts === undefined || rules.redactsInContent ? {} : { redacts: draft.redacts }),
    ...(draft.roomId === undefined ? {} : { room_id: draft.roomId }),
    ...(draft.stickyDurationMs === undefined ? {} : { [STICKY_KEY]: { duration_ms: draft.stickyDurationMs } }),
    ...(draft.stateKey === undefined ? {} : { state_key: draft.stateKey }),
    ...(draft.unsigned === undefined ? {} : { unsigned: draft.unsigned }),
  };
}

/** Mistakes of the caller are plain errors; what a client can bring about is a `BadPduError`. */
function checkDraft(draft: EventDraft, rules: RoomVersionRules): void {
  const isRoomless = rules.createEventIsRoomId && draft.type === 'm.room.create';
  if (isRoomless !== (draft.roomId === undefined))
    throw new Error('a draft has a room id unless it is a v12 create event');
  if ((rules.eventIds === 'in-event') !== (draft.eventId !== undefined)) {
    throw new Error('a draft has an event id in room versions 1 and 2, and only there');
  }
  if (draft.prevEvents.length > PREV_EVENTS_MAX || draft.authEvents.length > AUTH_EVENTS_MAX) {
    throw new Error('a draft has too many prev or auth events');
  }
  checkKeys(draft.type, draft.stateKey);
}

/** The id of a new event in room versions 1 and 2. `opaque`: random, of letters and digits. Spec: rooms/v1/#event-ids */
export function makeEventId(opaque: string, serverName: ServerName): EventId {
  const eventId = parseEventId(`$${opaque}:${serverName}`);
  if (eventId === undefined) throw new RangeError('not an event id');
  return eventId;
}
