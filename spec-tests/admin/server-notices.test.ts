/** What the server says to its users. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { makeConfig } from '../../src/config/index.ts';
import { openDomains } from '../../src/homeserver.ts';
import { silentLogger } from '../../src/telemetry/log.ts';
import { TestServer } from '../../src/testing/test-server.ts';
import type { TestUser } from '../../src/testing/test-user.ts';
import { createRoom, V3 } from '../client-server/helpers.ts';

const NOTICE = '/_synapse/admin/v1/send_server_notice';
const e = encodeURIComponent;

describe('server notices', () => {
  let server: TestServer;
  let root: TestUser;
  let alice: TestUser;
  let room: string;

  before(async () => {
    server = await TestServer.start({
      config: {
        server_notices: { user: 'notices', display_name: 'The house', room_name: 'From the house' },
        rooms: { encrypted_presets: ['private_chat'] },
        rate_limits: { enabled: true, invite_received: { per_second: 0.001, burst: 1 } },
      },
    });
    root = await server.register('root', { admin: true });
    alice = await server.register('alice');
  });
  after(() => server[Symbol.asyncDispose]());

  const notice = (body: string, user = alice) => ({ user_id: user.userId, content: { msgtype: 'm.text', body } });

  async function sync(user: TestUser) {
    return (await user.request('GET', `${V3}/sync`)).body;
  }

  it('invite the user to a room with its tag, of a name that the configuration says', async () => {
    // Not even who wants no invites at all is spared.
    const wish = `${V3}/user/${e(alice.userId)}/account_data/m.invite_permission_config`;
    assert.equal((await alice.request('PUT', wish, { default_action: 'block' })).status, 200);
    const sent = await root.request('POST', NOTICE, notice('hello'));
    assert.equal(sent.status, 200, sent.bytes.toString());
    assert.match(sent.body.event_id, /^\$/);
    const { rooms } = await sync(alice);
    [room = ''] = Object.keys(rooms.invite);
    const state: { type: string; state_key: string; sender: string; content: Record<string, unknown> }[] =
      rooms.invite[room].invite_state.events;
    assert.equal(state.find(({ type }) => type === 'm.room.name')?.content.name, 'From the house');
    assert.equal(
      state.some(({ type }) => type === 'm.room.encryption'),
      false,
    );
    assert.equal(state.find(({ state_key }) => state_key === alice.userId)?.sender, '@notices:example.org');
    const tags = await alice.request('GET', `${V3}/user/${e(alice.userId)}/rooms/${e(room)}/tags`);
    assert.deepEqual(tags.body, { tags: { 'm.server_notice': {} } });
  });

  it('can not be rejected, but the room can be left once it was joined', async () => {
    const leave = () => alice.request('POST', `${V3}/rooms/${e(room)}/leave`, {});
    const refused = await leave();
    assert.deepEqual([refused.status, refused.body.errcode], [403, 'M_CANNOT_LEAVE_SERVER_NOTICE_ROOM']);
    const member = `${V3}/rooms/${e(room)}/state/m.room.member/${e(alice.userId)}`;
    const asState = await alice.request('PUT', member, { membership: 'leave' });
    assert.equal(asState.body.errcode, 'M_CANNOT_LEAVE_SERVER_NOTICE_ROOM');
    assert.equal((await alice.request('POST', `${V3}/rooms/${e(room)}/join`, {})).status, 200);
    const said = await alice.request('PUT', `${V3}/rooms/${e(room)}/send/m.room.message/x`, {
      msgtype: 'm.text',
      body: 'y',
    });
    assert.equal(said.status, 403, 'only the server speaks there');
    assert.equal((await leave()).status, 200);
    assert.equal((await root.request('POST', NOTICE, notice('come back'))).status, 200);
    assert.deepEqual(Object.keys((await sync(alice)).rooms.invite), [room]);
    assert.equal((await alice.request('POST', `${V3}/rooms/${e(room)}/join`, {})).status, 200);
  });

  async function bodies(user: TestUser, roomId: string): Promise<readonly string[]> {
    const page = await user.request('GET', `${V3}/rooms/${e(roomId)}/messages?dir=b&limit=100`);
    const chunk: { type: string; content: { body: string } }[] = page.body.chunk;
    return chunk.flatMap(({ type, content }) => (type === 'm.room.message' ? [content.body] : [])).reverse();
  }

  it('share one room, whether they come together or after a restart', async () => {
    const bob = await server.register('bob');
    const all = await Promise.all(['1', '2', '3'].map((body) => root.request('POST', NOTICE, notice(body, bob))));
    assert.deepEqual(
      all.map(({ status }) => status),
      [200, 200, 200],
    );
    await server.restart();
    assert.equal((await root.request('POST', NOTICE, notice('4', bob))).status, 200);
    const invites = Object.keys((await sync(bob)).rooms.invite);
    assert.equal(invites.length, 1);
    const [own = ''] = invites;
    await bob.request('POST', `${V3}/rooms/${e(own)}/join`, {});
    assert.deepEqual([...(await bodies(bob, own))].sort(), ['1', '2', '3', '4']);
    assert.equal((await bodies(bob, own)).at(-1), '4');
  });

  it('are sent once for each transaction', async () => {
    const first = await root.request('PUT', `${NOTICE}/t1`, notice('once'));
    const again = await root.request('PUT', `${NOTICE}/t1`, notice('once'));
    assert.deepEqual([first.status, again.status], [200, 200]);
    assert.equal(first.body.event_id, again.body.event_id);
    assert.equal((await bodies(alice, room)).filter((body) => body === 'once').length, 1);
    const other = await root.request('PUT', `${NOTICE}/t2`, notice('once'));
    assert.notEqual(other.body.event_id, first.body.event_id);
  });

  it('can be of another type, or state', async () => {
    const topic = { user_id: alice.userId, type: 'm.room.topic', state_key: '', content: { topic: 'News' } };
    assert.equal((await root.request('POST', NOTICE, topic)).status, 200);
    const state = await alice.request('GET', `${V3}/rooms/${e(room)}/state/m.room.topic/`);
    assert.equal(state.body.topic, 'News');
  });

  it('come from an account that nobody gets', async () => {
    const taken = await server.request('POST', `${V3}/register`, {
      body: { username: 'notices', password: 'p', auth: { type: 'm.login.dummy' } },
    });
    assert.equal(taken.status, 400);
    const identifier = { type: 'm.id.user', user: 'notices' };
    const login = { type: 'm.login.password', identifier, password: '' };
    assert.equal((await server.request('POST', `${V3}/login`, { body: login })).status, 403);
    const profile = await alice.request('GET', `${V3}/profile/${e('@notices:example.org')}`);
    assert.equal(profile.body.displayname, 'The house');
  });

  it('are for users of this server, and from administrators', async () => {
    const sent = async (user_id: string) => (await root.request('POST', NOTICE, { user_id, content: {} })).status;
    assert.equal(await sent('@nobody:example.org'), 404);
    assert.equal(await sent('@bob:elsewhere.org'), 400);
    assert.equal(await sent('@notices:example.org'), 400);
    assert.equal((await alice.request('POST', NOTICE, notice('x'))).status, 403);
  });

  it('leave other rooms as they are', async () => {
    const carol = await server.register('carol');
    const own = await createRoom(root, { invite: [carol.userId] });
    assert.equal((await carol.request('POST', `${V3}/rooms/${e(own)}/leave`, {})).status, 200);
  });
});

describe('the notice of a limit', () => {
  it('is pinned, and says which limit it is and whom to ask', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'inglenook-notices-'));
    const config = makeConfig({ server: { name: 'example.org', data_folder: folder } }, folder);
    await using domains = await openDomains(config, { logger: silentLogger });
    const { registration, accountData } = domains.accounts;
    const remote = { ip: '127.0.0.1', isLocal: false, userAgent: '' };
    const registered = await registration.registerByAdmin(
      { username: 'alice', password: 'p', isAdmin: false },
      {},
      remote,
    );
    const { userId } = registered;
    const limit = { body: 'Full', adminContact: 'mailto:root@example.org', limitType: 'monthly_active_user' };
    const first = await domains.serverNotices.sendUsageLimit(userId, limit);
    const second = await domains.serverNotices.sendUsageLimit(userId, limit);
    const [roomId] = await domains.rooms.openMemberships(userId);
    assert.ok(roomId !== undefined);
    assert.deepEqual(await accountData.tags(userId, roomId), { 'm.server_notice': {} });
    const { database, events } = domains.rooms.reading;
    const pinned = (await domains.rooms.snapshot(roomId))?.state.get('m.room.pinned_events', '')?.eventId;
    assert.ok(pinned !== undefined);
    const [notice, pins] = await database.read((tx) => events.byIds(tx, [first, pinned]));
    assert.deepEqual(notice?.event.content, {
      msgtype: 'm.server_notice',
      server_notice_type: 'm.server_notice.usage_limit_reached',
      body: 'Full',
      admin_contact: 'mailto:root@example.org',
      limit_type: 'monthly_active_user',
    });
    assert.deepEqual(pins?.event.content.pinned, [first, second]);
    await rm(folder, { recursive: true, force: true });
  });
});
