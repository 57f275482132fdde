/**
 * All tables of the database, by name. Each domain adds its own by declaration merging, next to its store:
 *
 *   declare module '../storage/tables.ts' { interface Tables { users: UsersTable } }
 *
 * Column types valid on both dialects: number (`integer`, 64 bits on PostgreSQL, always below 2^53), string (`text`),
 * Uint8Array (`blob`). Truth values are integers 0 and 1. JSON is stored as text.
 */
export interface Tables {
  /** The migrations that this database has been through. */
  schema_migrations: { name: string; applied_ts: number };
}
