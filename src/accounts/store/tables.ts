/** The tables of accounts: who there is, how they prove it, and what they keep with us. */
import type { Generated } from 'kysely';

/** One row for each account that was ever registered here; deactivated ones stay, so that names never come back. */
export interface UsersTable {
  user_id: string;
  /** argon2id or (imported) bcrypt, in its text form; null where nobody can log in by password. */
  password_hash: string | null;
  is_admin: number;
  is_guest: number;
  /** What the account is for, such as `bot` or `support`; null for people. */
  user_type: string | null;
  is_locked: number;
  is_suspended: number;
  is_deactivated: number;
  /** Deactivated with the wish that what it wrote be forgotten. */
  is_erased: number;
  created_ts: number;
}

export interface DevicesTable {
  user_id: string;
  device_id: string;
  display_name: string | null;
  last_seen_ip: string | null;
  last_seen_user_agent: string | null;
  last_seen_ts: number | null;
  created_ts: number;
}

export interface AccessTokensTable {
  token_id: Generated<number>;
  /** SHA-256 of the token, base64url. The token itself is kept nowhere. */
  token_hash: string;
  user_id: string;
  /** Null for tokens that belong to no device. */
  device_id: string | null;
  created_ts: number;
  expires_ts: number | null;
  /** The refresh token that was handed out together with this token. */
  refresh_id: number | null;
  /** The refresh token that this token replaces: revoked when this one is used for the first time. */
  replaces_id: number | null;
}

export interface RefreshTokensTable {
  refresh_id: Generated<number>;
  token_hash: string;
  user_id: string;
  device_id: string;
  created_ts: number;
  expires_ts: number | null;
  /** The refresh token that this one replaces, until either of the new pair is used. */
  replaces_id: number | null;
}

/** User-interactive authentications in which something is completed. Before that the session id alone carries them. */
export interface UiaSessionsTable {
  /** SHA-256 of the session id that the client holds. */
  session_hash: string;
  /** JSON: the stages completed so far, in order, with what each found out. */
  completed: string;
  expires_ts: number;
}

/** Keys of our own that must survive a restart, by name. */
export interface ServerSecretsTable {
  name: string;
  /** 32 random bytes, base64url. */
  value: string;
}

export interface RegistrationTokensTable {
  token: string;
  /** Null: any number of times. */
  uses_allowed: number | null;
  completed: number;
  expires_ts: number | null;
  created_ts: number;
}

/** Which documents a user agreed to. */
export interface TermsConsentsTable {
  user_id: string;
  policy_id: string;
  version: string;
  accepted_ts: number;
}

export interface ProfilesTable {
  user_id: string;
  displayname: string | null;
  avatar_url: string | null;
  /** JSON object: all other fields. */
  fields: string;
  /** The position in the stream `profiles` of the last change. */
  position: number;
}

export interface AccountDataTable {
  user_id: string;
  /** Empty for data that belongs to no room. */
  room_id: string;
  type: string;
  /** JSON object. */
  content: string;
  /** The position in the stream `account_data` of the last change. */
  position: number;
}

export interface FiltersTable {
  user_id: string;
  filter_id: number;
  /** SHA-256 of the canonical JSON, so that the same filter gets the same id. */
  digest: string;
  json: string;
}

declare module '../../storage/tables.ts' {
  interface Tables {
    users: UsersTable;
    devices: DevicesTable;
    access_tokens: AccessTokensTable;
    refresh_tokens: RefreshTokensTable;
    uia_sessions: UiaSessionsTable;
    server_secrets: ServerSecretsTable;
    registration_tokens: RegistrationTokensTable;
    terms_consents: TermsConsentsTable;
    profiles: ProfilesTable;
    account_data: AccountDataTable;
    filters: FiltersTable;
  }
}
