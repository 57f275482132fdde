import type { Kysely } from 'kysely';
import { clustered, idColumn } from '../../storage/schema.ts';
import type { Migrations } from '../../storage/types.ts';
import { graphMigrations } from './graph-rows.ts';
import { partialMigrations } from './partial-rows.ts';
import { stateMigrations } from './state-tables.ts';
import { stickyMigrations } from './sticky-rows.ts';
import type { EventsTable, RelationsTable } from './tables.ts';

/** Creates the tables of the rooms; what stands in them is in tables.ts. */
export const roomsMigrations: Migrations = {
  '0200_rooms_init': {
    async up(db) {
      await createRooms(db);
      await createEvents(db);
      await createState(db);
      await createMemberships(db);
      await createRelations(db);
      await createClientSide(db);
    },
  },
  // Who came and went since: for device lists.
  '0203_rooms_membership_positions': {
    async up(db) {
      await db.schema.createIndex('memberships_position').on('memberships').columns(['room_nid', 'position']).execute();
    },
  },
  '0207_rooms_relations': { up: addRelationIndexes },
  ...stateMigrations,
  ...graphMigrations,
  ...stickyMigrations,
  ...partialMigrations,
};

async function createRooms(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('rooms')
    .addColumn('room_nid', 'integer', idColumn)
    .addColumn('room_id', 'text', (c) => c.notNull().unique())
    .addColumn('version', 'text', (c) => c.notNull())
    .addColumn('state_root', 'integer', (c) => c.notNull())
    .addColumn('row_version', 'integer', (c) => c.notNull())
    .addColumn('joined_count', 'integer', (c) => c.notNull())
    .addColumn('invited_count', 'integer', (c) => c.notNull())
    .addColumn('is_public', 'integer', (c) => c.notNull())
    .addColumn('created_ts', 'integer', (c) => c.notNull())
    .addColumn('name', 'text')
    .addColumn('topic', 'text')
    .addColumn('canonical_alias', 'text')
    .addColumn('avatar_url', 'text')
    .addColumn('join_rule', 'text')
    .addColumn('guest_access', 'text')
    .addColumn('history_visibility', 'text')
    .addColumn('room_type', 'text')
    .addColumn('encryption', 'text')
    .addColumn('federate', 'integer', (c) => c.notNull())
    .addColumn('creator', 'text')
    .addColumn('tombstone_replacement', 'text')
    .execute();
  await db.schema
    .createTable('room_aliases')
    .addColumn('alias', 'text', (c) => c.primaryKey())
    .addColumn('room_nid', 'integer', (c) => c.notNull())
    .addColumn('creator', 'text', (c) => c.notNull())
    .execute();
  await db.schema.createIndex('room_aliases_room').on('room_aliases').column('room_nid').execute();
}

async function createEvents(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('events')
    .addColumn('nid', 'integer', idColumn)
    .addColumn('room_nid', 'integer', (c) => c.notNull())
    .addColumn('event_id', 'text', (c) => c.notNull().unique())
    .addColumn('position', 'integer')
    .addColumn('depth', 'integer', (c) => c.notNull())
    .addColumn('type', 'text', (c) => c.notNull())
    .addColumn('state_key', 'text')
    .addColumn('sender', 'text', (c) => c.notNull())
    .addColumn('state_before', 'integer', (c) => c.notNull())
    .addColumn('rejected', 'integer', (c) => c.notNull())
    .addColumn('soft_failed', 'integer', (c) => c.notNull())
    .addColumn('redacted_by', 'text')
    .addColumn('unread', 'integer', (c) => c.notNull())
    .addColumn('thread_root', 'text')
    .addColumn('txn', 'text')
    .addColumn('json', 'text', (c) => c.notNull())
    .execute();
  await db.schema.createIndex('events_room').on('events').columns(['room_nid', 'position']).execute();
  // Followers of the stream 'events' read it in order, across rooms.
  await db.schema.createIndex('events_position').on('events').column('position').execute();
  await db.schema
    .createTable('forward_extremities')
    .addColumn('room_nid', 'integer', (c) => c.notNull())
    .addColumn('event_nid', 'integer', (c) => c.notNull())
    .addPrimaryKeyConstraint('forward_extremities_pk', ['room_nid', 'event_nid'])
    .modifyEnd(clustered)
    .execute();
}

async function createState(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('state_keys')
    .addColumn('nid', 'integer', idColumn)
    .addColumn('type', 'text', (c) => c.notNull())
    .addColumn('state_key', 'text', (c) => c.notNull())
    .addUniqueConstraint('state_keys_name', ['type', 'state_key'])
    .execute();
}

