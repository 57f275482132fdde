import { type Kysely, sql } from 'kysely';
import { StorageRefusedError } from './errors.ts';
import type { Migrations } from './types.ts';

/** What the migrator needs of a connection, on either dialect. */
export interface MigrationConnection {
  readonly db: Kysely<unknown>;
  begin(): void | Promise<void>;
  commit(): void | Promise<void>;
  rollback(): void | Promise<void>;
}

const NAME = /^\d{4}_[a-z0-9]+(_[a-z0-9]+)*$/;

/**
 * Brings the database up to date: applies the migrations it has not been through, in the order of their names, all in one
 * transaction. Domains number their own ranges, so a new one may sort before an applied one.
 * @returns the names applied now
 * @throws StorageRefusedError when the database has been through a migration that this code does not know
 */
export async function migrate(
  connection: MigrationConnection,
  migrations: Migrations,
  nowMs: number,
): Promise<readonly string[]> {
  const names = Object.keys(migrations).sort();
  for (const name of names) if (!NAME.test(name)) throw new StorageRefusedError(`not a migration's name: ${name}`);
  await connection.begin();
  try {
    const { db } = connection;
    await sql`create table if not exists schema_migrations (name text primary key, applied_ts bigint not null)`.execute(
      db,
    );
    const { rows } = await sql<{ name: string }>`select name from schema_migrations`.execute(db);
    const applied = new Set(rows.map((row) => row.name));
    const unknown = [...applied].filter((name) => migrations[name] === undefined).sort();
    if (unknown.length > 0) {
      throw new StorageRefusedError(
        `the database is newer than this program: it has been through ${unknown.join(', ')}`,
      );
    }
    const missing = names.filter((name) => !applied.has(name));
    for (const name of missing) {
      await migrations[name]?.up(db);
      await sql`insert into schema_migrations (name, applied_ts) values (${name}, ${nowMs})`.execute(db);
    }
    await connection.commit();
    return missing;
  } catch (error) {
    await connection.rollback();
    throw error;
  }
}

/**
 * Joins the lists of several domains.
 * @throws StorageRefusedError when two of them use the same name
 */
export function joinMigrations(...lists: readonly Migrations[]): Migrations {
  const joined: { [name: string]: Migrations[string] } = {};
  for (const list of lists) {
    for (const [name, migration] of Object.entries(list)) {
      if (joined[name] !== undefined) throw new StorageRefusedError(`two migrations are called ${name}`);
      joined[name] = migration;
    }
  }
  return joined;
}
