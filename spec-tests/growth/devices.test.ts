/**
 * 90 days of 1,000 users who come and go, on SQLite, below HTTP and by the clock of the test: what is kept for devices and
 * their messages stays flat, and a device that is gone leaves nothing anywhere.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { it } from 'node:test';
import BetterSqlite3 from 'better-sqlite3';
import { makeConfig } from '../../src/config/index.ts';
import { type Domains, openDomains } from '../../src/homeserver.ts';
import { encodeBase64, generateSigningKey, signJson } from '../../src/protocol/crypto/index.ts';
import type { UserId } from '../../src/protocol/ids/index.ts';
import { silentLogger } from '../../src/telemetry/log.ts';

const USERS = 1000;
const DAYS = 90;
/** From here on as many devices go as come. */
const SETTLED_DAY = 30;
/** Over so many days everybody had a turn: their mean is compared. */
const WINDOW_DAYS = 10;
const NEW_DEVICES_A_DAY = 100;
const DEVICES_MAX = 2;
const DAY_MS = 24 * 60 * 60 * 1000;
const ALGORITHM = 'signed_curve25519';
const DEVICE_ID = /GROWTH\d+/g;
const DONE = { results: new Map<string, string>(), close: async () => undefined };
const REMOTE = { ip: '192.0.2.1', isLocal: true, userAgent: 'test' };

/** Tables of device lists, keys and messages to devices. */
const TABLES = [
  'devices',
  'device_keys',
  'one_time_keys',
  'one_time_key_claims',
  'fallback_keys',
  'device_list_changes',
  'to_device_messages',
  'to_device_transactions',
  'access_tokens',
];

interface Person {
  readonly userId: UserId;
  /** The oldest first. */
  readonly devices: string[];
}