async function createMemberships(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('memberships')
    .addColumn('user_id', 'text', (c) => c.notNull())
    .addColumn('room_nid', 'integer', (c) => c.notNull())
    .addColumn('membership', 'text', (c) => c.notNull())
    .addColumn('event_nid', 'integer', (c) => c.notNull())
    .addColumn('position', 'integer', (c) => c.notNull())
    .addColumn('sender', 'text', (c) => c.notNull())
    .addColumn('forgotten', 'integer', (c) => c.notNull())
    .addColumn('display_name', 'text')
    .addColumn('avatar_url', 'text')
    .addPrimaryKeyConstraint('memberships_pk', ['user_id', 'room_nid'])
    .modifyEnd(clustered)
    .execute();
  await db.schema.createIndex('memberships_room').on('memberships').columns(['room_nid', 'membership']).execute();
}

async function createRelations(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('relations')
    .addColumn('event_nid', 'integer', (c) => c.primaryKey())
    .addColumn('room_nid', 'integer', (c) => c.notNull())
    .addColumn('relates_to', 'text', (c) => c.notNull())
    .addColumn('rel_type', 'text', (c) => c.notNull())
    .addColumn('key', 'text')
    .addColumn('sender', 'text', (c) => c.notNull())
    .addColumn('type', 'text', (c) => c.notNull())
    .addColumn('position', 'integer', (c) => c.notNull())
    .execute();
  await db.schema.createIndex('relations_target').on('relations').columns(['relates_to', 'position']).execute();
  await db.schema
    .createTable('redactions')
    .addColumn('redacts', 'text', (c) => c.notNull())
    .addColumn('event_nid', 'integer', (c) => c.notNull())
    .addPrimaryKeyConstraint('redactions_pk', ['redacts', 'event_nid'])
    .modifyEnd(clustered)
    .execute();
}

async function createClientSide(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('client_transactions')
    .addColumn('user_id', 'text', (c) => c.notNull())
    .addColumn('device_id', 'text', (c) => c.notNull())
    .addColumn('scope', 'text', (c) => c.notNull())
    .addColumn('txn_id', 'text', (c) => c.notNull())
    .addColumn('event_id', 'text', (c) => c.notNull())
    .addColumn('created_ts', 'integer', (c) => c.notNull())
    .addPrimaryKeyConstraint('client_transactions_pk', ['user_id', 'device_id', 'scope', 'txn_id'])
    .modifyEnd(clustered)
    .execute();
  await db.schema
    .createTable('receipts')
    .addColumn('room_nid', 'integer', (c) => c.notNull())
    .addColumn('user_id', 'text', (c) => c.notNull())
    .addColumn('type', 'text', (c) => c.notNull())
    .addColumn('thread_id', 'text', (c) => c.notNull())
    .addColumn('event_id', 'text', (c) => c.notNull())
    .addColumn('event_position', 'integer', (c) => c.notNull())
    .addColumn('ts', 'integer', (c) => c.notNull())
    .addColumn('position', 'integer', (c) => c.notNull())
    .addPrimaryKeyConstraint('receipts_pk', ['room_nid', 'user_id', 'type', 'thread_id'])
    .modifyEnd(clustered)
    .execute();
  await db.schema.createIndex('receipts_position').on('receipts').column('position').execute();
  await db.schema
    .createTable('notifications')
    .addColumn('user_id', 'text', (c) => c.notNull())
    .addColumn('room_nid', 'integer', (c) => c.notNull())
    .addColumn('position', 'integer', (c) => c.notNull())
    .addColumn('event_nid', 'integer', (c) => c.notNull())
    .addColumn('thread_root', 'text')
    .addColumn('notify', 'integer', (c) => c.notNull())
    .addColumn('highlight', 'integer', (c) => c.notNull())
    .addColumn('actions', 'text')
    .addPrimaryKeyConstraint('notifications_pk', ['user_id', 'room_nid', 'position'])
    .modifyEnd(clustered)
    .execute();
  await db.schema.createIndex('notifications_event').on('notifications').column('event_nid').execute();
}

/** What is asked of relations, answered from the indexes alone: the children of an event by their type, the latest edit, the latest threads of a room. */
async function addRelationIndexes(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .alterTable('relations')
    .addColumn('origin_server_ts', 'integer', (c) => c.notNull().defaultTo(0))
    .execute();
  await fillRelationTimes(db.withTables<RelationTables>());
  await db.schema
    .createIndex('relations_target_type')
    .on('relations')
    .columns(['relates_to', 'rel_type', 'position', 'room_nid', 'sender'])
    .execute();
  await db.schema
    .createIndex('relations_room_type')
    .on('relations')
    .columns(['room_nid', 'rel_type', 'position', 'relates_to', 'sender'])
    .execute();
}

type RelationTables = { relations: RelationsTable; events: EventsTable };

async function fillRelationTimes(db: Kysely<RelationTables>): Promise<void> {
  const rows = await db
    .selectFrom('relations')
    .innerJoin('events', 'events.nid', 'relations.event_nid')
    .select(['relations.event_nid', 'events.json'])
    .execute();
  for (const row of rows) {
    const { origin_server_ts: ts }: { origin_server_ts?: unknown } = JSON.parse(row.json);
    await db
      .updateTable('relations')
      .set({ origin_server_ts: typeof ts === 'number' ? ts : 0 })
      .where('event_nid', '=', row.event_nid)
      .execute();
  }
}
