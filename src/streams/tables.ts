import type { Migrations } from '../storage/index.ts';

declare module '../storage/tables.ts' {
  interface Tables {
    /** How far each durable consumer of a stream has come. */
    consumer_cursors: { consumer: string; position: number };
  }
}

export const streamsMigrations: Migrations = {
  '0001_streams_init': {
    async up(db) {
      await db.schema
        .createTable('consumer_cursors')
        .addColumn('consumer', 'text', (column) => column.primaryKey())
        .addColumn('position', 'integer', (column) => column.notNull())
        .execute();
    },
  },
};
