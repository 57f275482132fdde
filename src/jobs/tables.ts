import type { Generated } from 'kysely';
import { idColumn, type Migrations } from '../storage/index.ts';

declare module '../storage/tables.ts' {
  interface Tables {
    jobs: JobsTable;
  }
}

export interface JobsTable {
  job_id: Generated<number>;
  name: string;
  /** Waiting jobs with the same name and key are one. */
  key: string | null;
  /** JSON. */
  payload: string;
  not_before_ts: number;
  /** 0 while nobody runs it. */
  lease_until_ts: number;
  attempts: number;
  /** 1: given up after too many attempts; kept to be looked at. */
  is_dead: number;
  last_error: string | null;
  created_ts: number;
}

export const jobsMigrations: Migrations = {
  '0002_jobs_init': {
    async up(db) {
      await db.schema
        .createTable('jobs')
        .addColumn('job_id', 'integer', idColumn)
        .addColumn('name', 'text', (column) => column.notNull())
        .addColumn('key', 'text')
        .addColumn('payload', 'text', (column) => column.notNull())
        .addColumn('not_before_ts', 'integer', (column) => column.notNull())
        .addColumn('lease_until_ts', 'integer', (column) => column.notNull())
        .addColumn('attempts', 'integer', (column) => column.notNull())
        .addColumn('is_dead', 'integer', (column) => column.notNull())
        .addColumn('last_error', 'text')
        .addColumn('created_ts', 'integer', (column) => column.notNull())
        .execute();
      await db.schema.createIndex('jobs_due').on('jobs').columns(['is_dead', 'not_before_ts']).execute();
      await db.schema.createIndex('jobs_key').on('jobs').columns(['name', 'key']).execute();
    },
  },
};
