/** The tables of devices: keys, messages to devices, backups. Their creation is in migrations.ts. */
import type { UserId } from '../../protocol/ids/index.ts';

/** Identity keys of devices, as they were uploaded. */
export interface DeviceKeysTable {
  readonly user_id: UserId;
  readonly device_id: string;
  /** Canonical JSON, with its owner's signatures only. */
  readonly json: string;
}

/**
 * One-time keys, those claimed among them: of these the last ones stay, so that none that is uploaded again goes out again.
 * Which were claimed: those up to the sequence in one_time_key_claims.
 */
export interface OneTimeKeysTable {
  readonly user_id: UserId;
  readonly device_id: string;
  readonly algorithm: string;
  /** The order in which a device's keys were uploaded; they go out in this order. */
  readonly sequence: number;
  readonly key_id: string;
  /** Canonical JSON: a string or an object. */
  readonly json: string;
}

/** Up to which sequence a device's one-time keys of an algorithm were given out; no row: none was. */
export interface OneTimeKeyClaimsTable {
  readonly user_id: UserId;
  readonly device_id: string;
  readonly algorithm: string;
  readonly sequence: number;
}

export interface FallbackKeysTable {
  readonly user_id: UserId;
  readonly device_id: string;
  readonly algorithm: string;
  readonly key_id: string;
  readonly json: string;
  readonly is_used: number;
}

export type CrossSigningUsage = 'master' | 'self_signing' | 'user_signing';

export interface CrossSigningKeysTable {
  readonly user_id: UserId;
  readonly usage: CrossSigningUsage;
  /** Unpadded base64. */
  readonly public_key: string;
  /** Canonical JSON as it was uploaded, with its owner's signatures only. */
  readonly json: string;
}

/** Signatures that were uploaded for a device's keys or for a cross-signing key. */
export interface KeySignaturesTable {
  readonly signer: UserId;
  /** `ed25519:…`. */
  readonly signing_key: string;
  readonly target_user: UserId;
  /** A device id or a public key. */
  readonly target: string;
  readonly signature: string;
}

/** What the server of a user of another server said of the user's devices and keys. */
export interface RemoteDeviceListsTable {
  readonly user_id: UserId;
  /** Where the stream 'events' was when it was asked. */
  readonly fetched_position: number;
  readonly fetched_ts: number;
  /** 1: their server said since then that something changed. */
  readonly is_stale: number;
  /** An object with the user's `device_keys`, `master_keys` and `self_signing_keys`. */
  readonly json: string;
}

/** The last change of each user's keys: one row a user, however often they change. */
export interface DeviceListChangesTable {
  readonly user_id: UserId;
  /** '': for whoever shares a room with the user; otherwise the one whose own signature it is. */
  readonly seen_by: UserId | '';
  /** In the stream 'device_lists'. */
  readonly position: number;
}

export interface ToDeviceMessagesTable {
  readonly user_id: UserId;
  readonly device_id: string;
  /** In the stream 'to_device'. A request sends at most one message to a device. */
  readonly position: number;
  /** The event as JSON. */
  readonly json: string;
}

/** Requests to send to devices that were done, so that the same one again does nothing. */
export interface ToDeviceTransactionsTable {
  readonly user_id: UserId;
  /** '' for tokens without a device. */
  readonly device_id: string;
  /** `eventType\0txnId`. */
  readonly txn: string;
  readonly created_ts: number;
}

/** Positions of streams whose rows are deleted: no position up to here is ever given out again. */
export interface StreamReservationsTable {
  readonly stream: string;
  readonly position: number;
}

export interface KeyBackupsTable {
  readonly user_id: UserId;
  readonly version: number;
  readonly algorithm: string;
  /** JSON object. */
  readonly auth_data: string;
  /** Goes up with each change of the backup's keys. */
  readonly etag: number;
  /** How many keys it holds. */
  readonly session_count: number;
  /** 1: deleted; only the newest version stays as such a row, so that its number doesn't come again. */
  readonly is_deleted: number;
}

export interface KeyBackupSessionsTable {
  readonly user_id: UserId;
  readonly version: number;
  readonly room_id: string;
  readonly session_id: string;
  readonly is_verified: number;
  readonly first_message_index: number;
  readonly forwarded_count: number;
  /** All of it as JSON. */
  readonly json: string;
}

/** A user's dehydrated device: it has keys and gets messages like others, but nobody is logged in on it. */
export interface DehydratedDevicesTable {
  readonly user_id: UserId;
  readonly device_id: string;
  /** JSON object. */
  readonly device_data: string;
}

declare module '../../storage/tables.ts' {
  interface Tables {
    device_keys: DeviceKeysTable;
    one_time_keys: OneTimeKeysTable;
    one_time_key_claims: OneTimeKeyClaimsTable;
    fallback_keys: FallbackKeysTable;
    cross_signing_keys: CrossSigningKeysTable;
    key_signatures: KeySignaturesTable;
    device_list_changes: DeviceListChangesTable;
    remote_device_lists: RemoteDeviceListsTable;
    to_device_messages: ToDeviceMessagesTable;
    to_device_transactions: ToDeviceTransactionsTable;
    stream_reservations: StreamReservationsTable;
    key_backups: KeyBackupsTable;
    key_backup_sessions: KeyBackupSessionsTable;
    dehydrated_devices: DehydratedDevicesTable;
  }
}
