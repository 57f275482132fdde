import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe } from 'node:test';
import { systemClock } from '../clock.ts';
import {
  type Database,
  type DatabaseConfig,
  type DatabaseDeps,
  type Dialect,
  type Migrations,
  openDatabase,
} from '../storage/index.ts';
import { createTestDatabase, dropTestDatabase, startTestPostgres } from './postgres.ts';

/** Opens a database for a test. Without `config` a new, empty one; with one from createConfig() it can be opened again. */
export type OpenTestDatabase = (
  migrations: Migrations,
  deps?: Partial<DatabaseDeps>,
  config?: DatabaseConfig,
) => Promise<Database>;

interface Place {
  createConfig(): Promise<DatabaseConfig>;
  clean(): Promise<void>;
}

/**
 * Runs the same tests on SQLite and on PostgreSQL, each in a `describe` of its own.
 *
 * PostgreSQL: INGLENOOK_TEST_POSTGRES is the URL of a superuser (`npm test` starts a server and sets it), or `embedded`
 * for one started by this process. Without it these tests are reported as skipped.
 */
export function forEachDatabase(
  body: (name: Dialect, open: OpenTestDatabase, createConfig: () => Promise<DatabaseConfig>) => void,
): void {
  const url = process.env.INGLENOOK_TEST_POSTGRES;
  const skip = url ? false : 'set INGLENOOK_TEST_POSTGRES to a URL or to "embedded"';
  describe('on sqlite', () => run('sqlite', sqlitePlace(), body));
  describe('on postgres', { skip }, () => run('postgres', postgresPlace(url ?? ''), body));
}

function run(name: Dialect, place: Place, body: Parameters<typeof forEachDatabase>[0]): void {
  const opened: Database[] = [];
  const createConfig = () => place.createConfig();
  const open: OpenTestDatabase = async (migrations, deps = {}, config) => {
    const database = await openDatabase(config ?? (await createConfig()), migrations, { clock: systemClock, ...deps });
    opened.push(database);
    return database;
  };
  after(async () => {
    // Disposing twice does no harm.
    for (const database of opened) await database[Symbol.asyncDispose]();
    await place.clean();
  });
  body(name, open, createConfig);
}

function sqlitePlace(): Place {
  const folders: string[] = [];
  return {
    async createConfig() {
      const folder = await mkdtemp(join(tmpdir(), 'inglenook-test-'));
      folders.push(folder);
      return { dialect: 'sqlite', path: join(folder, 'inglenook.db') };
    },
    async clean() {
      for (const folder of folders) await rm(folder, { recursive: true, force: true });
    },
  };
}

function postgresPlace(setting: string): Place {
  const urls: string[] = [];
  let server: ReturnType<typeof startTestPostgres> | undefined;
  const adminUrl = async () => {
    if (setting !== 'embedded') return setting;
    server ??= startTestPostgres();
    return (await server).url;
  };
  return {
    async createConfig() {
      const url = await createTestDatabase(await adminUrl());
      urls.push(url);
      return { dialect: 'postgres', connectionString: url, poolSizeMax: 4 };
    },
    async clean() {
      for (const url of urls) await dropTestDatabase(await adminUrl(), url);
      await (await server)?.[Symbol.asyncDispose]();
    },
  };
}
