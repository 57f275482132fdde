/** Typing, presence, search, push rules and delayed events, as the clients' own library sees them. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  ConditionKind,
  EventType,
  MsgType,
  NotificationCountType,
  Preset,
  PushRuleActionName,
  PushRuleKind,
  SetPresence,
  TweakName,
} from 'matrix-js-sdk';
import { TestServer } from '../../src/testing/test-server.ts';
import { eventually, SdkUser } from './sdk-user.ts';

describe('live features on matrix-js-sdk', () => {
  let server: TestServer;
  let alice: SdkUser;
  let bob: SdkUser;
  let roomId = '';

  before(async () => {
    server = await TestServer.start({ inProcess: true });
    alice = await SdkUser.register(server.baseUrl, 'alice');
    bob = await SdkUser.register(server.baseUrl, 'bob');
    roomId = (await alice.client.createRoom({ preset: Preset.PublicChat, name: 'By the fire' })).room_id;
    await bob.client.joinRoom(roomId);
    await eventually('alice sees bob', () => alice.client.getRoom(roomId)?.getJoinedMemberCount() === 2);
  });
  after(async () => {
    alice.stop();
    bob.stop();
    await server[Symbol.asyncDispose]();
  });

  const say = async (user: SdkUser, body: string, room = roomId) =>
    (await user.client.sendEvent(room, EventType.RoomMessage, { msgtype: MsgType.Text, body })).event_id;

  it('shows who is typing, until they stop or send', async () => {
    const bobIsTyping = () => alice.client.getRoom(roomId)?.getMember(bob.userId)?.typing;
    await bob.client.sendTyping(roomId, true, 20_000);
    await eventually('alice sees bob typing', () => bobIsTyping() === true);
    await bob.client.sendTyping(roomId, false, 0);
    await eventually('and stopping', () => bobIsTyping() === false);
    await bob.client.sendTyping(roomId, true, 20_000);
    await eventually('alice sees bob typing again', () => bobIsTyping() === true);
    await say(bob, 'sent');
    await eventually('a message ends it', () => bobIsTyping() === false);
  });

  it('shows presence and status to those who share a room', async () => {
    const seen = () => alice.client.getUser(bob.userId);
    await eventually('alice sees bob online', () => seen()?.presence === 'online');
    await bob.client.setPresence({ presence: 'unavailable', status_msg: 'gone for tea' });
    await eventually('alice sees bob away', () => seen()?.presence === 'unavailable');
    assert.equal(seen()?.presenceStatusMsg, 'gone for tea');
    const asked = await alice.client.getPresence(bob.userId);
    assert.equal(asked.presence, 'unavailable');
    assert.equal(asked.status_msg, 'gone for tea');
    await bob.client.setSyncPresence(SetPresence.Online);
    await bob.client.setPresence({ presence: 'online' });
    await eventually('alice sees bob back', () => seen()?.presence === 'online');
  });

  it('finds messages, with their context, page by page', async () => {
    for (let number = 1; number <= 12; number++) await say(bob, `chestnut ${number}`);
    await say(bob, '明天下午三点开会');
    const found = await alice.client.searchRoomEvents({ term: 'chestnut' });
    assert.equal(found.count, 12);
    assert.equal(found.results.length, 10);
    assert.equal(found.results[0]?.context.getEvent().getSender(), bob.userId);
    const all = await alice.client.backPaginateRoomEventsSearch(found);
    const bodies = all.results.map(({ context }) => context.getEvent().getContent().body);
    assert.deepEqual(new Set(bodies), new Set(Array.from({ length: 12 }, (_, index) => `chestnut ${index + 1}`)));
    const chinese = await alice.client.searchRoomEvents({ term: '开会' });
    assert.equal(chinese.count, 1);
  });

  it('obeys push rules as the client sets them', async () => {
    const { client } = alice;
    const readAll = async () => {
      const last = client.getRoom(roomId)?.getLiveTimeline().getEvents().at(-1);
      assert.ok(last);
      await client.sendReadReceipt(last);
      await eventually('all is read', () => client.getRoom(roomId)?.getUnreadNotificationCount() === 0);
    };
    const highlights = () => client.getRoom(roomId)?.getRoomUnreadNotificationCount(NotificationCountType.Highlight);
    await readAll();

    await client.addPushRule('global', PushRuleKind.ContentSpecific, 'fox', {
      pattern: 'fox',
      actions: [PushRuleActionName.Notify, { set_tweak: TweakName.Highlight, value: true }],
    });
    await eventually('the rule comes by sync', () =>
      client.pushRules?.global.content?.some((rule) => rule.rule_id === 'fox'),
    );
    await say(bob, 'the quick brown fox');
    await eventually('the keyword highlights', () => highlights() === 1);
    await readAll();

    await client.addPushRule('global', PushRuleKind.Override, 'hush', {
      conditions: [{ kind: ConditionKind.EventMatch, key: 'content.body', pattern: 'hush*' }],
      actions: [],
    });
    await say(bob, 'hush now, fox');
    const marker = await say(bob, 'aloud');
    await eventually('the next one comes', () => client.getRoom(roomId)?.findEventById(marker));
    await eventually('only that one counts', () => client.getRoom(roomId)?.getUnreadNotificationCount() === 1);
    await client.deletePushRule('global', PushRuleKind.Override, 'hush');
    await readAll();

    await client.setRoomMutePushRule('global', roomId, true);
    const muted = await say(bob, 'into the void');
    await eventually('the muted one comes', () => client.getRoom(roomId)?.findEventById(muted));
    assert.equal(client.getRoom(roomId)?.getUnreadNotificationCount(), 0);
  });

  it('sends, restarts and cancels delayed events', async () => {
    const { client } = alice;
    const later = (body: string, delay: number) =>
      client._unstable_sendDelayedEvent(roomId, { delay }, null, EventType.RoomMessage, {
        msgtype: MsgType.Text,
        body,
      });
    assert.equal(await client.doesServerSupportUnstableFeature('org.matrix.msc4140'), true);

    await later('by itself', 300);
    await eventually('it comes in its time', () => bob.bodies(roomId).includes('by itself'));

    const { delay_id: hurried } = await later('at once', 60_000);
    await client._unstable_sendScheduledDelayedEvent(hurried);
    await eventually('it comes when asked', () => bob.bodies(roomId).includes('at once'));

    const { delay_id: dropped } = await later('never', 60_000);
    await client._unstable_restartScheduledDelayedEvent(dropped);
    await client._unstable_cancelScheduledDelayedEvent(dropped);
    await assert.rejects(client._unstable_sendScheduledDelayedEvent(dropped));
    await say(alice, 'the end');
    await eventually('the end comes', () => bob.bodies(roomId).includes('the end'));
    assert.ok(!bob.bodies(roomId).includes('never'));
  });
});
