import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type ConfigInput, makeConfig } from '../config/index.ts';
import { RateLimits } from '../http/rate-limits.ts';
import type { Remote, Requester } from '../http/route.ts';
import { Jobs, jobsMigrations } from '../jobs/index.ts';
import type { MatrixError } from '../protocol/errors.ts';
import { parseRoomId, parseUserId, type RoomId, type UserId } from '../protocol/ids/index.ts';
import { joinMigrations } from '../storage/index.ts';
import { Hub } from '../streams/index.ts';
import { forEachDatabase, type OpenTestDatabase } from '../testing/databases.ts';
import { Accounts, type AuthData, accountsMigrations, accountsStreams, type ProfilePublisher } from './index.ts';

const remote: Remote = { ip: '192.0.2.1', isLocal: true, userAgent: 'test' };
/** Somebody without UIA: all stages are done. */
const done = { results: new Map<string, string>(), close: async () => undefined };
const cheap = { memory: '8K', iterations: 1, parallelism: 1 };

function userIdOf(text: string): UserId {
  const userId = parseUserId(text);
  assert.ok(userId);
  return userId;
}

async function setUp(open: OpenTestDatabase, config: ConfigInput = {}, rateLimited = false) {
  const clock = { ms: 1_800_000_000_000, now: () => clock.ms };
  const database = await open(joinMigrations(jobsMigrations, accountsMigrations), { clock, streams: accountsStreams });
  const hub = new Hub();
  const jobs = new Jobs({ database, hub, clock, random: () => 0.5 });
  const accounts = await Accounts.open({
    database,
    hub,
    jobs,
    clock,
    rateLimits: new RateLimits({ clock, enabled: rateLimited }),
    config: makeConfig({ login: { password_hash: cheap }, ...config }, '/nowhere'),
    firstLocalUserIsAdmin: true,
    onError: (error) => assert.fail(String(error)),
  });
  const register = async (username: string) => {
    const { session } = await accounts.registration.register({ username, password: `p-${username}` }, done, remote);
    assert.ok(session);
    return session;
  };
  return { accounts, clock, database, hub, jobs, register };
}

const errcodeOf = (errcode: string) => (error: MatrixError) => error.errcode === errcode;

