/** The tables of the rooms: their columns, and what stands in them. Their creation is in migrations.ts. */
import type { Generated } from 'kysely';
import type { EventId, RoomAlias, RoomId, UserId } from '../../protocol/ids/index.ts';

/** What an event does to unread counts under the default push rules, for a user who isn't named by it. */
export const UNREAD = {
  /** It doesn't notify. */
  none: 0,
  /** It notifies. */
  notifies: 1,
  /** It notifies and is highlighted, for everybody in the room (`@room`, tombstones); no rows in `notifications`. */
  highlights: 2,
} as const;

export type Unread = (typeof UNREAD)[keyof typeof UNREAD];

export type Membership = 'join' | 'invite' | 'knock' | 'leave' | 'ban';

export interface RoomsTable {
  readonly room_nid: Generated<number>;
  readonly room_id: RoomId;
  readonly version: string;
  /** Root of the current state in the state tree. */
  readonly state_root: number;
  /** Compared and set by every append, so that two owners of a room can never both win. */
  readonly row_version: number;
  readonly joined_count: number;
  readonly invited_count: number;
  /** 1: in the published room directory. */
  readonly is_public: number;
  readonly created_ts: number;
  // A digest of the current state, for lists of rooms.
  readonly name: string | null;
  readonly topic: string | null;
  readonly canonical_alias: string | null;
  readonly avatar_url: string | null;
  readonly join_rule: string | null;
  readonly guest_access: string | null;
  readonly history_visibility: string | null;
  readonly room_type: string | null;
  /** The encryption algorithm. */
  readonly encryption: string | null;
  /** 0: `m.federate` is false. */
  readonly federate: number;
  readonly creator: string | null;
  /** The room that replaces this one, by its tombstone. */
  readonly tombstone_replacement: string | null;
}

export interface EventsTable {
  readonly nid: Generated<number>;
  readonly room_nid: number;
  readonly event_id: EventId;
  /** Order within the room and in the stream 'events'. null: outlier; > 0: live; < 0: backfilled. */
  readonly position: number | null;
  readonly depth: number;
  readonly type: string;
  /** null: not a state event. */
  readonly state_key: string | null;
  readonly sender: UserId;
  /** Root of the state before the event; the state after it is that plus the event itself. */
  readonly state_before: number;
  /** 1: the auth rules refused it. */
  readonly rejected: number;
  readonly soft_failed: number;
  readonly redacted_by: EventId | null;
  readonly unread: Unread;
  /** The first event of the thread that it is in. */
  readonly thread_root: EventId | null;
  /** `deviceId\0txnId` of the client that sent it, for `unsigned.transaction_id`. */
  readonly txn: string | null;
  /** The PDU's canonical JSON; after a redaction that of the redacted event. */
  readonly json: string;
}

export interface StateKeysTable {
  readonly nid: Generated<number>;
  readonly type: string;
  readonly state_key: string;
}

export interface ForwardExtremitiesTable {
  readonly room_nid: number;
  readonly event_nid: number;
}

export interface MembershipsTable {
  readonly user_id: UserId;
  readonly room_nid: number;
  readonly membership: Membership;
  /** The member event and its position. */
  readonly event_nid: number;
  readonly position: number;
  readonly sender: UserId;
  /** 1: the user forgot the room after leaving it. */
  readonly forgotten: number;
  readonly display_name: string | null;
  readonly avatar_url: string | null;
}

export interface RelationsTable {
  /** The event that relates to another one; an event has one relation at most. */
  readonly event_nid: number;
  readonly room_nid: number;
  readonly relates_to: EventId;
  readonly rel_type: string;
  /** The key of an annotation. */
  readonly key: string | null;
  readonly sender: UserId;
  readonly type: string;
  readonly position: number;
  /** Of the relating event: the latest edit is the one that counts. */
  readonly origin_server_ts: number;
}

export interface RedactionsTable {
  readonly redacts: EventId;
  /** The redaction. */
  readonly event_nid: number;
}

export interface ClientTransactionsTable {
  readonly user_id: UserId;
  /** '' for tokens without a device. */
  readonly device_id: string;
  readonly scope: string;
  readonly txn_id: string;
  readonly event_id: EventId;
  readonly created_ts: number;
}

export interface RoomAliasesTable {
  readonly alias: RoomAlias;
  readonly room_nid: number;
  readonly creator: UserId;
}

export interface ReceiptsTable {
  readonly room_nid: number;
  readonly user_id: UserId;
  /** `m.read`, `m.read.private`. */
  readonly type: string;
  /** '': unthreaded; 'main', or the thread's first event. */
  readonly thread_id: string;
  readonly event_id: EventId;
  /** Of the event. */
  readonly event_position: number;
  readonly ts: number;
  /** In the stream 'receipts'. */
  readonly position: number;
}

/** What an event does to one user's counts where that differs from the event's `unread`. */
export interface NotificationsTable {
  readonly user_id: UserId;
  readonly room_nid: number;
  /** Of the event. */
  readonly position: number;
  readonly event_nid: number;
  readonly thread_root: EventId | null;
  /** 1: notifies this user. Replaces what `events.unread` says. */
  readonly notify: number;
  readonly highlight: number;
  /** The actions of the push rule, as JSON; null: those of the default rules. */
  readonly actions: string | null;
}

declare module '../../storage/tables.ts' {
  interface Tables {
    rooms: RoomsTable;
    events: EventsTable;
    state_keys: StateKeysTable;
    forward_extremities: ForwardExtremitiesTable;
    memberships: MembershipsTable;
    relations: RelationsTable;
    redactions: RedactionsTable;
    client_transactions: ClientTransactionsTable;
    room_aliases: RoomAliasesTable;
    receipts: ReceiptsTable;
    notifications: NotificationsTable;
  }
}
