import type { JsonObject, JsonValue } from '../json/index.ts';

/** A reference to an event in room versions 1 and 2: its id and hashes. */
export type EventReference = readonly [eventId: string, hashes: JsonObject];

/**
 * A persistent data unit: an event as servers exchange it. Its format has been checked by `parsePdu`.
 * Spec: server-server-api/#pdus, and "Event format" of each room version
 */
export interface Pdu extends JsonObject {
  readonly type: string;
  readonly sender: string;
  /** Absent on the create event of room version 12. */
  readonly room_id?: string;
  /** Only in room versions 1 and 2. */
  readonly event_id?: string;
  readonly state_key?: string;
  readonly content: JsonObject;
  /** Milliseconds since the epoch. */
  readonly origin_server_ts: number;
  readonly depth: number;
  readonly prev_events: readonly string[] | readonly EventReference[];
  readonly auth_events: readonly string[] | readonly EventReference[];
  /** Until room version 10; not checked, so read it by `Event.redacts`. */
  readonly redacts?: JsonValue;
  /** MSC4354: for how long the event is sticky; not checked, so read it by `Event.stickyDurationMs`. */
  readonly msc4354_sticky?: JsonValue;
  readonly hashes: JsonObject;
  readonly signatures: JsonObject;
  readonly unsigned?: JsonObject;
}