forEachDatabase((_name, open) => {
  describe('access tokens', () => {
    it('need no query and no promise when they were seen before, and end with the commit', async () => {
      const { accounts, register } = await setUp(open);
      const { accessToken } = await register('alice');
      const cold = accounts.authenticator.authenticate(accessToken, remote);
      assert.ok(cold instanceof Promise);
      const requester = await cold;
      assert.equal(accounts.authenticator.authenticate(accessToken, remote), requester);
      await accounts.sessions.logOut(requester);
      await assert.rejects(
        async () => accounts.authenticator.authenticate(accessToken, remote),
        errcodeOf('M_UNKNOWN_TOKEN'),
      );
    });

    it('are not remembered from before a change that came while they were read', async () => {
      const { accounts, register } = await setUp(open);
      const { accessToken, userId } = await register('alice');
      const reading = accounts.authenticator.authenticate(accessToken, remote);
      await Promise.all([reading, accounts.users.setLocked(userId, true)]);
      assert.equal((await accounts.authenticator.authenticate(accessToken, remote)).isLocked, true);
      await accounts.users.setLocked(userId, false);
      assert.equal((await accounts.authenticator.authenticate(accessToken, remote)).isLocked, false);
    });

    it('are kept a while after they expire, so that their clients hear of it softly', async () => {
      const { accounts, clock, register } = await setUp(open);
      const { userId } = await register('alice');
      const wish = { canRefresh: true };
      const { accessToken } = await accounts.passwordLogin.logIn(userId, 'p-alice', wish, remote);
      const refusal = async () => {
        try {
          await accounts.authenticator.authenticate(accessToken, remote);
        } catch (error) {
          return (error as MatrixError).fields.soft_logout;
        }
        return 'accepted';
      };
      assert.equal(await refusal(), 'accepted');
      clock.ms += 3_600_000;
      await accounts.deleteExpired();
      assert.equal(await refusal(), true);
      clock.ms += 31 * 86_400_000;
      await accounts.deleteExpired();
      accounts.authenticator.forget(userId);
      assert.equal(await refusal(), false);
    });

    it('are noted as seen in the background', async () => {
      const { accounts, clock, register } = await setUp(open);
      const { accessToken, userId, deviceId } = await register('alice');
      clock.ms += 60_000;
      await accounts.authenticator.authenticate(accessToken, { ...remote, ip: '192.0.2.77' });
      await accounts[Symbol.asyncDispose]();
      const device = await accounts.devices.get(userId, deviceId);
      assert.deepEqual([device.lastSeenIp, device.lastSeenTs], ['192.0.2.77', clock.ms]);
    });
  });

  describe('refresh tokens', () => {
    it('expire where the configuration says so', async () => {
      const { accounts, clock, register } = await setUp(open, {
        login: { password_hash: cheap, refresh_token_lifetime: '1d' },
      });
      await register('alice');
      const { refreshToken } = await accounts.passwordLogin.logIn('alice', 'p-alice', { canRefresh: true }, remote);
      assert.ok(refreshToken);
      clock.ms += 86_400_000;
      await assert.rejects(accounts.sessions.refresh(refreshToken), errcodeOf('M_UNKNOWN_TOKEN'));
    });

    it('leave a bounded number of unused sessions behind, however often one is exchanged', async () => {
      const { accounts, database, register } = await setUp(open);
      await register('alice');
      const { refreshToken } = await accounts.passwordLogin.logIn('alice', 'p-alice', { canRefresh: true }, remote);
      assert.ok(refreshToken);
      for (let i = 0; i < 30; i++) await accounts.sessions.refresh(refreshToken);
      const rows = await database.read((tx) => tx.db.selectFrom('refresh_tokens').selectAll().execute());
      assert.ok(rows.length <= 7, String(rows.length));
    });
  });

  describe('passwords', () => {
    it('of an imported bcrypt hash are accepted, and hashed anew', async () => {
      const { accounts, database, register } = await setUp(open);
      const { userId } = await register('alice');
      // bcrypt of 'open sesame', cost 4.
      const { hashSync } = await import('bcryptjs');
      const bcrypt = hashSync('open sesame', 4);
      const setHash = (hash: string) =>
        database.write('main', (tx) => tx.db.updateTable('users').set({ password_hash: hash }).execute());
      await setHash(bcrypt);
      await accounts.passwordLogin.logIn('alice', 'open sesame', {}, remote);
      const row = await database.read((tx) => tx.db.selectFrom('users').selectAll().executeTakeFirstOrThrow());
      assert.match(row.password_hash ?? '', /^\$argon2id\$/);
      await accounts.passwordLogin.logIn(userId, 'open sesame', {}, remote);
      await assert.rejects(accounts.passwordLogin.logIn('alice', 'wrong', {}, remote), errcodeOf('M_FORBIDDEN'));
    });

    it('are the same however their characters were composed', async () => {
      const { accounts, register } = await setUp(open);
      const { userId } = await register('alice');
      await accounts.users.setPassword(userId, 'café', { logOutOthers: false });
      await accounts.passwordLogin.logIn('alice', 'cafe\u0301', {}, remote);
    });

    it('can be guessed a few times only, also where there is no such account', async () => {
      const { accounts, clock, register } = await setUp(open, {}, true);
      await register('alice');
      for (const user of ['alice', 'nobody']) {
        for (let i = 0; i < 5; i++) {
          await assert.rejects(accounts.passwordLogin.logIn(user, 'guess', {}, remote), errcodeOf('M_FORBIDDEN'));
        }
        await assert.rejects(accounts.passwordLogin.logIn(user, 'guess', {}, remote), errcodeOf('M_LIMIT_EXCEEDED'));
      }
      await assert.rejects(accounts.passwordLogin.logIn('alice', 'p-alice', {}, remote), errcodeOf('M_LIMIT_EXCEEDED'));
      clock.ms += 60_000;
      await accounts.passwordLogin.logIn('alice', 'p-alice', {}, remote);
    });

    it('of locked accounts open no session', async () => {
      const { accounts, register } = await setUp(open);
      const { userId } = await register('alice');
      await accounts.users.setLocked(userId, true);
      await assert.rejects(accounts.passwordLogin.logIn('alice', 'p-alice', {}, remote), errcodeOf('M_USER_LOCKED'));
      await assert.rejects(accounts.passwordLogin.logIn('alice', 'wrong', {}, remote), errcodeOf('M_FORBIDDEN'));
    });
  });

  describe('registration', () => {
    it('makes the very first account an administrator, if it is made on this machine', async () => {
      const { accounts, register } = await setUp(open);
      const first = await register('alice');
      const second = await register('bob');
      assert.equal((await accounts.users.find(first.userId))?.isAdmin, true);
      assert.equal((await accounts.users.find(second.userId))?.isAdmin, false);
    });

    it('uses a registration token no more often than it allows, also at once', async () => {
      const { accounts, clock } = await setUp(open);
      const token = await accounts.registration.createToken({ usesAllowed: 2, expiresTs: clock.ms + 1000 });
      const outcome = { ...done, results: new Map([['m.login.registration_token', token]]) };
      const attempts = ['a', 'b', 'c', 'd'].map((username) =>
        accounts.registration.register({ username, password: 'x' }, outcome, remote),
      );
      const settled = await Promise.allSettled(attempts);
      assert.equal(settled.filter(({ status }) => status === 'fulfilled').length, 2);
      assert.equal(await accounts.registration.isTokenValid(token), false);
      const other = await accounts.registration.createToken({ expiresTs: clock.ms + 1000 });
      assert.equal(await accounts.registration.isTokenValid(other), true);
      clock.ms += 1000;
      assert.equal(await accounts.registration.isTokenValid(other), false);
      assert.equal(await accounts.registration.isTokenValid('unknown'), false);
    });
  });

  describe('user-interactive authentication', () => {
    it('survives a restart, and expires', async () => {
      const { accounts, clock, database, hub, jobs, register } = await setUp(open);
      const { userId } = await register('alice');
      const request = {
        operation: 'x',
        binding: '',
        userId,
        flows: [['m.login.dummy', 'm.login.password']] as const,
        remote,
        now: clock.ms,
      };
      const challenge = async (uia: Accounts['uia'], auth: AuthData | undefined) => {
        try {
          await uia.require({ ...request, auth });
        } catch (error) {
          return (error as MatrixError).toBody();
        }
        return 'done';
      };
      const asked = await challenge(accounts.uia, undefined);
      assert.ok(typeof asked === 'object');
      const session = String(asked.session);
      assert.notEqual(await challenge(accounts.uia, { type: 'm.login.dummy', session }), 'done');
      const again = await Accounts.open({
        database,
        hub,
        jobs,
        clock,
        rateLimits: new RateLimits({ clock, enabled: false }),
        config: makeConfig({ login: { password_hash: cheap } }, '/nowhere'),
        firstLocalUserIsAdmin: true,
        onError: () => undefined,
      });
      const password = { type: 'm.login.password', password: 'p-alice', session };
      assert.equal(await challenge(again.uia, password), 'done');
      clock.ms += 3_600_000;
      const late = await challenge(again.uia, password);
      assert.ok(typeof late === 'object' && late.errcode === 'M_FORBIDDEN' && late.session !== session);
    });

    it('offers approval by OAuth to clients that came by it, and to nobody where there is none', async () => {
      const { accounts, clock, database, register } = await setUp(open);
      const { userId } = await register('alice');
      const { uia, reAuthentication } = accounts;
      const [ofOAuth, ofPassword] = [7, 8];
      assert.deepEqual(await reAuthentication.flowsForCrossSigning(userId, ofOAuth), [['m.login.password']]);
      reAuthentication.approveBy({
        isOAuthToken: async (tokenId) => tokenId === ofOAuth,
        crossSigningUrl: (session) => `https://account.example.org/reset?session=${session}`,
      });
      assert.deepEqual(await reAuthentication.flowsForCrossSigning(userId, ofPassword), [['m.login.password']]);
      const flows = await reAuthentication.flowsForCrossSigning(userId, ofOAuth);
      const request = { operation: 'uploadCrossSigningKeys', binding: '', userId, flows, remote, now: clock.ms };
      const challenge = async (auth: AuthData | undefined) => {
        const error = await uia.require({ ...request, auth }).catch((thrown: MatrixError) => thrown);
        assert.ok(error instanceof Error && error.status === 401);
        return error.toBody();
      };
      const { session, flows: offered, params } = await challenge(undefined);
      assert.deepEqual(offered, [{ stages: ['m.oauth'] }, { stages: ['org.matrix.cross_signing_reset'] }]);
      const url = `https://account.example.org/reset?session=${session}`;
      assert.deepEqual(params, { 'm.oauth': { url }, 'org.matrix.cross_signing_reset': { url } });
      const auth = { session: String(session) };
      assert.equal((await challenge({ ...auth, type: 'm.oauth' })).errcode, 'M_FORBIDDEN');
      const other = (await register('bob')).userId;
      await database.write('main', (tx) => uia.completeIn(tx, auth.session, 'm.oauth', other));
      assert.equal((await challenge(auth)).completed, undefined);
      await database.write('main', (tx) => uia.completeIn(tx, auth.session, 'm.oauth', userId));
      const proof = await uia.require({ ...request, auth });
      await database.write('main', (tx) => proof.close(tx));
      assert.notEqual((await challenge(auth)).session, session);
    });
  });

  describe('push rules', () => {
    it('that were changed get the default rules of another configuration, and clients are told', async () => {
      const { accounts, clock, database, hub, jobs, register } = await setUp(open);
      const { userId } = await register('alice');
      await accounts.pushRules.adjust(userId, 'override', '.m.rule.tombstone', { enabled: false });
      const before = database.positions.current('account_data');
      const reopen = (encrypted: boolean) =>
        Accounts.open({
          database,
          hub,
          jobs,
          clock,
          rateLimits: new RateLimits({ clock, enabled: false }),
          config: makeConfig({ login: { password_hash: cheap }, push: { encrypted_events: encrypted } }, '/nowhere'),
          firstLocalUserIsAdmin: true,
          onError: () => undefined,
        });
      await reopen(false);
      assert.equal(database.positions.current('account_data'), before);
      const rules = (await reopen(true)).pushRules.get(userId).override;
      assert.equal(rules[1]?.rule_id, '.org.matrix.msc4028.encrypted_event');
      assert.equal(rules.find((rule) => rule.rule_id === '.m.rule.tombstone')?.enabled, false);
      assert.equal(database.positions.current('account_data'), before + 1);
      await reopen(true);
      assert.equal(database.positions.current('account_data'), before + 1);
    });
  });

  describe('profiles', () => {
    it('are published to all rooms by one job, some at once', async () => {
      const { accounts, database, jobs, register } = await setUp(open);
      const { userId } = await register('alice');
      const rooms = Array.from({ length: 100 }, (_, i) => parseRoomId(`!r${i}:localhost`)).filter(
        (id) => id !== undefined,
      );
      const published = new Map<RoomId, string | undefined>();
      let atOnce = 0;
      let atOnceMax = 0;
      const publisher: ProfilePublisher = {
        joinedRooms: async () => rooms,
        publishProfile: async (roomId, user) => {
          atOnce++;
          atOnceMax = Math.max(atOnceMax, atOnce);
          const profile = await database.read((tx) => accounts.profileOf(tx, user));
          published.set(roomId, profile?.displayname);
          atOnce--;
        },
        openMemberships: async () => rooms,
        leave: async (roomId) => void published.delete(roomId),
      };
      jobs.declare(...accounts.jobs(publisher));
      const runner = await jobs.start();
      await accounts.profiles.set(userId, 'displayname', 'Alice');
      await until(() => published.size === 100 && atOnce === 0);
      assert.equal(published.get(rooms[99] ?? assert.fail()), 'Alice');
      assert.ok(atOnceMax > 1 && atOnceMax <= 32, String(atOnceMax));
      await accounts.users.deactivate(userId, { erase: true });
      await until(() => published.size === 0);
      assert.equal(accounts.users.isErased(userId), true);
      assert.equal(accounts.users.isErased(userIdOf('@bob:localhost')), false);
      await runner[Symbol.asyncDispose]();
    });

    it('tell no room where nothing changed that rooms show', async () => {
      const { accounts, database, register } = await setUp(open);
      const { userId } = await register('alice');
      await accounts.profiles.set(userId, 'm.tz', 'Asia/Tokyo');
      await accounts.profiles.set(userId, 'displayname', 'alice');
      const waiting = await database.read((tx) => tx.db.selectFrom('jobs').selectAll().execute());
      assert.deepEqual(waiting, []);
      assert.deepEqual((await accounts.getProfile(userId))?.fields, { 'm.tz': 'Asia/Tokyo' });
    });
  });

  describe('account data', () => {
    it('wakes its user, and is found by position', async () => {
      const { accounts, database, hub, register } = await setUp(open);
      const { userId } = await register('alice');
      const { userId: bob } = await register('bob');
      let wakes = 0;
      hub.listen(`user:${userId}`, () => wakes++);
      const before = database.positions.current('account_data');
      assert.equal(accounts.accountData.mayHaveChanged(userId, before), false);
      await accounts.accountData.setByClient(userId, undefined, 'a', { one: 1 });
      const roomId = parseRoomId('!r:localhost');
      await accounts.accountData.setByClient(userId, roomId, 'a', { two: 2 });
      const now = database.positions.current('account_data');
      assert.equal(wakes, 2);
      const changes = await accounts.accountData.changedBetween(userId, before, now);
      assert.deepEqual(
        changes.map(({ roomId, content }) => [roomId, content]),
        [
          [undefined, '{"one":1}'],
          ['!r:localhost', '{"two":2}'],
        ],
      );
      assert.deepEqual(await accounts.accountData.changedBetween(userId, now, now), []);
      assert.equal(accounts.accountData.mayHaveChanged(userId, now), false);
      assert.equal(accounts.accountData.mayHaveChanged(bob, before), false);
    });

    it('knows whom the user ignores, as soon as they say it', async () => {
      const { accounts, register } = await setUp(open);
      const { userId } = await register('alice');
      assert.equal((await accounts.ignoredUsers(userId)).size, 0);
      const content = { ignored_users: { '@bob:localhost': {}, nobody: {} } };
      await accounts.accountData.setByClient(userId, undefined, 'm.ignored_user_list', content);
      assert.deepEqual(await accounts.ignoredUsers(userId), new Set(['@bob:localhost']));
    });
  });

  it('tells whoever follows which devices were made and deleted, in the same transaction', async () => {
    const { accounts, register } = await setUp(open);
    const told: string[] = [];
    accounts.devices.onChanged(async (_tx, userId, deviceId) => void told.push(`+${userId}/${deviceId}`));
    accounts.devices.onDeleted(async (_tx, userId, deviceIds) => void told.push(`-${userId}/${deviceIds}`));
    const { accessToken, userId, deviceId } = await register('alice');
    const requester: Requester = await accounts.authenticator.authenticate(accessToken, remote);
    await accounts.sessions.logOut(requester);
    assert.deepEqual(told, [`+${userId}/${deviceId}`, `-${userId}/${deviceId}`]);
  });
});

/** Waits for something that happens in the background. */
async function until(isSo: () => boolean): Promise<void> {
  for (let i = 0; i < 1000; i++) {
    if (isSo()) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.fail('it did not happen');
}
