import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { TestServer } from '../../src/testing/test-server.ts';
import type { TestUser } from '../../src/testing/test-user.ts';
import { createRoom, eventually, join, say, V3 } from './helpers.ts';

interface Rule {
  readonly rule_id: string;
  readonly default: boolean;
  readonly enabled: boolean;
  readonly actions: readonly unknown[];
}

describe('push rules', () => {
  let hs: TestServer;
  let alice: TestUser;
  let users = 0;
  before(async () => {
    hs = await TestServer.start({ inProcess: true });
  });
  beforeEach(async () => {
    users++;
    alice = await hs.register(`alice${users}`);
  });
  after(() => hs[Symbol.asyncDispose]());

  const rules = async (kind: string): Promise<readonly Rule[]> =>
    (await alice.request('GET', `${V3}/pushrules/`)).body.global[kind];
  const own = async (kind: string) => (await rules(kind)).filter((rule) => !rule.default).map((rule) => rule.rule_id);
  const put = (kind: string, id: string, query = '', body: object = {}) =>
    alice.request('PUT', `${V3}/pushrules/global/${kind}/${encodeURIComponent(id)}${query}`, {
      actions: ['notify'],
      ...(kind === 'content' ? { pattern: 'word' } : {}),
      ...body,
    });

  it('begin with the predefined ones, the master rule first', async () => {
    const [master] = await rules('override');
    assert.equal(master?.rule_id, '.m.rule.master');
    assert.equal(master?.enabled, false);
    const { body } = await alice.request('GET', `${V3}/pushrules/global/`);
    assert.deepEqual(Object.keys(body).sort(), ['content', 'override', 'room', 'sender', 'underride']);
    const underride = (await rules('underride')).map((rule) => rule.rule_id);
    assert.ok(underride.includes('.m.rule.message') && underride.includes('.m.rule.encrypted'));
  });

  it('get new ones in front, or before or after another', async () => {
    for (const id of ['one', 'two']) assert.equal((await put('content', id)).status, 200);
    assert.deepEqual(await own('content'), ['two', 'one']);
    await put('content', 'three', '?after=two');
    assert.deepEqual(await own('content'), ['two', 'three', 'one']);
    await put('content', 'four', '?before=one');
    assert.deepEqual(await own('content'), ['two', 'three', 'four', 'one']);
    await put('content', 'one', '?before=two');
    assert.deepEqual(await own('content'), ['one', 'two', 'three', 'four']);
    assert.ok((await put('content', 'five', '?before=nothing')).status >= 400);
    assert.deepEqual(await own('content'), ['one', 'two', 'three', 'four']);
  });

  it('stand below the master rule and above the other predefined ones', async () => {
    await put('override', 'mine', '', { conditions: [] });
    const ids = (await rules('override')).map((rule) => rule.rule_id);
    assert.deepEqual(ids.slice(0, 2), ['.m.rule.master', 'mine']);
  });

  it('can be read one by one, switched, given other actions, and deleted', async () => {
    await put('room', '!room:example.org');
    const target = `${V3}/pushrules/global/room/${encodeURIComponent('!room:example.org')}`;
    assert.equal((await alice.request('GET', target)).body.rule_id, '!room:example.org');
    await alice.request('PUT', `${target}/enabled`, { enabled: false });
    assert.deepEqual((await alice.request('GET', `${target}/enabled`)).body, { enabled: false });
    const actions = ['notify', { set_tweak: 'sound', value: 'ping' }];
    await alice.request('PUT', `${target}/actions`, { actions });
    assert.deepEqual((await alice.request('GET', `${target}/actions`)).body, { actions });
    assert.equal((await alice.request('DELETE', target)).status, 200);
    assert.equal((await alice.request('GET', target)).status, 404);
    assert.equal((await alice.request('DELETE', target)).status, 404);
  });

  it('that are predefined can be switched and changed, but neither replaced nor deleted', async () => {
    const target = `${V3}/pushrules/global/underride/.m.rule.message`;
    assert.equal((await alice.request('PUT', `${target}/actions`, { actions: [] })).status, 200);
    assert.deepEqual((await alice.request('GET', `${target}/actions`)).body, { actions: [] });
    assert.equal((await alice.request('PUT', target, { actions: ['notify'] })).status, 400);
    assert.ok((await alice.request('DELETE', target)).status >= 400);
  });

  it('are refused without pattern, with odd ids, and of unknown kinds', async () => {
    assert.equal((await put('content', 'nopattern', '', { pattern: undefined })).status, 400);
    for (const id of ['.mine', 'a/b', 'a\\b']) assert.equal((await put('override', id)).status, 400, id);
    assert.ok((await put('nonsense', 'x')).status >= 400);
    assert.equal((await alice.request('GET', `${V3}/pushrules/global/underride/.m.rule.message/enabled`)).status, 200);
    assert.equal((await alice.request('GET', `${V3}/pushrules/global/underride/nope/enabled`)).status, 404);
  });

  it('can be read as account data, though none was changed', async () => {
    const { body } = await alice.request('GET', `${V3}/user/${alice.userId}/account_data/m.push_rules`);
    assert.deepEqual(body, (await alice.request('GET', `${V3}/pushrules/`)).body);
  });

  it('come with sync when they change', async () => {
    const { next_batch: since } = (await alice.request('GET', `${V3}/sync`)).body;
    await put('sender', '@bob:example.org', '', { actions: [] });
    const { account_data } = (await alice.request('GET', `${V3}/sync?since=${since}`)).body;
    const [event] = account_data.events;
    assert.equal(event.type, 'm.push_rules');
    assert.equal(event.content.global.sender[0].rule_id, '@bob:example.org');
  });

  it('decide what counts as unread', async () => {
    const bob = await hs.register(`bob${users}`);
    const roomId = await createRoom(bob);
    await join(alice, roomId);
    const counts = async () => (await alice.request('GET', `${V3}/sync`)).body.rooms.join[roomId].unread_notifications;
    await put('content', 'keyword', '', { pattern: 'pineapple', actions: ['notify', { set_tweak: 'highlight' }] });
    await say(bob, roomId, 'a pineapple');
    await eventually(async () => assert.deepEqual(await counts(), { notification_count: 1, highlight_count: 1 }));
    await put('room', roomId, '', { actions: [] });
    await say(bob, roomId, 'nothing to see');
    assert.deepEqual(await counts(), { notification_count: 1, highlight_count: 1 });
  });

  it('may look for the name that the user has in the room', async () => {
    const bob = await hs.register(`bob${users}`);
    const roomId = await createRoom(bob);
    await join(alice, roomId);
    const name = { membership: 'join', displayname: 'Wonder Alice' };
    await alice.request('PUT', `${V3}/rooms/${roomId}/state/m.room.member/${alice.userId}`, name);
    const highlights = { actions: ['notify', { set_tweak: 'highlight' }] };
    await put('override', 'my-name', '', { ...highlights, conditions: [{ kind: 'contains_display_name' }] });
    // The name isn't in memory then.
    await hs.restart();
    await say(bob, roomId, `alice${users}, come here`);
    await say(bob, roomId, 'is wonder alice there?');
    await eventually(async () => {
      const { rooms } = (await alice.request('GET', `${V3}/sync`)).body;
      const { notification_count, highlight_count } = rooms.join[roomId].unread_notifications;
      assert.deepEqual([notification_count, highlight_count], [2, 1]);
    });
  });
});
