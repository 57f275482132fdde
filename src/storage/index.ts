import type { Database, DatabaseConfig, DatabaseDeps, Migrations } from './types.ts';

export { bulkInsert, upsert } from './bulk.ts';
export { type CompiledOnce, compiledOnce } from './compiled-once.ts';
export { isUniqueViolation, StorageMisuseError, StorageRefusedError, StorageUnavailableError } from './errors.ts';
export { joinMigrations } from './migrations.ts';
export { clustered, idColumn, idList, textList } from './schema.ts';
export { createTokenIndex, type TokenEntry, TokenIndex, type TokenPhrase, type TokenQuery } from './search.ts';
export type { Tables } from './tables.ts';
export type {
  Database,
  DatabaseConfig,
  DatabaseDeps,
  Dialect,
  Lane,
  Migration,
  Migrations,
  ReadTx,
  StorageLog,
  StreamDeclaration,
  WriteTx,
} from './types.ts';

/**
 * Opens the database, applies missing migrations and finds where the streams stand. Only the chosen dialect is loaded.
 * @throws StorageRefusedError when the database is newer than this code or another process uses it
 * @throws StorageUnavailableError when it can't be reached
 */
export async function openDatabase(
  config: DatabaseConfig,
  migrations: Migrations,
  deps: DatabaseDeps,
): Promise<Database> {
  if (config.dialect === 'sqlite') {
    const { SqliteDatabase } = await import('./sqlite/database.ts');
    return SqliteDatabase.open(config, migrations, deps);
  }
  const { PostgresDatabase } = await import('./postgres/database.ts');
  return PostgresDatabase.open(config, migrations, deps);
}