it('rows stay flat over 90 days of churn, and a device that is gone leaves none', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'inglenook-growth-'));
  const clock = { ms: 1_800_000_000_000, now: () => clock.ms };
  const config = makeConfig(
    {
      server: { name: 'example.org', data_folder: folder },
      registration: { open_to: 'everyone' },
      login: { password_hash: { memory: '8K', iterations: 1, parallelism: 1 } },
    },
    folder,
  );
  try {
    await using server = await openDomains(config, { logger: silentLogger, clock });
    const churn = new Churn(server);
    await churn.register();
    const rows: Record<string, number>[] = [];
    for (let day = 1; day <= DAYS; day++) {
      clock.ms += DAY_MS;
      await churn.day(day);
      await server.accounts.deleteExpired();
      await server.devices.deleteExpired();
      rows.push(countRows(config.database.sqlite.file));
    }
    for (const table of TABLES) {
      const mean = (from: number) => {
        const window = rows.slice(from, from + WINDOW_DAYS).map((row) => row[table] ?? 0);
        return window.reduce((sum, count) => sum + count, 0) / WINDOW_DAYS;
      };
      const then = mean(SETTLED_DAY);
      for (let day = SETTLED_DAY; day < DAYS; day += WINDOW_DAYS) {
        const now = mean(day);
        assert.ok(
          Math.abs(now - then) <= then / 10,
          `${table}: ${now} rows from day ${day}, ${then} from ${SETTLED_DAY}`,
        );
      }
    }
    const found = deviceIdsIn(config.database.sqlite.file);
    assert.ok(found.isSupersetOf(churn.devices()));
    assert.deepEqual([...found.difference(churn.devices())], []);
    assert.ok(churn.made > NEW_DEVICES_A_DAY * (DAYS - 1));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

class Churn {
  readonly #server: Domains;
  readonly #people: Person[] = [];
  made = 0;

  constructor(server: Domains) {
    this.#server = server;
  }

  async register(): Promise<void> {
    for (let index = 0; index < USERS; index++) {
      const body = { username: `u${index}`, password: 'p', inhibitLogin: true };
      const { userId } = await this.#server.accounts.registration.register(body, DONE, REMOTE);
      const person = { userId, devices: [] };
      this.#people.push(person);
      await this.#comes(person);
    }
  }

  /** Some get a new device and lose their oldest one, all talk, most are online. */
  async day(day: number): Promise<void> {
    const turns = this.#people.filter((_, index) => index % (USERS / NEW_DEVICES_A_DAY) === day % 10);
    await Promise.all(turns.map((person) => this.#comes(person)));
    await Promise.all(turns.map((person) => this.#goes(person)));
    await Promise.all(this.#people.map((person, index) => this.#talks(person, index, day)));
    const { positions } = this.#server.database;
    const now = positions.current('to_device');
    const confirmed = this.#people
      .filter((_, index) => (index + day) % 7 !== 0)
      .flatMap(({ userId, devices }) => {
        return devices.map((deviceId) => this.#server.devices.toDevice.confirm(userId, deviceId, now, now));
      });
    await Promise.all(confirmed);
  }

  devices(): ReadonlySet<string> {
    return new Set(this.#people.flatMap(({ devices }) => devices));
  }

  async #comes({ userId, devices }: Person): Promise<void> {
    const deviceId = `GROWTH${this.made++}`;
    const { accounts, database } = this.#server;
    await database.write('main', (tx) => accounts.sessions.open(tx, userId, { deviceId }, REMOTE));
    const key = generateSigningKey(deviceId, randomBytes(32));
    const keys = {
      user_id: userId,
      device_id: deviceId,
      algorithms: [],
      keys: { [`ed25519:${deviceId}`]: key.publicKey },
    };
    const oneTimeKeys = Object.fromEntries(Array.from({ length: 5 }, (_, n) => [`${ALGORITHM}:k${n}`, randomKey()]));
    await this.#server.devices.keys.upload(userId, deviceId, {
      deviceKeys: signJson(keys, userId, key),
      oneTimeKeys,
      fallbackKeys: { [`${ALGORITHM}:f`]: randomKey() },
    });
    devices.push(deviceId);
  }

  async #goes({ userId, devices }: Person): Promise<void> {
    if (devices.length <= DEVICES_MAX) return;
    await this.#server.accounts.devices.delete(userId, devices.splice(0, devices.length - DEVICES_MAX));
  }

  async #talks({ userId, devices }: Person, index: number, day: number): Promise<void> {
    const other = this.#people[(index + day) % USERS];
    const [deviceId, otherDevice] = [devices.at(-1), other?.devices.at(-1)];
    if (deviceId === undefined || other === undefined || otherDevice === undefined) return;
    await this.#server.devices.toDevice.send({
      sender: userId,
      type: 'm.room.encrypted',
      messages: new Map([[other.userId, { '*': { body: 'x' } }]]),
      transaction: { deviceId, txnId: `day${day}` },
    });
    if (index % 10 !== day % 10) return;
    await this.#server.devices.keys.claim([{ userId: other.userId, deviceId: otherDevice, algorithm: ALGORITHM }]);
  }
}

function countRows(file: string): Record<string, number> {
  using raw = readonly(file);
  return Object.fromEntries(
    TABLES.map((table) => [table, Number(raw.db.prepare(`select count(*) from ${table}`).pluck().get())]),
  );
}

/** Every device id that occurs anywhere in the database. */
function deviceIdsIn(file: string): Set<string> {
  using raw = readonly(file);
  const ids = new Set<string>();
  const tables = raw.db.prepare(`select name from sqlite_schema where type = 'table' and sql not like '%virtual%'`);
  for (const name of tables.pluck().all()) {
    for (const row of raw.db.prepare(`select * from "${name}"`).raw().iterate()) {
      for (const [id] of JSON.stringify(row).matchAll(DEVICE_ID)) ids.add(id);
    }
  }
  return ids;
}

function readonly(file: string): Disposable & { readonly db: BetterSqlite3.Database } {
  const db = new BetterSqlite3(file, { readonly: true });
  return { db, [Symbol.dispose]: () => db.close() };
}

function randomKey() {
  return { key: encodeBase64(randomBytes(32)), signatures: {} };
}
