import { clientEventPrefix, Event } from '../../protocol/event/index.ts';
import type { EventId } from '../../protocol/ids/index.ts';
import { roomVersionRules } from '../../protocol/room-versions/index.ts';
import type { Unread } from './tables.ts';

/** In place of a device id in `txn`: the event was a delayed one, and the transaction id is its delay id (MSC4140). */
export const DELAYED_DEVICE = '\u0001delayed';

/** The columns of `events` that a stored event is made of, with the version of its room. */
export interface EventRow {
  readonly nid: number;
  readonly room_nid: number;
  readonly event_id: EventId;
  readonly position: number | null;
  readonly state_before: number;
  readonly rejected: number;
  readonly soft_failed: number;
  readonly redacted_by: EventId | null;
  readonly unread: Unread;
  readonly thread_root: EventId | null;
  readonly txn: string | null;
  readonly json: string;
  readonly version: string;
}

/** What this server knows of an event beside the event itself. */
export interface StoredParts {
  readonly nid: number;
  readonly roomNid: number;
  /** Order within the room and in the stream 'events'; backfilled ones are negative, outliers 0. */
  readonly position: number;
  /** Root of the state before it. */
  readonly stateBefore: number;
  readonly event: Event;
  readonly redactedBy: EventId | undefined;
  readonly txn: string | undefined;
  readonly unread: Unread;
  readonly threadRoot: EventId | undefined;
  /** Refused by the auth rules, or by the current state when it came: never shown to clients. */
  readonly isRefused: boolean;
  /** Refused by the auth rules as such: it changes no state, not even that of its successors. */
  readonly isRejected?: boolean;
}

/** An event with what this server knows of it. Immutable, shared through the cache: a redaction makes a new one. */
export class StoredEvent implements StoredParts {
  readonly nid: number;
  readonly roomNid: number;
  readonly position: number;
  readonly stateBefore: number;
  readonly event: Event;
  readonly redactedBy: EventId | undefined;
  /** `deviceId\0txnId` of the sending client. */
  readonly txn: string | undefined;
  readonly unread: Unread;
  readonly threadRoot: EventId | undefined;
  readonly isRefused: boolean;
  readonly isRejected: boolean;
  #clientPrefix: string | undefined;

  constructor(parts: StoredParts) {
    this.nid = parts.nid;
    this.roomNid = parts.roomNid;
    this.position = parts.position;
    this.stateBefore = parts.stateBefore;
    this.event = parts.event;
    this.redactedBy = parts.redactedBy;
    this.txn = parts.txn;
    this.unread = parts.unread;
    this.threadRoot = parts.threadRoot;
    this.isRefused = parts.isRefused;
    this.isRejected = parts.isRejected ?? false;
  }

  /** Whether the state before it is known: it has its place in the room's graph. Outliers have none. */
  get isPlaced(): boolean {
    return this.stateBefore !== 0 || this.event.isCreate;
  }

  /** The client's form of the event without `unsigned` and the closing brace; made once. */
  get clientPrefix(): string {
    this.#clientPrefix ??= clientEventPrefix(this.event);
    return this.#clientPrefix;
  }
}

/** A stored event from its row. Asserts that the room's version is known: we made or accepted the room. */
export function storedEventOf(row: EventRow): StoredEvent {
  const rules = roomVersionRules(row.version);
  if (rules === undefined) throw new Error(`room ${row.room_nid} has the unknown version ${row.version}`);
  return new StoredEvent({
    nid: row.nid,
    roomNid: row.room_nid,
    position: row.position ?? 0,
    stateBefore: row.state_before,
    event: Event.fromJson(row.event_id, row.json, rules),
    redactedBy: row.redacted_by ?? undefined,
    txn: row.txn ?? undefined,
    unread: row.unread,
    threadRoot: row.thread_root ?? undefined,
    isRefused: row.rejected === 1 || row.soft_failed === 1,
    isRejected: row.rejected === 1,
  });
}
