/** What goes on around the messages of rooms that we share with a Synapse: who is there, what was before, what comes after. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  act,
  createRoom,
  eventually,
  join,
  membership,
  send,
  setState,
  stateContent,
  texts,
} from '../../src/testing/room-client.ts';
import type { TestUser } from '../../src/testing/test-user.ts';
import { KeyMaker } from '../client-server/key-maker.ts';
import { arrived, type Pair, type Side, startPair } from './pair.ts';

const V1 = '/_matrix/client/v1';
const V3 = '/_matrix/client/v3';
const e = encodeURIComponent;
const OLD_MESSAGES = 500;

describe('beside a Synapse', () => {
  let pair: Pair;
  let ours: Side;
  let theirs: Side;

  before(async () => {
    // The access lists of rooms take no heed of ports: a name of our own lets them tell the two apart.
    pair = await startPair({ host: '127.0.0.1' });
    ({ ours, theirs } = pair);
  });

  after(() => pair[Symbol.asyncDispose]());

  /** A room of the host that the guest has joined. */
  async function share(host: Side, guest: Side, options: object = {}): Promise<string> {
    const roomId = await createRoom(host.user, options);
    await join(guest.user, roomId, host.name);
    await arrived(host.user, roomId, guest.user.userId);
    return roomId;
  }

  async function arrives(viewer: TestUser, roomId: string, body: string): Promise<void> {
    await eventually(
      () => texts(viewer, roomId),
      (all) => all.includes(body),
    );
  }

  async function put(user: TestUser, target: string, body: object): Promise<void> {
    const answer = await user.request('PUT', target, body);
    assert.equal(answer.status, 200, answer.bytes.toString());
  }

  /** Everything that comes in syncs after now, as JSON texts. */
  async function syncing(user: TestUser): Promise<() => Promise<string>> {
    let since: string = (await user.request('GET', `${V3}/sync?timeout=0`)).body.next_batch;
    let heard = '';
    return async () => {
      const { body } = await user.request('GET', `${V3}/sync?timeout=0&since=${since}`);
      since = body.next_batch;
      heard += JSON.stringify(body);
      return heard;
    };
  }

  for (const [who, sides] of [
    ['us', () => [ours, theirs]],
    ['them', () => [theirs, ours]],
  ] as const) {
    const both = () => {
      const [host, guest] = sides();
      assert(host !== undefined && guest !== undefined);
      return { host, guest };
    };

    it(`shows presence of a user of ${who}, and that they went`, async () => {
      const { host, guest } = both();
      await share(host, guest);
      const status = `${V3}/presence/${e(host.user.userId)}/status`;
      const heard = await syncing(guest.user);
      // Synapse tells of users who sync, and takes a status at its next sync.
      await host.user.request('GET', `${V3}/sync?timeout=0&set_presence=online`);
      await put(host.user, status, { presence: 'online', status_msg: `at the hearth of ${who}` });
      await host.user.request('GET', `${V3}/sync?timeout=0&set_presence=online`);
      await eventually(heard, (json) => json.includes(`at the hearth of ${who}`));
      const seen = await guest.user.request('GET', status);
      assert.equal(seen.body.presence, 'online', seen.bytes.toString());
      await put(host.user, status, { presence: 'unavailable', status_msg: `dozing at ${who}` });
      await eventually(heard, (json) => json.includes(`dozing at ${who}`));
    });

    it(`brings receipts of threads in a room made by ${who}`, async () => {
      const { host, guest } = both();
      const roomId = await share(host, guest);
      const root = await send(host.user, roomId, 'root');
      const relation = { rel_type: 'm.thread', event_id: root };
      const content = { msgtype: 'm.text', body: 'in the thread', 'm.relates_to': relation };
      await put(host.user, `${V3}/rooms/${e(roomId)}/send/m.room.message/thread`, content);
      await arrives(guest.user, roomId, 'in the thread');
      const { chunk } = (await guest.user.request('GET', `${V3}/rooms/${e(roomId)}/messages?dir=b&limit=1`)).body;
      const heard = await syncing(host.user);
      const read = `${V3}/rooms/${e(roomId)}/receipt/m.read/${e(chunk[0].event_id)}`;
      assert.equal((await guest.user.request('POST', read, { thread_id: root })).status, 200);
      await eventually(heard, (json) => json.includes(`"thread_id":"${root}"`) && json.includes(guest.user.userId));
    });

    it(`brings a changed name and picture into rooms shared with ${who}`, async () => {
      const { host, guest } = both();
      const roomId = await share(host, guest);
      const profile = `${V3}/profile/${e(host.user.userId)}`;
      await put(host.user, `${profile}/displayname`, { displayname: 'New Name' });
      await put(host.user, `${profile}/avatar_url`, { avatar_url: `mxc://${host.name}/picture` });
      await eventually(
        () => stateContent(guest.user, roomId, 'm.room.member', host.user.userId),
        (is) => is.displayname === 'New Name' && is.avatar_url === `mxc://${host.name}/picture`,
      );
    });

    it(`takes up a direct chat that a user of ${who} begins`, async () => {
      const { host, guest } = both();
      const roomId = await createRoom(host.user, {
        preset: 'trusted_private_chat',
        is_direct: true,
        invite: [guest.user.userId],
      });
      // A Synapse gives the same answer to the same token for two minutes: each look goes on from the one before.
      let since = '';
      const look = async () => {
        const { body } = await guest.user.request('GET', `${V3}/sync?timeout=0${since}`);
        since = `&since=${body.next_batch}`;
        return body.rooms?.invite?.[roomId];
      };
      const invited = await eventually(look, (invite) => invite !== undefined);
      const events: { type: string; state_key: string; content: { is_direct?: boolean } }[] =
        invited.invite_state.events;
      const invite = events.find(({ type, state_key: key }) => type === 'm.room.member' && key === guest.user.userId);
      assert.equal(invite?.content.is_direct, true);
      assert(events.some(({ type }) => type === 'm.room.create'));
      await join(guest.user, roomId, host.name);
      await arrived(host.user, roomId, guest.user.userId);
      await send(guest.user, roomId, 'just us');
      await arrives(host.user, roomId, 'just us');
    });

    it(`walks a space made by ${who}`, async () => {
      const { host, guest } = both();
      const space = await createRoom(host.user, { creation_content: { type: 'm.space' }, name: 'House' });
      const open = await createRoom(host.user, { name: 'Kitchen' });
      const closed = await createRoom(host.user, { preset: 'private_chat', name: 'Safe' });
      const allow = [{ type: 'm.room_membership', room_id: space }];
      const restricted = await createRoom(host.user, {
        preset: 'private_chat',
        name: 'Study',
        initial_state: [{ type: 'm.room.join_rules', state_key: '', content: { join_rule: 'restricted', allow } }],
      });
      const inner = await createRoom(host.user, { creation_content: { type: 'm.space' }, name: 'Cellar' });
      const deep = await createRoom(host.user, { name: 'Wine' });
      for (const [parent, child] of [
        [space, open],
        [space, closed],
        [space, restricted],
        [space, inner],
        [inner, deep],
      ] as const) {
        await put(host.user, `${V3}/rooms/${e(parent)}/state/m.space.child/${e(child)}`, { via: [host.name] });
      }
      await join(guest.user, space, host.name);
      const { body } = await guest.user.request('GET', `${V1}/rooms/${e(space)}/hierarchy`);
      const names = body.rooms.map((room: { name: string }) => room.name);
      assert.deepEqual(new Set(names), new Set(['House', 'Kitchen', 'Study', 'Cellar', 'Wine']));
    });

    it(`moves with a room made by ${who} to its upgrade`, async () => {
      const { host, guest } = both();
      const roomId = await share(host, guest, { room_version: '10', name: 'Old' });
      const upgraded = await host.user.request('POST', `${V3}/rooms/${e(roomId)}/upgrade`, { new_version: '12' });
      assert.equal(upgraded.status, 200, upgraded.bytes.toString());
      const replacement: string = upgraded.body.replacement_room;
      await eventually(
        () => stateContent(guest.user, roomId, 'm.room.tombstone'),
        (tombstone) => tombstone.replacement_room === replacement,
      );
      await join(guest.user, replacement, host.name);
      await arrived(host.user, replacement, guest.user.userId);
      const create = await stateContent(guest.user, replacement, 'm.room.create');
      assert.equal(create.predecessor.room_id, roomId);
      await send(guest.user, replacement, 'moved in');
      await arrives(host.user, replacement, 'moved in');
    });

    it(`keeps a server out that the access list of a room made by ${who} denies`, async () => {
      const { host, guest } = both();
      const roomId = await share(host, guest);
      const deny = [guest.name.replace(/:\d+$/, '')];
      await setState(host.user, roomId, 'm.room.server_acl', { allow: ['*'], deny, allow_ip_literals: true });
      await eventually(
        () => stateContent(guest.user, roomId, 'm.room.server_acl'),
        (acl) => acl.deny?.length === 1,
      );
      await send(guest.user, roomId, 'from outside');
      const elsewhere = await share(host, guest);
      await send(guest.user, elsewhere, 'from within');
      await arrives(host.user, elsewhere, 'from within');
      assert(!(await texts(host.user, roomId)).includes('from outside'));
      const acl = { allow: ['*'], deny, allow_ip_literals: true };
      const closed = await createRoom(host.user, {
        initial_state: [{ type: 'm.room.server_acl', state_key: '', content: acl }],
      });
      const target = `${V3}/join/${e(closed)}?via=${e(host.name)}&server_name=${e(host.name)}`;
      const refused = await guest.user.request('POST', target, {});
      assert.equal(refused.status, 403, refused.bytes.toString());
    });

    it(`pages back through ${OLD_MESSAGES} messages in a room made by ${who}, and finds one by its time`, async () => {
      const { host, guest } = both();
      const roomId = await createRoom(host.user);
      const sent: string[] = [];
      const ids: string[] = [];
      for (let index = 0; index < OLD_MESSAGES; index++) {
        sent.push(`old ${index}`);
        ids.push(await send(host.user, roomId, `old ${index}`));
      }
      const early = await host.user.request('GET', `${V3}/rooms/${e(roomId)}/event/${e(ids[20] ?? '')}`);
      const ts: number = early.body.origin_server_ts;
      await join(guest.user, roomId, host.name);
      const found = await guest.user.request('GET', `${V1}/rooms/${e(roomId)}/timestamp_to_event?ts=${ts}&dir=f`);
      assert.equal(found.status, 200, found.bytes.toString());
      assert.equal(found.body.origin_server_ts, ts);
      const seen = await eventually(
        () => allTexts(guest.user, roomId),
        (all) => all.length >= OLD_MESSAGES,
      );
      assert.deepEqual(seen, sent);
    });

    it(`hears of new and removed devices of a user of ${who}`, async () => {
      const { host, guest } = both();
      await share(host, guest);
      const heard = await syncing(guest.user);
      const device = await host.login('user');
      const keys = { device_keys: new KeyMaker(device).deviceKeys() };
      assert.equal((await device.request('POST', `${V3}/keys/upload`, keys)).status, 200);
      await eventually(heard, (json) => /"changed":\[[^\]]*/.exec(json)?.[0].includes(host.user.userId) === true);
      const devices = async () => {
        const body = { device_keys: { [host.user.userId]: [] } };
        const answer = await guest.user.request('POST', `${V3}/keys/query`, body);
        return Object.keys(answer.body.device_keys?.[host.user.userId] ?? {});
      };
      await eventually(devices, (ids) => ids.includes(device.deviceId));
      await device.request('POST', `${V3}/logout`, {});
      await eventually(devices, (ids) => !ids.includes(device.deviceId));
    });

    it(`no longer hears of a room made by ${who} that its last user left, and may come back`, async () => {
      const { host, guest } = both();
      const roomId = await share(host, guest);
      await act(guest.user, roomId, 'leave');
      await eventually(
        () => membership(host.user, roomId, guest.user.userId),
        (is) => is === 'leave',
      );
      for (let index = 0; index < 15; index++) await send(host.user, roomId, `alone ${index}`);
      await join(guest.user, roomId, host.name);
      await arrived(host.user, roomId, guest.user.userId);
      await send(host.user, roomId, 'together');
      await arrives(guest.user, roomId, 'together');
      await eventually(
        () => allTexts(guest.user, roomId),
        (all) => all.length === 16,
      );
    });
  }
});

/** The texts of all messages, page by page, oldest first. */
async function allTexts(user: TestUser, roomId: string): Promise<readonly string[]> {
  const seen: string[] = [];
  let from = '';
  for (;;) {
    const page = await user.request('GET', `${V3}/rooms/${e(roomId)}/messages?dir=b&limit=100${from}`);
    assert.equal(page.status, 200, page.bytes.toString());
    for (const event of page.body.chunk) if (event.content.body !== undefined) seen.push(event.content.body);
    if (page.body.end === undefined || page.body.chunk.length === 0) return seen.reverse();
    from = `&from=${e(page.body.end)}`;
  }
}
