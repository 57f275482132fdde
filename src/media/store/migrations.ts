import type { Kysely } from 'kysely';
import { clustered, idColumn, type Migrations } from '../../storage/index.ts';
import './tables.ts';

/** The tables of this domain, as they came to be. */
export const mediaMigrations: Migrations = {
  '0400_media_init': { up: createMedia },
  '0401_media_thumbnails': { up: createThumbnails },
  '0402_media_previews': { up: createPreviews },
  '0403_media_tidy': { up: createTidy },
  '0404_media_quarantined_by': { up: addQuarantinedBy },
  '0405_media_unsettled': { up: createUnsettled },
  '0406_media_sent': { up: createSent },
};

async function createMedia({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('media')
    .addColumn('media_nid', 'integer', idColumn)
    .addColumn('origin', 'text', (c) => c.notNull())
    .addColumn('media_id', 'text', (c) => c.notNull())
    .addColumn('uploader', 'text')
    .addColumn('content_type', 'text')
    .addColumn('file_name', 'text')
    .addColumn('sha256', 'text')
    .addColumn('size_bytes', 'integer', (c) => c.notNull())
    .addColumn('created_ts', 'integer', (c) => c.notNull())
    .addColumn('unused_expires_ts', 'integer')
    .addColumn('last_access_ts', 'integer', (c) => c.notNull())
    .addColumn('is_open', 'integer', (c) => c.notNull())
    .addColumn('is_quarantined', 'integer', (c) => c.notNull())
    .addColumn('is_protected', 'integer', (c) => c.notNull())
    .addUniqueConstraint('media_by_id', ['media_id', 'origin'])
    .execute();
  await schema.createIndex('media_by_uploader').on('media').columns(['uploader', 'media_nid']).execute();
  await schema.createIndex('media_by_sha256').on('media').column('sha256').execute();
  await schema.createIndex('media_by_expiry').on('media').column('unused_expires_ts').execute();
  await schema.createIndex('media_by_access').on('media').columns(['origin', 'last_access_ts']).execute();
  await schema
    .createTable('media_blobs')
    .addColumn('sha256', 'text', (c) => c.primaryKey().notNull())
    .addColumn('size_bytes', 'integer', (c) => c.notNull())
    .addColumn('store', 'text', (c) => c.notNull())
    .addColumn('created_ts', 'integer', (c) => c.notNull())
    .modifyEnd(clustered)
    .execute();
  await schema
    .createTable('media_usage')
    .addColumn('user_id', 'text', (c) => c.primaryKey().notNull())
    .addColumn('size_bytes', 'integer', (c) => c.notNull())
    .addColumn('file_count', 'integer', (c) => c.notNull())
    .modifyEnd(clustered)
    .execute();
}

async function addQuarantinedBy({ schema }: Kysely<unknown>): Promise<void> {
  await schema.alterTable('media').addColumn('quarantined_by', 'text').execute();
}

async function createUnsettled({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('media_unsettled')
    .addColumn('sha256', 'text', (c) => c.primaryKey().notNull())
    .modifyEnd(clustered)
    .execute();
}

async function createSent({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('media_sent')
    .addColumn('media_id', 'text', (c) => c.primaryKey().notNull())
    .modifyEnd(clustered)
    .execute();
}

async function createThumbnails({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('media_pictures')
    .addColumn('sha256', 'text', (c) => c.primaryKey().notNull())
    .addColumn('format', 'text')
    .addColumn('width', 'integer', (c) => c.notNull())
    .addColumn('height', 'integer', (c) => c.notNull())
    .addColumn('frame_count', 'integer', (c) => c.notNull())
    .modifyEnd(clustered)
    .execute();
  await schema
    .createTable('media_thumbnails')
    .addColumn('source_sha256', 'text', (c) => c.notNull())
    .addColumn('width', 'integer', (c) => c.notNull())
    .addColumn('height', 'integer', (c) => c.notNull())
    .addColumn('method', 'text', (c) => c.notNull())
    .addColumn('is_animated', 'integer', (c) => c.notNull())
    .addColumn('sha256', 'text', (c) => c.notNull())
    .addColumn('size_bytes', 'integer', (c) => c.notNull())
    .addColumn('content_type', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('media_thumbnails_pk', ['source_sha256', 'width', 'height', 'method', 'is_animated'])
    .modifyEnd(clustered)
    .execute();
  await schema.createIndex('media_thumbnails_by_sha256').on('media_thumbnails').column('sha256').execute();
}

async function createPreviews({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('media_url_previews')
    .addColumn('url', 'text', (c) => c.primaryKey().notNull())
    .addColumn('json', 'text', (c) => c.notNull())
    .addColumn('image_media_id', 'text')
    .addColumn('is_failure', 'integer', (c) => c.notNull())
    .addColumn('fetched_ts', 'integer', (c) => c.notNull())
    .addColumn('expires_ts', 'integer', (c) => c.notNull())
    .execute();
  await schema.createIndex('media_url_previews_by_expiry').on('media_url_previews').column('expires_ts').execute();
}

async function createTidy({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('media_references')
    .addColumn('media_id', 'text', (c) => c.notNull())
    .addColumn('event_id', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('media_references_pk', ['media_id', 'event_id'])
    .modifyEnd(clustered)
    .execute();
  await schema.createIndex('media_references_by_event').on('media_references').column('event_id').execute();
  await schema
    .createTable('media_deletions')
    .addColumn('deletion_nid', 'integer', idColumn)
    .addColumn('media_id', 'text', (c) => c.notNull())
    .addColumn('json', 'text', (c) => c.notNull())
    .addColumn('deleted_ts', 'integer', (c) => c.notNull())
    .execute();
  await schema.createIndex('media_deletions_by_media').on('media_deletions').column('media_id').execute();
}
