/** Rooms that we share with a Synapse: each side makes them, and each side does what users do. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import sharp from 'sharp';
import {
  act,
  createRoom,
  eventually,
  join,
  joinedRooms,
  membership,
  send,
  setState,
  stateContent,
  texts,
} from '../../src/testing/room-client.ts';
import type { TestUser } from '../../src/testing/test-user.ts';
import { KeyMaker } from '../client-server/key-maker.ts';
import { arrived, type Pair, type Side, startPair } from './pair.ts';

/** Publishes identity keys of the user's device and a one-time key. */
async function uploadKeys(user: TestUser): Promise<void> {
  const maker = new KeyMaker(user);
  const body = { device_keys: maker.deviceKeys(), one_time_keys: maker.oneTimeKeys(1) };
  const uploaded = await user.request('POST', '/_matrix/client/v3/keys/upload', body);
  assert.equal(uploaded.status, 200, uploaded.bytes.toString());
}

describe('with a Synapse', () => {
  let pair: Pair;
  let ours: Side;
  let theirs: Side;

  before(async () => {
    pair = await startPair();
    ({ ours, theirs } = pair);
  });

  after(() => pair[Symbol.asyncDispose]());

  for (const version of ['6', '9', '10', '11', '12']) {
    for (const [who, sides] of [
      ['us', () => [ours, theirs]],
      ['them', () => [theirs, ours]],
    ] as const) {
      it(`talks in a room of version ${version} made by ${who}`, async () => {
        const [host, guest] = sides();
        assert(host !== undefined && guest !== undefined);
        const roomId = await createRoom(host.user, { room_version: version });
        await send(host.user, roomId, 'before');
        await join(guest.user, roomId, host.name);
        await arrived(host.user, roomId, guest.user.userId);
        await send(host.user, roomId, 'from the host');
        await eventually(
          () => texts(guest.user, roomId),
          (all) => all.includes('from the host'),
        );
        await send(guest.user, roomId, 'from the guest');
        await eventually(
          () => texts(host.user, roomId),
          (all) => all.includes('from the guest'),
        );
        await setState(host.user, roomId, 'm.room.topic', { topic: 'agreed' });
        await eventually(
          () => stateContent(guest.user, roomId, 'm.room.topic'),
          (content) => content.topic === 'agreed',
        );
        await act(guest.user, roomId, 'leave');
        await eventually(
          () => membership(host.user, roomId, guest.user.userId),
          (is) => is === 'leave',
        );
      });
    }
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

    it(`invites, kicks and bans from a room made by ${who}`, async () => {
      const { host, guest } = both();
      const roomId = await createRoom(host.user, { preset: 'private_chat', name: 'Den' });
      await act(host.user, roomId, 'invite', guest.user.userId);
      await join(guest.user, roomId, host.name);
      await arrived(host.user, roomId, guest.user.userId);
      await act(host.user, roomId, 'kick', guest.user.userId);
      await eventually(
        () => joinedRooms(guest.user),
        (rooms) => !rooms.includes(roomId),
      );
      await act(host.user, roomId, 'ban', guest.user.userId);
      await act(host.user, roomId, 'unban', guest.user.userId);
      await act(host.user, roomId, 'invite', guest.user.userId);
      await act(guest.user, roomId, 'leave');
      await eventually(
        () => membership(host.user, roomId, guest.user.userId),
        (is) => is === 'leave',
      );
    });

    it(`joins by an alias of ${who}, and finds the room in the directory`, async () => {
      const { host, guest } = both();
      const roomId = await createRoom(host.user, { room_alias_name: 'hall', visibility: 'public', name: 'Hall' });
      await join(guest.user, `#hall:${host.name}`, host.name);
      assert.equal(await membership(guest.user, roomId, guest.user.userId), 'join');
      const target = `/_matrix/client/v3/publicRooms?server=${encodeURIComponent(host.name)}`;
      const listed = await guest.user.request('GET', target);
      assert(
        listed.body.chunk?.some((room: { room_id: string }) => room.room_id === roomId),
        listed.bytes.toString(),
      );
    });

    it(`shows the profile of a user of ${who}`, async () => {
      const { host, guest } = both();
      const profile = `/_matrix/client/v3/profile/${encodeURIComponent(host.user.userId)}`;
      await host.user.request('PUT', `${profile}/displayname`, { displayname: 'The Host' });
      assert.equal((await guest.user.request('GET', profile)).body.displayname, 'The Host');
    });

    it(`lets a knocker into a room made by ${who}`, async () => {
      const { host, guest } = both();
      const state = [{ type: 'm.room.join_rules', state_key: '', content: { join_rule: 'knock' } }];
      const roomId = await createRoom(host.user, { preset: 'private_chat', initial_state: state });
      const target = `/_matrix/client/v3/knock/${encodeURIComponent(roomId)}?via=${encodeURIComponent(host.name)}`;
      const knocked = await guest.user.request('POST', `${target}&server_name=${encodeURIComponent(host.name)}`, {});
      assert.equal(knocked.status, 200, knocked.bytes.toString());
      await eventually(
        () => membership(host.user, roomId, guest.user.userId),
        (is) => is === 'knock',
      );
      await act(host.user, roomId, 'invite', guest.user.userId);
      await join(guest.user, roomId, host.name);
      await arrived(host.user, roomId, guest.user.userId);
    });

    it(`lets members of one room join a restricted one made by ${who}`, async () => {
      const { host, guest } = both();
      const space = await createRoom(host.user);
      await join(guest.user, space, host.name);
      await arrived(host.user, space, guest.user.userId);
      const allow = [{ type: 'm.room_membership', room_id: space }];
      const state = [{ type: 'm.room.join_rules', state_key: '', content: { join_rule: 'restricted', allow } }];
      const roomId = await createRoom(host.user, { preset: 'private_chat', initial_state: state, room_version: '10' });
      await join(guest.user, roomId, host.name);
      await arrived(host.user, roomId, guest.user.userId);
    });

    it(`brings redactions of a room made by ${who}`, async () => {
      const { host, guest } = both();
      const roomId = await createRoom(host.user);
      await join(guest.user, roomId, host.name);
      await arrived(host.user, roomId, guest.user.userId);
      const eventId = await send(guest.user, roomId, 'to be redacted');
      await eventually(
        () => texts(host.user, roomId),
        (all) => all.includes('to be redacted'),
      );
      const target = `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/redact/${encodeURIComponent(eventId)}/r${roomId.length}`;
      assert.equal((await host.user.request('PUT', target, {})).status, 200);
      await eventually(
        () => texts(guest.user, roomId),
        (all) => !all.includes('to be redacted'),
      );
    });

    it(`brings typing and receipts of a room made by ${who}`, async () => {
      const { host, guest } = both();
      const roomId = await createRoom(host.user);
      await join(guest.user, roomId, host.name);
      await arrived(host.user, roomId, guest.user.userId);
      const eventId = await send(host.user, roomId, 'read this');
      await eventually(
        () => texts(guest.user, roomId),
        (all) => all.includes('read this'),
      );
      const room = `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}`;
      await guest.user.request('PUT', `${room}/typing/${encodeURIComponent(guest.user.userId)}`, {
        typing: true,
        timeout: 30_000,
      });
      await guest.user.request('POST', `${room}/receipt/m.read/${encodeURIComponent(eventId)}`, {});
      const ephemeral = async () => {
        const sync = await host.user.request('GET', '/_matrix/client/v3/sync?timeout=0');
        return JSON.stringify(sync.body.rooms?.join?.[roomId]?.ephemeral ?? {});
      };
      const shown = await eventually(ephemeral, (json) => json.includes('m.typing') && json.includes('m.receipt'));
      assert(shown.includes(guest.user.userId));
    });
  }

  it('keeps numbers as a Synapse writes them in a room of version 5', async () => {
    const numbers = '"big":9007199254740993,"float":1.0,"large":1e+22,"tiny":1e-07';
    const roomId = await createRoom(theirs.user, { room_version: '5' });
    const room = `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}`;
    const put = async (side: Side, target: string, json: string): Promise<string> => {
      const { status, body, bytes } = await side.user.request('PUT', target, json);
      assert.equal(status, 200, bytes.toString());
      return body.event_id;
    };
    const show = (side: Side, eventId: string) =>
      side.user.request('GET', `${room}/event/${encodeURIComponent(eventId)}`);
    const power = `{"users":{"${theirs.user.userId}":100},"invite":50.0,"events":{"org.example.numbers":0}}`;
    await put(theirs, `${room}/state/m.room.power_levels/`, power);
    await put(theirs, `${room}/state/org.example.numbers/`, `{${numbers}}`);
    await join(ours.user, roomId, theirs.name);
    const state = await ours.user.request('GET', `${room}/state/org.example.numbers/`);
    assert.equal(state.bytes.toString(), `{${numbers}}`);
    const levels = await stateContent(ours.user, roomId, 'm.room.power_levels');
    assert.equal(levels.invite, 50);
    const message = await put(
      theirs,
      `${room}/send/m.room.message/1`,
      `{"body":"numbers","msgtype":"m.text",${numbers}}`,
    );
    await eventually(
      () => texts(ours.user, roomId),
      (all) => all.includes('numbers'),
    );
    const shown = (await show(ours, message)).bytes.toString();
    for (const number of numbers.split(',')) assert(shown.includes(number), shown);
    const answer = await put(
      ours,
      `${room}/send/m.room.message/2`,
      '{"body":"back","msgtype":"m.text","half":0.5,"tiny":1e-7}',
    );
    await eventually(
      () => texts(theirs.user, roomId),
      (all) => all.includes('back'),
    );
    const { content } = (await show(theirs, answer)).body;
    assert.deepEqual(content, { body: 'back', msgtype: 'm.text', half: 0.5, tiny: 1e-7 });
    const redact = `${room}/redact/${encodeURIComponent(message)}/3`;
    await put(theirs, redact, '{"reason":"counted"}');
    await eventually(
      () => texts(ours.user, roomId),
      (all) => !all.includes('numbers'),
    );
  });

  it('exchanges keys and messages between devices in both directions', async () => {
    const roomId = await createRoom(ours.user);
    await join(theirs.user, roomId, ours.name);
    await arrived(ours.user, roomId, theirs.user.userId);
    for (const { user } of [ours, theirs]) await uploadKeys(user);
    for (const [from, to] of [
      [ours, theirs],
      [theirs, ours],
    ] as const) {
      const { userId, deviceId } = to.user;
      const query = () => from.user.request('POST', '/_matrix/client/v3/keys/query', { device_keys: { [userId]: [] } });
      await eventually(query, ({ body }) => body.device_keys?.[userId]?.[deviceId] !== undefined);
      const wanted = { one_time_keys: { [userId]: { [deviceId]: 'signed_curve25519' } } };
      const claimed = await from.user.request('POST', '/_matrix/client/v3/keys/claim', wanted);
      assert(claimed.body.one_time_keys?.[userId]?.[deviceId] !== undefined, claimed.bytes.toString());
      let since: string = (await to.user.request('GET', '/_matrix/client/v3/sync?timeout=0')).body.next_batch;
      const messages = { [userId]: { [deviceId]: { hello: from.user.userId } } };
      const sent = await from.user.request('PUT', '/_matrix/client/v3/sendToDevice/org.example.test/t1', { messages });
      assert.equal(sent.status, 200);
      const got = async () => {
        // A Synapse gives the same answer to the same token for two minutes.
        const { body } = await to.user.request('GET', `/_matrix/client/v3/sync?timeout=0&since=${since}`);
        since = body.next_batch;
        return `at ${to.user.userId}: ${JSON.stringify(body.to_device ?? {})}`;
      };
      await eventually(got, (json) => json.includes('org.example.test'));
    }
  });

  it('takes media both ways', async () => {
    const image = sharp({ create: { width: 900, height: 600, channels: 3, background: '#357' } });
    const photo = await image.jpeg().toBuffer();
    for (const [from, to] of [
      [ours, theirs],
      [theirs, ours],
    ] as const) {
      for (const [bytes, type] of [
        [photo, 'image/jpeg'],
        [randomBytes(3_000_000), 'application/zip'],
      ] as const) {
        const token = from.user.accessToken;
        const headers = { 'content-type': type };
        const uploaded = await from.client.request('POST', '/_matrix/media/v3/upload?filename=%C3%A9.x', {
          token,
          headers,
          body: bytes,
        });
        const id: string = uploaded.body.content_uri.slice('mxc://'.length);
        const got = await to.user.request('GET', `/_matrix/client/v1/media/download/${id}`);
        assert.equal(got.status, 200, `${to.name}: ${got.bytes.toString('utf8', 0, 300)}`);
        assert(got.bytes.equals(bytes));
        assert.equal(got.headers['content-type'], type);
        assert.match(got.headers['content-disposition'] ?? '', /filename\*=utf-8''%C3%A9\.x/i);
        if (type !== 'image/jpeg') continue;
        const query = 'width=90&height=90&method=crop';
        const small = await to.user.request('GET', `/_matrix/client/v1/media/thumbnail/${id}?${query}`);
        assert.equal((await sharp(small.bytes).metadata()).width, 96);
      }
      const missing = await to.user.request('GET', `/_matrix/client/v1/media/download/${from.name}/nothing`);
      assert.equal(missing.status, 404);
    }
  });
});
