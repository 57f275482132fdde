import type { Kysely } from 'kysely';
import { clustered, idColumn, type Migrations } from '../../storage/index.ts';
import { threePidMigrations } from '../threepids/store.ts';
import { accountDataUsageMigrations } from './account-data-usage.ts';
import { externalIdsMigrations } from './external-ids.ts';
import { restrictionsMigrations } from './restrictions.ts';
import { shortTokensMigrations } from './short-tokens.ts';

/** The tables of this domain, as they came to be. */
export const accountsMigrations: Migrations = {
  '0100_accounts_init': { up: createTables },
  ...shortTokensMigrations,
  ...threePidMigrations,
  ...externalIdsMigrations,
  ...restrictionsMigrations,
  ...accountDataUsageMigrations,
};

async function createTables(db: Kysely<unknown>): Promise<void> {
  const { schema } = db;
  await schema
    .createTable('users')
    .addColumn('user_id', 'text', (c) => c.primaryKey().notNull())
    .addColumn('password_hash', 'text')
    .addColumn('is_admin', 'integer', (c) => c.notNull())
    .addColumn('is_guest', 'integer', (c) => c.notNull())
    .addColumn('user_type', 'text')
    .addColumn('is_locked', 'integer', (c) => c.notNull())
    .addColumn('is_suspended', 'integer', (c) => c.notNull())
    .addColumn('is_deactivated', 'integer', (c) => c.notNull())
    .addColumn('is_erased', 'integer', (c) => c.notNull())
    .addColumn('created_ts', 'integer', (c) => c.notNull())
    .modifyEnd(clustered)
    .execute();
  await schema
    .createTable('devices')
    .addColumn('user_id', 'text', (c) => c.notNull())
    .addColumn('device_id', 'text', (c) => c.notNull())
    .addColumn('display_name', 'text')
    .addColumn('last_seen_ip', 'text')
    .addColumn('last_seen_user_agent', 'text')
    .addColumn('last_seen_ts', 'integer')
    .addColumn('created_ts', 'integer', (c) => c.notNull())
    .addPrimaryKeyConstraint('devices_pk', ['user_id', 'device_id'])
    .modifyEnd(clustered)
    .execute();
  await createTokens(db);
  await createRegistration(db);
  await createUserData(db);
}

async function createTokens({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('access_tokens')
    .addColumn('token_id', 'integer', idColumn)
    .addColumn('token_hash', 'text', (c) => c.notNull().unique())
    .addColumn('user_id', 'text', (c) => c.notNull())
    .addColumn('device_id', 'text')
    .addColumn('created_ts', 'integer', (c) => c.notNull())
    .addColumn('expires_ts', 'integer')
    .addColumn('refresh_id', 'integer')
    .addColumn('replaces_id', 'integer')
    .execute();
  await schema.createIndex('access_tokens_by_device').on('access_tokens').columns(['user_id', 'device_id']).execute();
  await schema
    .createTable('refresh_tokens')
    .addColumn('refresh_id', 'integer', idColumn)
    .addColumn('token_hash', 'text', (c) => c.notNull().unique())
    .addColumn('user_id', 'text', (c) => c.notNull())
    .addColumn('device_id', 'text', (c) => c.notNull())
    .addColumn('created_ts', 'integer', (c) => c.notNull())
    .addColumn('expires_ts', 'integer')
    .addColumn('replaces_id', 'integer')
    .execute();
  await schema.createIndex('refresh_tokens_by_device').on('refresh_tokens').columns(['user_id', 'device_id']).execute();
}

async function createRegistration({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('uia_sessions')
    .addColumn('session_hash', 'text', (c) => c.primaryKey().notNull())
    .addColumn('completed', 'text', (c) => c.notNull())
    .addColumn('expires_ts', 'integer', (c) => c.notNull())
    .modifyEnd(clustered)
    .execute();
  await schema.createIndex('uia_sessions_by_expiry').on('uia_sessions').column('expires_ts').execute();
  await schema
    .createTable('server_secrets')
    .addColumn('name', 'text', (c) => c.primaryKey().notNull())
    .addColumn('value', 'text', (c) => c.notNull())
    .execute();
  await schema
    .createTable('registration_tokens')
    .addColumn('token', 'text', (c) => c.primaryKey().notNull())
    .addColumn('uses_allowed', 'integer')
    .addColumn('completed', 'integer', (c) => c.notNull())
    .addColumn('expires_ts', 'integer')
    .addColumn('created_ts', 'integer', (c) => c.notNull())
    .modifyEnd(clustered)
    .execute();
  await schema
    .createTable('terms_consents')
    .addColumn('user_id', 'text', (c) => c.notNull())
    .addColumn('policy_id', 'text', (c) => c.notNull())
    .addColumn('version', 'text', (c) => c.notNull())
    .addColumn('accepted_ts', 'integer', (c) => c.notNull())
    .addPrimaryKeyConstraint('terms_consents_pk', ['user_id', 'policy_id', 'version'])
    .modifyEnd(clustered)
    .execute();
}

async function createUserData({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('profiles')
    .addColumn('user_id', 'text', (c) => c.primaryKey().notNull())
    .addColumn('displayname', 'text')
    .addColumn('avatar_url', 'text')
    .addColumn('fields', 'text', (c) => c.notNull())
    .addColumn('position', 'integer', (c) => c.notNull())
    .execute();
  await schema.createIndex('profiles_by_position').on('profiles').column('position').execute();
  await schema
    .createTable('account_data')
    .addColumn('user_id', 'text', (c) => c.notNull())
    .addColumn('room_id', 'text', (c) => c.notNull())
    .addColumn('type', 'text', (c) => c.notNull())
    .addColumn('content', 'text', (c) => c.notNull())
    .addColumn('position', 'integer', (c) => c.notNull())
    .addPrimaryKeyConstraint('account_data_pk', ['user_id', 'room_id', 'type'])
    .execute();
  await schema.createIndex('account_data_by_user').on('account_data').columns(['user_id', 'position']).execute();
  await schema.createIndex('account_data_by_position').on('account_data').column('position').execute();
  await schema
    .createTable('filters')
    .addColumn('user_id', 'text', (c) => c.notNull())
    .addColumn('filter_id', 'integer', (c) => c.notNull())
    .addColumn('digest', 'text', (c) => c.notNull())
    .addColumn('json', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('filters_pk', ['user_id', 'filter_id'])
    .addUniqueConstraint('filters_by_digest', ['user_id', 'digest'])
    .execute();
}
