import { type CreateTableBuilder, type Kysely, sql } from 'kysely';
import { clustered, type Migrations } from '../../storage/index.ts';

/** The tables of this domain, as they came to be. */
export const devicesMigrations: Migrations = {
  '0300_devices_keys': { up: createKeys },
  '0301_devices_messages': { up: createMessages },
  '0302_devices_backups': { up: createBackups },
  '0303_devices_key_claims': { up: createKeyClaims },
  '0304_devices_remote_lists': { up: createRemoteLists },
};

async function createKeys({ schema }: Kysely<unknown>): Promise<void> {
  await ofDevice(schema.createTable('device_keys'))
    .addColumn('json', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('device_keys_pk', ['user_id', 'device_id'])
    .execute();
  await ofDevice(schema.createTable('one_time_keys'))
    .addColumn('algorithm', 'text', (c) => c.notNull())
    .addColumn('is_claimed', 'integer', (c) => c.notNull())
    .addColumn('sequence', 'integer', (c) => c.notNull())
    .addColumn('key_id', 'text', (c) => c.notNull())
    .addColumn('json', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('one_time_keys_pk', ['user_id', 'device_id', 'algorithm', 'is_claimed', 'sequence'])
    .modifyEnd(clustered)
    .execute();
  await ofDevice(schema.createTable('fallback_keys'))
    .addColumn('algorithm', 'text', (c) => c.notNull())
    .addColumn('key_id', 'text', (c) => c.notNull())
    .addColumn('json', 'text', (c) => c.notNull())
    .addColumn('is_used', 'integer', (c) => c.notNull())
    .addPrimaryKeyConstraint('fallback_keys_pk', ['user_id', 'device_id', 'algorithm'])
    .modifyEnd(clustered)
    .execute();
  await schema
    .createTable('cross_signing_keys')
    .addColumn('user_id', 'text', (c) => c.notNull())
    .addColumn('usage', 'text', (c) => c.notNull())
    .addColumn('public_key', 'text', (c) => c.notNull())
    .addColumn('json', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('cross_signing_keys_pk', ['user_id', 'usage'])
    .modifyEnd(clustered)
    .execute();
  await schema
    .createTable('key_signatures')
    .addColumn('signer', 'text', (c) => c.notNull())
    .addColumn('target_user', 'text', (c) => c.notNull())
    .addColumn('target', 'text', (c) => c.notNull())
    .addColumn('signing_key', 'text', (c) => c.notNull())
    .addColumn('signature', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('key_signatures_pk', ['signer', 'target_user', 'target', 'signing_key'])
    .modifyEnd(clustered)
    .execute();
  await schema.createIndex('key_signatures_target').on('key_signatures').columns(['target_user', 'target']).execute();
  await schema
    .createTable('device_list_changes')
    .addColumn('user_id', 'text', (c) => c.notNull())
    .addColumn('seen_by', 'text', (c) => c.notNull())
    .addColumn('position', 'integer', (c) => c.notNull())
    .addPrimaryKeyConstraint('device_list_changes_pk', ['user_id', 'seen_by'])
    .modifyEnd(clustered)
    .execute();
  await schema
    .createIndex('device_list_changes_position')
    .on('device_list_changes')
    .columns(['seen_by', 'position'])
    .execute();
}

async function createMessages({ schema }: Kysely<unknown>): Promise<void> {
  await ofDevice(schema.createTable('to_device_messages'))
    .addColumn('position', 'integer', (c) => c.notNull())
    .addColumn('json', 'text', (c) => c.notNull())
    .execute();
  // Not clustered: a message to a thousand devices is written in one place, and only its index all over.
  await schema
    .createIndex('to_device_messages_device')
    .unique()
    .on('to_device_messages')
    .columns(['user_id', 'device_id', 'position'])
    .execute();
  await ofDevice(schema.createTable('to_device_transactions'))
    .addColumn('txn', 'text', (c) => c.notNull())
    .addColumn('created_ts', 'integer', (c) => c.notNull())
    .addPrimaryKeyConstraint('to_device_transactions_pk', ['user_id', 'device_id', 'txn'])
    .modifyEnd(clustered)
    .execute();
  await schema.createIndex('to_device_transactions_age').on('to_device_transactions').column('created_ts').execute();
  await schema
    .createTable('stream_reservations')
    .addColumn('stream', 'text', (c) => c.primaryKey().notNull())
    .addColumn('position', 'integer', (c) => c.notNull())
    .modifyEnd(clustered)
    .execute();
  await schema
    .createTable('dehydrated_devices')
    .addColumn('user_id', 'text', (c) => c.primaryKey().notNull())
    .addColumn('device_id', 'text', (c) => c.notNull())
    .addColumn('device_data', 'text', (c) => c.notNull())
    .execute();
}

async function createBackups({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('key_backups')
    .addColumn('user_id', 'text', (c) => c.notNull())
    .addColumn('version', 'integer', (c) => c.notNull())
    .addColumn('algorithm', 'text', (c) => c.notNull())
    .addColumn('auth_data', 'text', (c) => c.notNull())
    .addColumn('etag', 'integer', (c) => c.notNull())
    .addColumn('session_count', 'integer', (c) => c.notNull())
    .addColumn('is_deleted', 'integer', (c) => c.notNull())
    .addPrimaryKeyConstraint('key_backups_pk', ['user_id', 'version'])
    .execute();
  await schema
    .createTable('key_backup_sessions')
    .addColumn('user_id', 'text', (c) => c.notNull())
    .addColumn('version', 'integer', (c) => c.notNull())
    .addColumn('room_id', 'text', (c) => c.notNull())
    .addColumn('session_id', 'text', (c) => c.notNull())
    .addColumn('is_verified', 'integer', (c) => c.notNull())
    .addColumn('first_message_index', 'integer', (c) => c.notNull())
    .addColumn('forwarded_count', 'integer', (c) => c.notNull())
    .addColumn('json', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('key_backup_sessions_pk', ['user_id', 'version', 'room_id', 'session_id'])
    .modifyEnd(clustered)
    .execute();
}

/**
 * How far a device's keys were given out, instead of a mark on each key: a claim writes one small row, not two large ones.
 * Keys went out in the order of their sequence, so that the greatest one with a mark tells it.
 */
async function createKeyClaims(db: Kysely<unknown>): Promise<void> {
  await ofDevice(db.schema.createTable('one_time_key_claims'))
    .addColumn('algorithm', 'text', (c) => c.notNull())
    .addColumn('sequence', 'integer', (c) => c.notNull())
    .addPrimaryKeyConstraint('one_time_key_claims_pk', ['user_id', 'device_id', 'algorithm'])
    .modifyEnd(clustered)
    .execute();
  await sql`insert into one_time_key_claims (user_id, device_id, algorithm, sequence)
    select user_id, device_id, algorithm, max(sequence) from one_time_keys where is_claimed = 1
    group by user_id, device_id, algorithm`.execute(db);
  await ofDevice(db.schema.createTable('one_time_keys_unmarked'))
    .addColumn('algorithm', 'text', (c) => c.notNull())
    .addColumn('sequence', 'integer', (c) => c.notNull())
    .addColumn('key_id', 'text', (c) => c.notNull())
    .addColumn('json', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('one_time_keys_unmarked_pk', ['user_id', 'device_id', 'algorithm', 'sequence'])
    .modifyEnd(clustered)
    .execute();
  await sql`insert into one_time_keys_unmarked (user_id, device_id, algorithm, sequence, key_id, json)
    select user_id, device_id, algorithm, sequence, key_id, json from one_time_keys`.execute(db);
  await db.schema.dropTable('one_time_keys').execute();
  await db.schema.alterTable('one_time_keys_unmarked').renameTo('one_time_keys').execute();
}

async function createRemoteLists({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('remote_device_lists')
    .addColumn('user_id', 'text', (c) => c.primaryKey())
    .addColumn('fetched_position', 'integer', (c) => c.notNull())
    .addColumn('fetched_ts', 'integer', (c) => c.notNull())
    .addColumn('is_stale', 'integer', (c) => c.notNull())
    .addColumn('json', 'text', (c) => c.notNull())
    .modifyEnd(clustered)
    .execute();
  await schema.createIndex('remote_device_lists_fetched').on('remote_device_lists').column('fetched_ts').execute();
}

function ofDevice<T extends string>(table: CreateTableBuilder<T>) {
  return table.addColumn('user_id', 'text', (c) => c.notNull()).addColumn('device_id', 'text', (c) => c.notNull());
}
