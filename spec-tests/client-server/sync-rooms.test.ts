/** Which rooms `/sync` shows, in which section, and how they go from one to another. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { TestServer } from '../../src/testing/test-server.ts';
import type { TestUser } from '../../src/testing/test-user.ts';
import {
  bodies,
  createRoom,
  join,
  keysOf,
  leave,
  ok,
  onMember,
  say,
  setState,
  sync,
  timeline,
  V3,
} from './sync-client.ts';

describe('the rooms of a sync', () => {
  let server: TestServer;
  let alice: TestUser;
  let bob: TestUser;
  let users = 0;

  before(async () => {
    server = await TestServer.start({ inProcess: true, config: { presence: { enabled: false } } });
    alice = await server.register('alice');
  });
  after(() => server[Symbol.asyncDispose]());

  /** Each test has its own reader, so that rooms of others don't show. */
  const reader = async () => {
    bob = await server.register(`bob${users++}`);
    return bob;
  };
  const token = async (user: TestUser) => (await sync(user)).next_batch as string;

  it('are absent where there are none', async () => {
    await reader();
    const initial = await sync(bob);
    assert.equal('rooms' in initial, false);
    assert.equal('rooms' in (await sync(bob, { since: initial.next_batch })), false);
  });

  it('hold a newly joined room with its state, its past, and what others keep there', async () => {
    await reader();
    const roomId = await createRoom(alice);
    const eventId = await say(alice, roomId, 'before');
    await ok(alice, 'POST', `/rooms/${roomId}/receipt/m.read/${eventId}`, {});
    await ok(alice, 'PUT', `/rooms/${roomId}/typing/${alice.userId}`, { typing: true, timeout: 30_000 });
    await ok(bob, 'PUT', `/user/${bob.userId}/rooms/${roomId}/tags/m.favourite`, { order: 0.5 });
    const since = await token(bob);
    await join(bob, roomId);
    const room = (await sync(bob, { since })).rooms.join[roomId];
    assert.deepEqual(bodies(room), ['before']);
    const known = keysOf([...room.state.events, ...timeline(room)]);
    assert.ok(known.includes('m.room.create|') && known.includes(`m.room.member|${alice.userId}`));
    const types = room.ephemeral.events.map((event: { type: string }) => event.type).sort();
    assert.deepEqual(types, ['m.receipt', 'm.typing']);
    assert.deepEqual(room.account_data.events[0].content, { tags: { 'm.favourite': { order: 0.5 } } });
    assert.equal(room.summary['m.joined_member_count'], 2);
    assert.deepEqual(room.summary['m.heroes'], [alice.userId]);
  });

  it('show a room once and no more than what is new', async () => {
    await reader();
    const roomId = await createRoom(alice);
    await join(bob, roomId);
    const since = await token(bob);
    await say(alice, roomId, 'one');
    const first = await sync(bob, { since });
    assert.deepEqual(bodies(first.rooms.join[roomId]), ['one']);
    assert.deepEqual(first.rooms.join[roomId].state.events, []);
    assert.equal(first.rooms.join[roomId].timeline.limited, false);
    assert.equal('rooms' in (await sync(bob, { since: first.next_batch })), false);
    assert.deepEqual(bodies((await sync(bob, { since })).rooms.join[roomId]), ['one'], 'a token can be used again');
  });

  it('show a room that was left and joined again without a hole and without telling it anew', async () => {
    await reader();
    const roomId = await createRoom(alice);
    await say(alice, roomId, 'old');
    await join(bob, roomId);
    const since = await token(bob);
    await leave(bob, roomId);
    await setState(alice, roomId, 'm.room.topic', '', { topic: 'while away' });
    await say(alice, roomId, 'away');
    await join(bob, roomId);
    const room = (await sync(bob, { since })).rooms.join[roomId];
    assert.deepEqual(bodies(room), ['away']);
    assert.ok(keysOf([...room.state.events, ...timeline(room)]).includes('m.room.topic|'));
  });

  it('tell the state that changed unseen between leaving and joining again', async () => {
    await reader();
    const roomId = await createRoom(alice);
    await setState(alice, roomId, 'm.room.history_visibility', '', { history_visibility: 'joined' });
    await join(bob, roomId);
    const since = await token(bob);
    await leave(bob, roomId);
    await say(alice, roomId, 'secret');
    await setState(alice, roomId, 'm.room.topic', '', { topic: 'unseen' });
    await join(bob, roomId);
    await say(alice, roomId, 'hello again');
    const room = (await sync(bob, { since })).rooms.join[roomId];
    assert.deepEqual(bodies(room), ['hello again']);
    assert.ok(keysOf(room.state.events).includes('m.room.topic|'));
  });

  it('show an invite with its stripped state, until it is accepted', async () => {
    await reader();
    const since = await token(bob);
    const roomId = await createRoom(alice, { preset: 'private_chat', name: 'Den', invite: [bob.userId] });
    const invited = await sync(bob, { since });
    const state = invited.rooms.invite[roomId].invite_state.events;
    const keys = keysOf(state);
    assert.ok(keys.includes('m.room.name|') && keys.includes('m.room.create|') && keys.includes('m.room.join_rules|'));
    const own = state.find((event: { state_key: string }) => event.state_key === bob.userId);
    assert.equal(own.content.membership, 'invite');
    assert.ok(roomId in (await sync(bob)).rooms.invite);
    assert.equal('rooms' in (await sync(bob, { since: invited.next_batch })), false);
    await join(bob, roomId);
    const joined = (await sync(bob, { since: invited.next_batch })).rooms;
    assert.ok(roomId in joined.join && !('invite' in joined));
  });

  it('tell of a rejected and of a withdrawn invite nothing but that', async () => {
    await reader();
    const rejected = await createRoom(alice, { preset: 'private_chat', invite: [bob.userId] });
    const withdrawn = await createRoom(alice, { preset: 'private_chat', invite: [bob.userId] });
    const since = await token(bob);
    await leave(bob, rejected);
    await setState(alice, withdrawn, 'm.room.topic', '', { topic: 'secret' });
    await onMember(alice, withdrawn, 'kick', bob);
    await say(alice, withdrawn, 'secret');
    for (const params of [{ since }, { filter: { room: { include_leave: true } } }, { since, use_state_after: true }]) {
      const { leave: left, invite } = (await sync(bob, params)).rooms;
      assert.equal(invite, undefined);
      for (const roomId of [rejected, withdrawn]) {
        const events = timeline(left[roomId]);
        assert.deepEqual(keysOf(events), [`m.room.member|${bob.userId}`]);
        assert.equal(events[0]?.content.membership, 'leave');
        const state = (left[roomId].state ?? left[roomId].state_after).events;
        assert.deepEqual(keysOf(state), 'use_state_after' in params ? [`m.room.member|${bob.userId}`] : []);
      }
    }
  });

  it('show what happened up to the leaving, once, and not what came after', async () => {
    await reader();
    const roomId = await createRoom(alice);
    await join(bob, roomId);
    const since = await token(bob);
    await say(alice, roomId, 'seen');
    await onMember(alice, roomId, 'kick', bob);
    await say(alice, roomId, 'unseen');
    await setState(alice, roomId, 'm.room.topic', '', { topic: 'unseen' });
    const answer = await sync(bob, { since });
    const left = answer.rooms.leave[roomId];
    assert.deepEqual(bodies(left), ['seen']);
    assert.equal(timeline(left).at(-1)?.content.membership, 'leave');
    assert.equal(JSON.stringify(left).includes('unseen'), false);
    assert.equal('join' in answer.rooms, false);
    assert.equal('rooms' in (await sync(bob, { since: answer.next_batch })), false);
    assert.equal('rooms' in (await sync(bob)), false, 'an initial sync leaves it out');
    const archived = (await sync(bob, { filter: { room: { include_leave: true } } })).rooms.leave[roomId];
    assert.deepEqual(bodies(archived), ['seen']);
    assert.equal(JSON.stringify(archived).includes('unseen'), false);
  });

  it('tell of a ban after leaving without the time between', async () => {
    await reader();
    const roomId = await createRoom(alice);
    await join(bob, roomId);
    const joined = await token(bob);
    await leave(bob, roomId);
    const left = await token(bob);
    await say(alice, roomId, 'unseen');
    await setState(alice, roomId, 'm.room.topic', '', { topic: 'unseen' });
    await onMember(alice, roomId, 'ban', bob);
    for (const useStateAfter of [false, true]) {
      const whole = (await sync(bob, { since: joined, use_state_after: useStateAfter })).rooms.leave[roomId];
      assert.deepEqual(
        timeline(whole).map((event) => event.content.membership),
        ['leave', 'ban'],
      );
      const rest = (await sync(bob, { since: left, use_state_after: useStateAfter })).rooms.leave[roomId];
      assert.deepEqual(
        timeline(rest).map((event) => event.content.membership),
        ['ban'],
      );
      assert.equal(JSON.stringify([whole, rest]).includes('unseen'), false);
      if (useStateAfter) assert.equal(whole.state_after.events.at(-1).content.membership, 'ban');
    }
  });

  it('show a room that was joined and left between two syncs', async () => {
    await reader();
    const roomId = await createRoom(alice);
    await say(alice, roomId, 'hi');
    const since = await token(bob);
    await join(bob, roomId);
    await leave(bob, roomId);
    const left = (await sync(bob, { since })).rooms.leave[roomId];
    assert.deepEqual(bodies(left), ['hi']);
    assert.ok(keysOf([...left.state.events, ...timeline(left)]).includes('m.room.create|'));
  });

  it('leave out what was forgotten, but tell another device that the room was left', async () => {
    await reader();
    const roomId = await createRoom(alice);
    await join(bob, roomId);
    const since = await token(bob);
    await leave(bob, roomId);
    const left = await token(bob);
    await ok(bob, 'POST', `/rooms/${roomId}/forget`, {});
    assert.equal('rooms' in (await sync(bob, { since: left })), false);
    assert.equal('rooms' in (await sync(bob, { filter: { room: { include_leave: true } } })), false);
    const other = (await sync(bob, { since })).rooms.leave[roomId];
    assert.deepEqual(keysOf(timeline(other)), [`m.room.member|${bob.userId}`]);
    await join(bob, roomId);
    assert.ok(roomId in (await sync(bob, { since: left })).rooms.join);
  });

  it('show a knock until it is answered', async () => {
    await reader();
    const roomId = await createRoom(alice, {
      preset: 'private_chat',
      name: 'Door',
      initial_state: [{ type: 'm.room.join_rules', state_key: '', content: { join_rule: 'knock' } }],
    });
    const since = await token(bob);
    assert.equal((await bob.request('POST', `${V3}/knock/${roomId}`, {})).status, 200);
    const knocked = await sync(bob, { since });
    assert.ok(keysOf(knocked.rooms.knock[roomId].knock_state.events).includes('m.room.name|'));
    await onMember(alice, roomId, 'invite', bob);
    const invited = await sync(bob, { since: knocked.next_batch });
    assert.ok(roomId in invited.rooms.invite && !('knock' in invited.rooms));
    await onMember(alice, roomId, 'kick', bob);
    assert.ok(roomId in (await sync(bob, { since: invited.next_batch })).rooms.leave);
  });

  it('pass the filter of rooms', async () => {
    await reader();
    const [one, two] = [await createRoom(alice), await createRoom(alice)];
    const since = await token(bob);
    await join(bob, one);
    await join(bob, two);
    const shown = async (room: object) => Object.keys((await sync(bob, { since, filter: { room } })).rooms?.join ?? {});
    assert.deepEqual(await shown({ rooms: [one] }), [one]);
    assert.deepEqual(await shown({ not_rooms: [one] }), [two]);
    assert.deepEqual(await shown({ rooms: [one], not_rooms: [one] }), []);
    assert.deepEqual(await shown({ rooms: [] }), []);
  });

  it('name heroes only where the room has no name', async () => {
    await reader();
    const roomId = await createRoom(alice);
    await join(bob, roomId);
    const since = await token(bob);
    await setState(alice, roomId, 'm.room.name', '', { name: 'Named' });
    const named = await sync(bob, { since });
    assert.equal('m.heroes' in named.rooms.join[roomId].summary, false);
    await setState(alice, roomId, 'm.room.name', '', { name: '' });
    const unnamed = await sync(bob, { since: named.next_batch });
    assert.deepEqual(unnamed.rooms.join[roomId].summary['m.heroes'], [alice.userId]);
  });
});
