/** What users keep about a room goes to the room that replaces it. Spec: client-server-api/#room-upgrades */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { TestServer } from '../../src/testing/test-server.ts';
import { RoomUser, startWithUsers } from './room-user.ts';

const V3 = '/_matrix/client/v3';

describe('the replacement of a room', () => {
  let server: TestServer;
  let alice: RoomUser;
  let bob: RoomUser;

  before(async () => {
    ({ server, alice, bob } = await startWithUsers());
  });
  after(() => server[Symbol.asyncDispose]());

  const settingsPath = (user: RoomUser) => `${V3}/user/${user.userId}`;
  const tagsOf = async (user: RoomUser, roomId: string) =>
    (await user.ok('GET', `${settingsPath(user)}/rooms/${roomId}/tags`)).tags;
  const rulesOf = async (user: RoomUser, kind: string) =>
    (await user.ok('GET', `${V3}/pushrules/`)).global[kind].filter((rule: { default: boolean }) => !rule.default);

  async function setUp(user: RoomUser, roomId: string, other: RoomUser) {
    await user.ok('PUT', `${settingsPath(user)}/rooms/${roomId}/tags/m.favourite`, { order: 0.5 });
    await user.ok('PUT', `${settingsPath(user)}/account_data/m.direct`, { [other.userId]: [roomId] });
    await user.ok('PUT', `${V3}/pushrules/global/room/${encodeURIComponent(roomId)}`, { actions: [] });
    await user.ok('PUT', `${V3}/pushrules/global/override/mute`, {
      actions: [],
      conditions: [{ kind: 'event_match', key: 'room_id', pattern: roomId }],
    });
  }

  it('has the slots for calls that the old one had, but for those that were closed', async () => {
    const roomId = await alice.createRoom();
    for (const type of ['m.rtc.slot', 'org.matrix.msc4143.rtc.slot']) {
      await alice.ok('PUT', `${V3}/rooms/${roomId}/state/${type}/m.call%23ROOM`, { application: { type: 'm.call' } });
      await alice.ok('PUT', `${V3}/rooms/${roomId}/state/${type}/closed`, {});
    }
    const upgraded = await alice.ok('POST', `${V3}/rooms/${roomId}/upgrade`, { new_version: '12' });
    const path = `${V3}/rooms/${upgraded.replacement_room}/state`;
    for (const type of ['m.rtc.slot', 'org.matrix.msc4143.rtc.slot']) {
      assert.deepEqual(await alice.ok('GET', `${path}/${type}/m.call%23ROOM`), { application: { type: 'm.call' } });
      assert.deepEqual(await alice.refused('GET', `${path}/${type}/closed`), [404, 'M_NOT_FOUND']);
    }
  });

  it('gets the settings of who upgrades, and of who joins', async () => {
    const roomId = await alice.createRoom({ room_version: '11' });
    await bob.join(roomId);
    await setUp(alice, roomId, bob);
    await setUp(bob, roomId, alice);
    const upgraded = await alice.ok('POST', `${V3}/rooms/${roomId}/upgrade`, { new_version: '12' });
    const replacement: string = upgraded.replacement_room;
    assert.deepEqual(await tagsOf(bob, replacement), {});
    await bob.join(replacement);
    for (const [user, other] of [
      [alice, bob],
      [bob, alice],
    ] as const) {
      assert.deepEqual(await tagsOf(user, replacement), { 'm.favourite': { order: 0.5 } });
      const direct = await user.ok('GET', `${settingsPath(user)}/account_data/m.direct`);
      assert.deepEqual(direct, { [other.userId]: [roomId, replacement] });
      const ids = (await rulesOf(user, 'room')).map(({ rule_id: id }: { rule_id: string }) => id);
      assert.deepEqual(ids, [roomId, replacement]);
      const patterns = (await rulesOf(user, 'override')).map(
        ({ conditions }: { conditions: { pattern: string }[] }) => conditions[0]?.pattern,
      );
      assert.deepEqual(patterns, [roomId, replacement]);
    }
  });

  it('gets nothing where the old room knows of no replacement', async () => {
    const roomId = await alice.createRoom();
    await setUp(alice, roomId, bob);
    const impostor = await bob.createRoom({ creation_content: { predecessor: { room_id: roomId } } });
    await alice.join(impostor);
    assert.deepEqual(await tagsOf(alice, impostor), {});
  });
});

describe('typing', () => {
  it('ends with a message, and when the user leaves', async () => {
    await using server = await TestServer.start({ inProcess: true });
    const alice = new RoomUser(await server.register('alice'));
    const bob = new RoomUser(await server.register('bob'));
    const roomId = await alice.createRoom();
    await bob.join(roomId);
    const type = () => bob.ok('PUT', `${V3}/rooms/${roomId}/typing/${bob.userId}`, { typing: true, timeout: 60_000 });
    const typing = async () => {
      const { rooms } = await alice.ok('GET', `${V3}/sync`);
      const events: readonly { type: string; content: { user_ids: string[] } }[] = rooms.join[roomId].ephemeral.events;
      return events.find((event) => event.type === 'm.typing')?.content.user_ids ?? [];
    };
    await type();
    assert.deepEqual(await typing(), [bob.userId]);
    await bob.say(roomId, 'done');
    assert.deepEqual(await typing(), []);
    await type();
    await bob.leave(roomId);
    assert.deepEqual(await typing(), []);
  });
});
