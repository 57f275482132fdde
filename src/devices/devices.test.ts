import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { Accounts, accountsMigrations, accountsStreams } from '../accounts/index.ts';
import { makeConfig } from '../config/index.ts';
import { RateLimits } from '../http/rate-limits.ts';
import { Jobs, jobsMigrations } from '../jobs/index.ts';
import { encodeBase64, generateSigningKey, signJson } from '../protocol/crypto/index.ts';
import { parseUserId, type UserId } from '../protocol/ids/index.ts';
import type { JsonObject } from '../protocol/json/index.ts';
import { bulkInsert, type Database, type DatabaseConfig, joinMigrations } from '../storage/index.ts';
import type { Tables } from '../storage/tables.ts';
import { Hub } from '../streams/index.ts';
import { forEachDatabase, type OpenTestDatabase } from '../testing/databases.ts';
import { Devices, devicesMigrations, devicesStreams } from './index.ts';

const remote = { ip: '192.0.2.1', isLocal: true, userAgent: 'test' };
/** Somebody without UIA: all stages are done. */
const done = { results: new Map<string, string>(), close: async () => undefined };

async function setUp(open: OpenTestDatabase, config?: DatabaseConfig) {
  const clock = { ms: 1_800_000_000_000, now: () => clock.ms };
  const migrations = joinMigrations(jobsMigrations, accountsMigrations, devicesMigrations);
  const streams = [...accountsStreams, ...devicesStreams];
  const database = await open(migrations, { clock, streams }, config);
  const hub = new Hub();
  const jobs = new Jobs({ database, hub, clock, random: () => 0.5 });
  const accounts = await Accounts.open({
    database,
    hub,
    jobs,
    clock,
    rateLimits: new RateLimits({ clock, enabled: false }),
    config: makeConfig({ login: { password_hash: { memory: '8K', iterations: 1, parallelism: 1 } } }, '/nowhere'),
    firstLocalUserIsAdmin: false,
    onError: (error) => assert.fail(String(error)),
  });
  const warnings: object[] = [];
  const sentOn: string[] = [];
  const devices = new Devices({
    database,
    hub,
    clock,
    accounts,
    rooms: { sharesRoomSince: async () => false, joinedRoomIds: async () => [] },
    checksSignatures: true,
    log: { warn: (fields) => warnings.push(fields) },
    outbox: { add: async (_tx, server) => void sentOn.push(server) },
  });
  const register = async (username: string) => {
    const { session } = await accounts.registration.register({ username, password: 'p' }, done, remote);
    assert.ok(session);
    return session;
  };
  const logIn = (userId: UserId, deviceId: string) =>
    database.write('main', (tx) => accounts.sessions.open(tx, userId, { deviceId }, remote));
  return { accounts, clock, database, devices, hub, logIn, register, sentOn, warnings };
}

function deviceKeys(userId: UserId, deviceId: string): JsonObject {
  const key = generateSigningKey(deviceId, randomBytes(32));
  const keys = { [`ed25519:${deviceId}`]: key.publicKey, [`curve25519:${deviceId}`]: encodeBase64(randomBytes(32)) };
  return signJson({ user_id: userId, device_id: deviceId, algorithms: [], keys }, userId, key);
}

function oneTimeKeys(count: number, prefix: string): JsonObject {
  const key = { key: encodeBase64(randomBytes(32)), signatures: {} };
  return Object.fromEntries(Array.from({ length: count }, (_, n) => [`signed_curve25519:${prefix}${n}`, key]));
}

const TABLES = [
  'device_keys',
  'one_time_keys',
  'one_time_key_claims',
  'fallback_keys',
  'cross_signing_keys',
  'key_signatures',
  'to_device_messages',
  'to_device_transactions',
  'key_backups',
  'key_backup_sessions',
  'dehydrated_devices',
  'device_list_changes',
] as const satisfies readonly (keyof Tables)[];

type RowCounts = Record<(typeof TABLES)[number], number>;

function countRows(database: Database): Promise<RowCounts> {
  return database.read(async (tx) => {
    const counts: Partial<RowCounts> = {};
    for (const table of TABLES) {
      const row = await tx.db
        .selectFrom(table)
        .select((eb) => eb.fn.countAll<number>().as('count'))
        .executeTakeFirstOrThrow();
      counts[table] = Number(row.count);
    }
    return Object.assign(noRows(), counts);
  });
}

