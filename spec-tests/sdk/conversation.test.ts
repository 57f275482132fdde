/** The product's main job, on the clients' own library: two people register, talk, and find it all again after a restart. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { EventType, MsgType, Preset, RelationType } from 'matrix-js-sdk';
import { TestServer } from '../../src/testing/test-server.ts';
import { eventually, SdkUser } from './sdk-user.ts';

describe('two people on matrix-js-sdk', () => {
  let server: TestServer;
  let alice: SdkUser;
  let bob: SdkUser;
  let roomId = '';

  before(async () => {
    server = await TestServer.start();
    alice = await SdkUser.register(server.baseUrl, 'alice');
    bob = await SdkUser.register(server.baseUrl, 'bob');
  });
  after(async () => {
    alice.stop();
    bob.stop();
    await server[Symbol.asyncDispose]();
  });

  it('creates a room, invites and joins', async () => {
    const created = await alice.client.createRoom({
      preset: Preset.PrivateChat,
      name: 'Inglenook',
      invite: [bob.userId],
    });
    roomId = created.room_id;
    await eventually('bob sees the invite', () => bob.client.getRoom(roomId)?.getMyMembership() === 'invite');
    await bob.client.joinRoom(roomId);
    await eventually('alice sees two members', () => alice.client.getRoom(roomId)?.getJoinedMemberCount() === 2);
    assert.equal(bob.client.getRoom(roomId)?.name, 'Inglenook');
  });

  it('brings each message to the other once, in order', async () => {
    for (let turn = 0; turn < 10; turn++) {
      const [author, reader] = turn % 2 === 0 ? [alice, bob] : [bob, alice];
      await author.client.sendTextMessage(roomId, `message ${turn}`);
      // An answer comes after what it answers: the client shows its own message where it stood when it was sent.
      await eventually('the other has read it', () => reader.bodies(roomId).length === turn + 1);
    }
    const expected = Array.from({ length: 10 }, (_, turn) => `message ${turn}`);
    for (const reader of [alice, bob]) {
      assert.deepEqual(reader.bodies(roomId), expected);
    }
  });

  it('edits, reacts and redacts', async () => {
    const { event_id: original } = await alice.client.sendTextMessage(roomId, 'helo');
    await alice.client.sendEvent(roomId, EventType.RoomMessage, {
      msgtype: MsgType.Text,
      body: '* hello',
      'm.new_content': { msgtype: MsgType.Text, body: 'hello' },
      'm.relates_to': { rel_type: RelationType.Replace, event_id: original },
    });
    await bob.client.sendEvent(roomId, EventType.Reaction, {
      'm.relates_to': { rel_type: RelationType.Annotation, event_id: original, key: '👍' },
    });
    await eventually('bob sees the edit', () => bob.bodies(roomId).includes('hello'));
    const { event_id: mistake } = await bob.client.sendTextMessage(roomId, 'wrong room');
    await eventually('alice sees it', () => alice.bodies(roomId).includes('wrong room'));
    await bob.client.redactEvent(roomId, mistake);
    await eventually('alice sees it go', () => !alice.bodies(roomId).includes('wrong room'));
  });

  it('counts what is unread, until a read receipt is sent', async () => {
    await alice.client.sendTextMessage(roomId, 'read me');
    await eventually('bob has an unread message', () => bob.client.getRoom(roomId)?.getUnreadNotificationCount() === 1);
    const last = bob.client.getRoom(roomId)?.getLiveTimeline().getEvents().at(-1);
    assert.ok(last);
    await bob.client.sendReadReceipt(last);
    await eventually('nothing is unread', () => bob.client.getRoom(roomId)?.getUnreadNotificationCount() === 0);
    await eventually('alice sees that bob has read it', () =>
      Boolean(alice.client.getRoom(roomId)?.hasUserReadEvent(bob.userId, last.getId() ?? '')),
    );
  });

  it('pages back to the beginning', async () => {
    await using fresh = await bob.again({ initialSyncLimit: 2 });
    const room = await eventually('the room is there', () => fresh.client.getRoom(roomId));
    for (let page = 0; page < 20 && room.oldState.paginationToken; page++) await fresh.client.scrollback(room, 5);
    const types = room
      .getLiveTimeline()
      .getEvents()
      .map((event) => event.getType());
    assert.equal(types[0], 'm.room.create');
    assert.ok(fresh.bodies(roomId).includes('message 0'));
  });

  it('goes on after the server was killed', async () => {
    await server.kill();
    await server.restart();
    alice.stop();
    bob.stop();
    alice = await alice.again();
    bob = await bob.again();
    await alice.client.sendTextMessage(roomId, 'still here');
    await eventually('bob gets it', () => bob.bodies(roomId).includes('still here'));
    assert.ok(bob.bodies(roomId).includes('hello'));
  });
});
