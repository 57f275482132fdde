import { type EventId, parseEventId, type RoomId, roomIdOfCreate, type UserId } from '../ids/index.ts';
import { type JsonObject, type JsonValue, parseExactJson, readString } from '../json/index.ts';
import type { RoomVersionRules } from '../room-versions/index.ts';
import type { Pdu } from './pdu.ts';
import { stickyDurationOf } from './sticky.ts';

const NO_UNSIGNED: JsonObject = Object.freeze({});

/** What the maker of an event already has at hand, to spare parsing it again. */
export interface KnownParts {
  readonly pdu?: Pdu;
  /** The content's canonical JSON. */
  readonly contentJson?: string;
}

/**
 * A signed, hashed, immutable event. It keeps its canonical JSON and parses it at first use. What this server thinks of
 * it (position, rejected, soft-failed) is kept elsewhere.
 * Spec: server-server-api/#pdus
 */
export class Event {
  readonly eventId: EventId;
  readonly rules: RoomVersionRules;
  /** The PDU's canonical JSON, as stored and as federated. */
  readonly json: string;
  private parsedPdu: Pdu | undefined;
  private parsedPrevEvents: readonly EventId[] | undefined;
  private parsedAuthEvents: readonly EventId[] | undefined;
  private knownContentJson: string | undefined;

  private constructor(eventId: EventId, json: string, rules: RoomVersionRules, known: KnownParts) {
    this.eventId = eventId;
    this.json = json;
    this.rules = rules;
    this.parsedPdu = known.pdu;
    this.parsedPrevEvents = undefined;
    this.parsedAuthEvents = undefined;
    this.knownContentJson = known.contentJson;
  }

  /** An event that was checked before, as from our store: nothing is checked again. */
  static fromJson(eventId: EventId, json: string, rules: RoomVersionRules): Event {
    return new Event(eventId, json, rules, {});
  }

  /** As `fromJson`, for makers of events that hold parts of it in parsed form. The parts must agree with `json`. */
  static fromParts(eventId: EventId, json: string, rules: RoomVersionRules, known: KnownParts): Event {
    return new Event(eventId, json, rules, known);
  }

  get pdu(): Pdu {
    this.parsedPdu ??= JSON.parse(this.json) as Pdu;
    return this.parsedPdu;
  }

  /**
   * The PDU with numbers as its sender wrote them, for whatever encodes it anew: room versions 1 to 5 have such that a double
   * can't hold. To be read, `pdu` is.
   */
  get exactPdu(): Pdu {
    return this.rules.strictCanonicalJson ? this.pdu : (parseExactJson(this.json) as Pdu);
  }

  /** In room version 12 the create event has none of its own: it is derived from the event's id. */
  get roomId(): RoomId {
    const { room_id: roomId } = this.pdu;
    if (roomId === undefined || (this.rules.createEventIsRoomId && this.type === 'm.room.create'))
      return roomIdOfCreate(this.eventId);
    return roomId as RoomId;
  }

  get type(): string {
    return this.pdu.type;
  }

  get sender(): UserId {
    return this.pdu.sender as UserId;
  }

  /** Undefined on events that aren't state. */
  get stateKey(): string | undefined {
    return this.pdu.state_key;
  }

  get isState(): boolean {
    return this.pdu.state_key !== undefined;
  }

  /** Whether this is the event that makes a room: state of type `m.room.create` under the empty key. */
  get isCreate(): boolean {
    return this.pdu.type === 'm.room.create' && this.pdu.state_key === '';
  }

  get content(): JsonObject {
    return this.pdu.content;
  }

  /** The content as JSON text. Its keys are in canonical order where the event was just made. */
  get contentJson(): string {
    this.knownContentJson ??= JSON.stringify(this.exactPdu.content);
    return this.knownContentJson;
  }

  /** Milliseconds since the epoch, as the sending server claims. */
  get originServerTs(): number {
    return this.pdu.origin_server_ts;
  }

  get depth(): number {
    return this.pdu.depth;
  }

  get prevEvents(): readonly EventId[] {
    this.parsedPrevEvents ??= eventIdsOf(this.pdu.prev_events);
    return this.parsedPrevEvents;
  }

  get authEvents(): readonly EventId[] {
    this.parsedAuthEvents ??= eventIdsOf(this.pdu.auth_events);
    return this.parsedAuthEvents;
  }

  /**
   * What an `m.room.redaction` redacts: from its content since room version 11, from its top level before. Undefined on
   * other events and where it isn't an event id.
   * Spec: rooms/v11/#moving-the-redacts-property-of-mroomredaction-events-to-a-content-property
   */
  get redacts(): EventId | undefined {
    if (this.type !== 'm.room.redaction') return undefined;
    const redacts = readString(this.rules.redactsInContent ? this.content : this.pdu, 'redacts');
    return redacts === undefined ? undefined : parseEventId(redacts);
  }

  /** For how long the sender wants it to be sticky, in milliseconds, unbounded; undefined: it isn't. MSC4354. */
  get stickyDurationMs(): number | undefined {
    const { msc4354_sticky: sticky } = this.pdu;
    return sticky === undefined ? undefined : stickyDurationOf(sticky);
  }

  /** What our own draft put there; `parsePdu` drops what other servers say. */
  get unsigned(): JsonObject {
    return this.pdu.unsigned ?? NO_UNSIGNED;
  }
}

/** The ids in `prev_events` or `auth_events`, be they plain or, in room versions 1 and 2, pairs with hashes. */
function eventIdsOf(references: readonly JsonValue[]): readonly EventId[] {
  const first = references[0];
  if (first === undefined || typeof first === 'string') return references as readonly EventId[];
  return references.map((reference) => (reference as readonly JsonValue[])[0] as EventId);
}