function noRows(): RowCounts {
  return {
    device_keys: 0,
    one_time_keys: 0,
    one_time_key_claims: 0,
    fallback_keys: 0,
    cross_signing_keys: 0,
    key_signatures: 0,
    to_device_messages: 0,
    to_device_transactions: 0,
    key_backups: 0,
    key_backup_sessions: 0,
    dehydrated_devices: 0,
    device_list_changes: 0,
  };
}

forEachDatabase((_name, open, createConfig) => {
  describe('devices', () => {
    it('leave no row behind but the mark that their user changed', async () => {
      const { accounts, database, devices, register } = await setUp(open);
      const { userId, deviceId } = await register('alice');
      await devices.keys.upload(userId, deviceId, {
        deviceKeys: deviceKeys(userId, deviceId),
        oneTimeKeys: oneTimeKeys(5, 'a'),
        fallbackKeys: oneTimeKeys(1, 'f'),
      });
      await devices.toDevice.send({
        sender: userId,
        type: 'm.test',
        messages: new Map([[userId, { '*': { hello: 1 } }]]),
        transaction: { deviceId, txnId: '1' },
      });
      await devices.keys.claim([{ userId, deviceId, algorithm: 'signed_curve25519' }]);
      const version = await devices.backups.create(userId, { algorithm: 'x', authData: {} });
      const session = { isVerified: true, firstMessageIndex: 0, forwardedCount: 0, json: '{}' };
      await devices.backups.put(userId, version, [{ roomId: '!r:x', sessionId: 's', ...session }]);
      const full = await countRows(database);
      assert.deepEqual([full.device_keys, full.one_time_keys, full.to_device_messages], [1, 5, 1]);
      await accounts.devices.delete(userId, [deviceId]);
      const rest = { ...noRows(), device_list_changes: 1, key_backups: 1, key_backup_sessions: 1 };
      assert.deepEqual(await countRows(database), rest);
      await accounts.users.deactivate(userId, { erase: false });
      assert.deepEqual(await countRows(database), { ...noRows(), device_list_changes: 1 });
    });

    it('take no more room after weeks of coming and going', async () => {
      const { accounts, clock, database, devices, logIn, register } = await setUp(open);
      const users = await Promise.all(Array.from({ length: 20 }, (_, n) => register(`user${n}`)));
      const day = async (number: number) => {
        clock.ms += 24 * 60 * 60 * 1000;
        for (const { userId } of users) {
          const deviceId = `D${number}`;
          await logIn(userId, deviceId);
          await devices.keys.upload(userId, deviceId, {
            deviceKeys: deviceKeys(userId, deviceId),
            oneTimeKeys: oneTimeKeys(3, `d${number}_`),
            fallbackKeys: undefined,
          });
          const messages = new Map([[userId, { '*': { day: number } }]]);
          await devices.toDevice.send({ sender: userId, type: 't', messages, transaction: { deviceId, txnId: 't' } });
          const now = database.positions.current('to_device');
          await devices.toDevice.confirm(userId, deviceId, now, now);
          await devices.keys.claim([{ userId, deviceId, algorithm: 'signed_curve25519' }]);
          await database.write('main', (tx) => accounts.devices.deleteAllIn(tx, userId, deviceId));
        }
        await devices.deleteExpired();
      };
      for (let number = 0; number < 5; number++) await day(number);
      const before = await countRows(database);
      for (let number = 5; number < 20; number++) await day(number);
      assert.deepEqual(await countRows(database), before);
    });

    it('keep a bounded queue: the oldest messages go, and the log says so', async () => {
      const { database, devices, register, warnings } = await setUp(open);
      const { userId, deviceId } = await register('alice');
      const rows = Array.from({ length: 20_400 }, (_, n) => ({
        user_id: userId,
        device_id: deviceId,
        position: n + 1,
        json: '{}',
      }));
      await database.write('main', (tx) => bulkInsert(tx, 'to_device_messages', rows));
      const send = () =>
        devices.toDevice.send({
          sender: userId,
          type: 't',
          messages: new Map([[userId, { [deviceId]: {} }]]),
          transaction: undefined,
        });
      // The positions of the rows above were not given out by the stream.
      await database.write('main', async (tx) => {
        while (tx.nextPosition('to_device') < 30_000);
      });
      for (let n = 0; n < 500; n++) await send();
      assert.equal((await countRows(database)).to_device_messages, 20_000);
      assert.deepEqual(warnings, [{ userId, deviceId, dropped: 900 }]);
    });

    it('get positions that never come again, though the messages are gone', async () => {
      const config = await createConfig();
      const first = await setUp(open, config);
      const { userId, deviceId } = await first.register('alice');
      const messages = new Map([[userId, { [deviceId]: {} }]]);
      const send = (devices: Devices) =>
        devices.toDevice.send({ sender: userId, type: 't', messages, transaction: undefined });
      await send(first.devices);
      const position = first.database.positions.current('to_device');
      await first.devices.toDevice.confirm(userId, deviceId, position, position);
      assert.equal((await countRows(first.database)).to_device_messages, 0);
      await first.database[Symbol.asyncDispose]();
      const second = await setUp(open, config);
      await send(second.devices);
      assert.ok(second.database.positions.current('to_device') > position);
      const { database, devices } = second;
      const to = database.positions.current('to_device');
      const found = await database.read((tx) => devices.toDevice.between(tx, userId, deviceId, position, to));
      assert.equal(found.events.length, 1);
    });

    it('are sent messages by other servers, which go no further', async () => {
      const { database, devices, register, sentOn } = await setUp(open);
      const { userId, deviceId } = await register('alice');
      const sender = parseUserId('@eve:evil.example');
      const other = parseUserId('@bob:third.example');
      assert.ok(deviceId && sender && other);
      const messages = new Map([
        [userId, { [deviceId]: { a: 1 } }],
        [other, { '*': { a: 2 } }],
      ]);
      const transaction = { deviceId: '\nevil.example', txnId: '1' };
      for (let times = 0; times < 2; times++)
        await devices.toDevice.receive({ sender, type: 't', messages, transaction });
      const to = database.positions.current('to_device');
      const { events } = await database.read((tx) => devices.toDevice.between(tx, userId, deviceId, 0, to));
      assert.deepEqual(
        events.map((json) => JSON.parse(json)),
        [{ sender, type: 't', content: { a: 1 } }],
      );
      assert.deepEqual(sentOn, []);
      await devices.toDevice.send({ sender: userId, type: 't', messages, transaction: undefined });
      assert.deepEqual(sentOn, ['third.example']);
    });

    it('remember the claimed keys of a device, but not all of them for ever', async () => {
      const { database, devices, register } = await setUp(open);
      const { userId, deviceId } = await register('alice');
      const upload = (keys: JsonObject) =>
        devices.keys.upload(userId, deviceId, { deviceKeys: undefined, oneTimeKeys: keys, fallbackKeys: undefined });
      for (let round = 0; round < 8; round++) {
        await upload(oneTimeKeys(50, `r${round}_`));
        for (let n = 0; n < 50; n++) await devices.keys.claim([{ userId, deviceId, algorithm: 'signed_curve25519' }]);
      }
      await upload(oneTimeKeys(1, 'last'));
      assert.equal((await countRows(database)).one_time_keys, 101);
    });

    it('of data from a copy give out no one-time key, and count as changed', async () => {
      const { clock, database, devices, register } = await setUp(open);
      const { userId, deviceId } = await register('alice');
      const claim = () => devices.keys.claim([{ userId, deviceId, algorithm: 'signed_curve25519' }]);
      await devices.keys.upload(userId, deviceId, {
        deviceKeys: deviceKeys(userId, deviceId),
        oneTimeKeys: oneTimeKeys(3, 'k'),
        fallbackKeys: oneTimeKeys(1, 'f'),
      });
      await claim();
      assert.deepEqual(await devices.takeBackAfterRestore(), { oneTimeKeys: 3, users: 1 });
      assert.match((await claim()).oneTimeKeys, /"signed_curve25519:f0"/);
      const changed = await database.read((tx) => devices.lists.changedBetween(tx, clock.ms - 1, clock.ms));
      assert.deepEqual(changed, [userId]);
    });

    it('are answered as they are now, also where the answer was remembered from before a change', async () => {
      const { devices, register } = await setUp(open);
      const { userId, deviceId } = await register('alice');
      const query = async () => (await devices.keys.query(userId, new Map([[userId, []]]))).deviceKeys;
      assert.equal(await query(), `{"${userId}":{}}`);
      const keys = deviceKeys(userId, deviceId);
      const upload = { deviceKeys: keys, oneTimeKeys: undefined, fallbackKeys: undefined };
      await Promise.all([devices.keys.upload(userId, deviceId, upload), query(), query()]);
      assert.ok((await query()).includes(deviceId));
    });
  });
});
