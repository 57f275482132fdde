import { clustered, type Migrations } from '../storage/index.ts';

/** A public key of another server. */
export interface ServerKeysTable {
  readonly server_name: string;
  readonly key_id: string;
  /** Unpadded base64. */
  readonly public_key: string;
  /** What it signed up to this time is valid; for old keys, when it was last used. */
  readonly valid_until_ts: number;
  /** 1: an old key, good for events and no longer for requests. */
  readonly is_old: number;
  readonly fetched_ts: number;
  /** The whole key object, as its server signed it: what a notary hands on. */
  readonly json: string;
}

declare module '../storage/tables.ts' {
  interface Tables {
    server_keys: ServerKeysTable;
  }
}

/** Creates the tables of federation. */
export const federationMigrations: Migrations = {
  '0500_federation_keys': {
    async up(db) {
      await db.schema
        .createTable('server_keys')
        .addColumn('server_name', 'text', (c) => c.notNull())
        .addColumn('key_id', 'text', (c) => c.notNull())
        .addColumn('public_key', 'text', (c) => c.notNull())
        .addColumn('valid_until_ts', 'integer', (c) => c.notNull())
        .addColumn('is_old', 'integer', (c) => c.notNull())
        .addColumn('fetched_ts', 'integer', (c) => c.notNull())
        .addColumn('json', 'text', (c) => c.notNull())
        .addPrimaryKeyConstraint('server_keys_pk', ['server_name', 'key_id'])
        .modifyEnd(clustered)
        .execute();
    },
  },
};
