import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { sql } from 'kysely';
import { parseUserId } from '../../protocol/ids/index.ts';
import { forEachDatabase } from '../../testing/databases.ts';
import { devicesMigrations } from './migrations.ts';
import { claimOneTimeKey, oneTimeKeysOf } from './one-time-keys.ts';

forEachDatabase((_name, open, createConfig) => {
  describe('tables of devices', () => {
    it('keep what was claimed when the mark on each key goes', async () => {
      const userId = parseUserId('@alice:example.org');
      assert.ok(userId);
      const config = await createConfig();
      const { '0303_devices_key_claims': _new, ...older } = devicesMigrations;
      const before = await open(older, {}, config);
      await before.write('main', async ({ db }) => {
        for (const [sequence, isClaimed] of [
          [1, 1],
          [2, 1],
          [3, 0],
          [4, 0],
        ]) {
          await sql`insert into one_time_keys (user_id, device_id, algorithm, is_claimed, sequence, key_id, json)
            values (${userId}, 'D', 'a', ${isClaimed}, ${sequence}, ${`k${sequence}`}, '{}')`.execute(db);
        }
      });
      await before[Symbol.asyncDispose]();
      const database = await open(devicesMigrations, {}, config);
      const rows = await database.read((tx) => oneTimeKeysOf(tx, userId, 'D'));
      assert.deepEqual(
        rows.map((row) => [row.key_id, row.is_claimed]),
        [
          ['k1', true],
          ['k2', true],
          ['k3', false],
          ['k4', false],
        ],
      );
      const claim = () => database.write('main', (tx) => claimOneTimeKey(tx, userId, 'D', 'a'));
      assert.equal((await claim())?.key_id, 'k3');
      assert.equal((await claim())?.key_id, 'k4');
      assert.equal(await claim(), undefined);
    });
  });
});
