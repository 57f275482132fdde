/** Rooms joined without their members: what was believed of senders meanwhile is judged again when all is known. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Event } from '../../src/protocol/event/index.ts';
import type { RoomBuilder } from '../../src/testing/room-builder.ts';
import { join, membership, send, stateContent, texts } from '../../src/testing/room-client.ts';
import type { TestUser } from '../../src/testing/test-user.ts';
import { HostilePeer, pduOf } from './hostile-peer.ts';
import { ScriptedRoom } from './scripted-room.ts';

const LAZY = encodeURIComponent(JSON.stringify({ room: { state: { lazy_load_members: true } } }));
const e = encodeURIComponent;

describe('events that came while the members were missing', () => {
  let peer: HostilePeer;
  let zoe: TestUser;
  let count = 0;

  before(async () => {
    peer = await HostilePeer.start({}, true);
    zoe = await peer.victim.register('zoe');
  });

  after(() => peer[Symbol.asyncDispose]());

  /** A room with bob, who has power, and dave, who has a little. */
  function newRoom(): ScriptedRoom {
    const room = new ScriptedRoom(`verdicts${count++}`, [peer]);
    const { builder } = room;
    const [alice, bob, dave] = [peer.user('alice'), peer.user('bob'), peer.user('dave')];
    builder.powerLevels(alice, { users: { [alice]: 100, [bob]: 50, [dave]: 10 }, events: { 'm.room.topic': 10 } });
    builder.setState(alice, 'm.room.topic', { topic: 'the true one' });
    builder.join(bob);
    builder.join(dave);
    return room;
  }

  /** Sends events of the peer; none is dropped. */
  async function give(...events: readonly Event[]): Promise<void> {
    for (const event of events) {
      const { status, body } = await peer.send([pduOf(event)]);
      assert.deepEqual([status, body.pdus], [200, { [event.eventId]: {} }]);
    }
  }

  async function sync(since?: string) {
    const from = since === undefined ? '' : `&since=${since}`;
    const { status, body } = await zoe.request('GET', `/_matrix/client/v3/sync?timeout=0&filter=${LAZY}${from}`);
    assert.equal(status, 200);
    return body;
  }

  /** What a client that loads members lazily has of a room, without waiting for the rest. */
  async function seen(room: ScriptedRoom): Promise<readonly string[]> {
    const { timeline } = (await sync()).rooms.join[room.roomId];
    return timeline.events.map(({ event_id: id }: { event_id: string }) => id);
  }

  async function complete(room: ScriptedRoom): Promise<void> {
    room.tellAll();
    const target = `/_matrix/client/v3/rooms/${e(room.roomId)}/joined_members`;
    assert.equal((await zoe.request('GET', target)).status, 200);
  }

  async function statusOf(event: Event): Promise<number> {
    const target = `/_matrix/client/v3/rooms/${e(event.roomId)}/event/${e(event.eventId)}`;
    return (await zoe.request('GET', target)).status;
  }

  /** A branch of who knows of the join, and of nothing else since it began. */
  function unaware(from: RoomBuilder, room: ScriptedRoom): RoomBuilder {
    from.append(room.join);
    return from;
  }

  for (const what of ['ban', 'kick'] as const) {
    it(`are gone where the room has a ${what} of their sender, with what they did to the state`, async () => {
      const room = newRoom();
      const [alice, bob] = [peer.user('alice'), peer.user('bob')];
      const past = room.builder.fork();
      room.builder[what](alice, bob);
      await join(zoe, room.roomId, peer.name);
      unaware(past, room);
      const topic = past.setState(bob, 'm.room.topic', { topic: 'a wrong one' });
      const message = past.send(bob, 'from who is out');
      const thrownOut = past.kick(bob, peer.user('dave'));
      await give(topic, message, thrownOut);
      assert.ok((await seen(room)).includes(message.eventId));
      assert.equal((await stateContent(zoe, room.roomId, 'm.room.topic')).topic, 'a wrong one');
      const { next_batch: since } = await sync();
      await complete(room);
      assert.deepEqual(await texts(zoe, room.roomId), []);
      assert.equal((await stateContent(zoe, room.roomId, 'm.room.topic')).topic, 'the true one');
      assert.equal(await membership(zoe, room.roomId, bob), what === 'ban' ? 'ban' : 'leave');
      assert.equal(await membership(zoe, room.roomId, peer.user('dave')), 'join');
      for (const event of [topic, message, thrownOut]) assert.equal(await statusOf(event), 404);
      // A client that saw it all is set right.
      const { state, timeline } = (await sync(since)).rooms.join[room.roomId];
      const told = [...state.events, ...timeline.events].filter(
        ({ type }: { type: string }) => type === 'm.room.topic',
      );
      assert.deepEqual(
        told.map(({ content }: { content: { topic: string } }) => content.topic),
        ['the true one'],
      );
      // And the room goes on from where it truly is.
      await send(zoe, room.roomId, 'afterwards');
      assert.deepEqual(await texts(zoe, room.roomId), ['afterwards']);
    });
  }

  it('are there after all where only somebody who was out for long forbade them', async () => {
    const room = newRoom();
    const [alice, bob, dave] = [peer.user('alice'), peer.user('bob'), peer.user('dave')];
    const past = room.builder.fork();
    room.builder.ban(alice, bob);
    await join(zoe, room.roomId, peer.name);
    unaware(past, room);
    const honest = room.builder.fork();
    const ban = past.ban(bob, dave);
    const beside = honest.send(dave, 'beside the ban');
    // Whoever knows of both.
    const topic = honest.add({
      type: 'm.room.topic',
      sender: dave,
      stateKey: '',
      content: { topic: 'by dave' },
      prevEvents: [ban.eventId, beside.eventId],
    });
    await give(ban, beside, topic);
    assert.ok((await seen(room)).includes(ban.eventId));
    for (const event of [beside, topic]) assert.equal(await statusOf(event), 404);
    assert.equal((await stateContent(zoe, room.roomId, 'm.room.topic')).topic, 'the true one');
    const { next_batch: since } = await sync();
    await complete(room);
    assert.equal(await membership(zoe, room.roomId, dave), 'join');
    assert.equal((await stateContent(zoe, room.roomId, 'm.room.topic')).topic, 'by dave');
    assert.deepEqual(await texts(zoe, room.roomId), ['beside the ban']);
    assert.deepEqual([await statusOf(ban), await statusOf(beside), await statusOf(topic)], [404, 200, 200]);
    const { timeline } = (await sync(since)).rooms.join[room.roomId];
    const ids = timeline.events.map(({ event_id: id }: { event_id: string }) => id);
    assert.ok(ids.includes(beside.eventId) && ids.includes(topic.eventId), 'clients get what they could not see');
  });
});
