/** Threads, edits, reactions and spaces, as the clients' own library sees them. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { EventType, MsgType, Preset, RelationType, RoomType, ThreadFilterType } from 'matrix-js-sdk';
import { Feature, ServerSupport } from 'matrix-js-sdk/lib/feature.js';
import { RoomHierarchy } from 'matrix-js-sdk/lib/room-hierarchy.js';
import { TestServer } from '../../src/testing/test-server.ts';
import { eventually, SdkUser } from './sdk-user.ts';

/** A client that shows threads; after a few events its timelines have gaps. */
const THREADED = { threadSupport: true, initialSyncLimit: 5 };

describe('relations on matrix-js-sdk', () => {
  let server: TestServer;
  let alice: SdkUser;
  let bob: SdkUser;
  let roomId = '';

  before(async () => {
    server = await TestServer.start({ inProcess: true });
    alice = await SdkUser.register(server.baseUrl, 'alice');
    bob = await SdkUser.register(server.baseUrl, 'bob');
    roomId = (await alice.client.createRoom({ preset: Preset.PublicChat, name: 'Threads' })).room_id;
    await bob.client.joinRoom(roomId);
  });
  after(async () => {
    alice.stop();
    bob.stop();
    await server[Symbol.asyncDispose]();
  });

  const say = async (user: SdkUser, body: string, extra: object = {}) =>
    (await user.client.sendEvent(roomId, EventType.RoomMessage, { msgtype: MsgType.Text, body, ...extra })).event_id;
  const inThread = (root: string) => ({ 'm.relates_to': { rel_type: RelationType.Thread, event_id: root } });
  const edit = (user: SdkUser, original: string, body: string) =>
    say(user, `* ${body}`, {
      'm.new_content': { msgtype: MsgType.Text, body },
      'm.relates_to': { rel_type: RelationType.Replace, event_id: original },
    });

  it('are known to be there', async () => {
    const supported = alice.client.canSupport;
    for (const feature of [Feature.Thread, Feature.ThreadUnreadNotifications, Feature.RelationsRecursion]) {
      assert.notEqual(supported.get(feature), ServerSupport.Unsupported, feature);
    }
  });

  it('give a fresh client the threads of a room, with their counts and latest events', async () => {
    const root = await say(alice, 'Shall we thread?');
    const other = await say(alice, 'Another one');
    await say(bob, 'in the other', inThread(other));
    for (const body of ['one', 'two', 'three']) await say(bob, body, inThread(root));
    // So that neither of the threads is in the timeline that a fresh client gets.
    for (let index = 0; index < 8; index++) await say(alice, `further on ${index}`);

    await using fresh = await alice.again(THREADED);
    const room = await eventually('the room is there', () => fresh.client.getRoom(roomId));
    await room.createThreadsTimelineSets();
    await room.fetchRoomThreads();
    const thread = await eventually('the thread is there', () => room.getThread(root));
    assert.equal(thread.length, 3);
    assert.equal(thread.replyToEvent?.getContent().body, 'three');
    assert.equal(thread.hasCurrentUserParticipated, true);
    assert.deepEqual(
      room
        .getThreads()
        .map(({ id }) => id)
        .sort(),
      [root, other].sort(),
    );
    const own = await fresh.client.createThreadListMessagesRequest(roomId, null, 10, undefined, ThreadFilterType.My);
    assert.equal(own.chunk.length, 2, 'alice began both');

    const { events } = await fresh.client.relations(roomId, root, RelationType.Thread, null, { limit: 10 });
    assert.deepEqual(
      events.map((event) => event.getContent().body),
      ['three', 'two', 'one'],
    );
  });

  it('show edits that a client has not seen come', async () => {
    const original = await say(alice, 'helo');
    for (let index = 0; index < 8; index++) await say(bob, `meanwhile ${index}`);
    await edit(alice, original, 'hello there');
    const event = bob.client.getEventMapper()(await bob.client.fetchRoomEvent(roomId, original));
    assert.equal(event.getContent().body, 'hello there');
    assert.equal(event.getOriginalContent().body, 'helo');
  });

  it('list reactions, and bring them to clients that listen', async () => {
    const target = await say(alice, 'React to me');
    await eventually('bob has it', () => bob.bodies(roomId).includes('React to me'));
    const react = (user: SdkUser, key: string) =>
      user.client.sendEvent(roomId, EventType.Reaction, {
        'm.relates_to': { rel_type: RelationType.Annotation, event_id: target, key },
      });
    const { event_id: reaction } = await react(bob, '👍');
    await react(alice, '👍');
    await assert.rejects(react(bob, '👍'), { errcode: 'M_DUPLICATE_ANNOTATION' });
    const counted = () => {
      const relations = alice.client.getRoom(roomId)?.relations;
      const children = relations?.getChildEventsForEvent(target, RelationType.Annotation, EventType.Reaction);
      return children?.getSortedAnnotationsByKey()?.map(([key, events]) => [key, events.size]);
    };
    await eventually('alice counts both', () => JSON.stringify(counted()) === '[["👍",2]]');
    await bob.client.redactEvent(roomId, reaction);
    await eventually('alice counts one', () => JSON.stringify(counted()) === '[["👍",1]]');
    const { events } = await alice.client.relations(roomId, target, RelationType.Annotation, EventType.Reaction);
    assert.equal(events.length, 1);
  });

  it('walk through a space, page by page', async () => {
    const { room_id: spaceId } = await alice.client.createRoom({
      name: 'Space',
      preset: Preset.PublicChat,
      creation_content: { type: RoomType.Space },
    });
    const rooms: string[] = [];
    for (let index = 0; index < 5; index++) {
      const { room_id: child } = await alice.client.createRoom({ preset: Preset.PublicChat, name: `Room ${index}` });
      const content = { via: ['example.org'], suggested: index === 0, order: `${index}` };
      await alice.client.sendStateEvent(spaceId, EventType.SpaceChild, content, child);
      rooms.push(child);
    }
    await bob.client.joinRoom(spaceId);
    const space = await eventually('bob is in the space', () => bob.client.getRoom(spaceId));
    const hierarchy = new RoomHierarchy(space, 2);
    while (hierarchy.canLoadMore) await hierarchy.load();
    assert.deepEqual(
      hierarchy.rooms?.map(({ room_id: id }) => id),
      [spaceId, ...rooms],
    );
    assert.equal(hierarchy.isSuggested(spaceId, rooms[0] ?? ''), true);
    const summary = await bob.client.getRoomSummary(rooms[1] ?? '');
    assert.deepEqual([summary.name, summary.membership], ['Room 1', 'leave']);
  });
});
