import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestServer } from '../../src/testing/test-server.ts';
import type { TestUser } from '../../src/testing/test-user.ts';

const V3 = '/_matrix/client/v3';
let txn = 0;

async function createRoom(user: TestUser, options: object = {}): Promise<string> {
  const { status, body } = await user.request('POST', `${V3}/createRoom`, { preset: 'public_chat', ...options });
  assert.equal(status, 200, JSON.stringify(body));
  return encodeURIComponent(body.room_id);
}

async function say(user: TestUser, roomId: string, body: string, more: object = {}): Promise<string> {
  const content = { msgtype: 'm.text', body, ...more };
  const answer = await user.request('PUT', `${V3}/rooms/${roomId}/send/m.room.message/t${txn++}`, content);
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body.event_id;
}

function find(user: TestUser, term: string, more: object = {}, nextBatch?: string) {
  const query = nextBatch === undefined ? '' : `?next_batch=${nextBatch}`;
  const room_events = { search_term: term, order_by: 'recent', ...more };
  return user.request('POST', `${V3}/search${query}`, { search_categories: { room_events } });
}

async function idsOf(user: TestUser, term: string, more: object = {}): Promise<readonly string[]> {
  const { status, body } = await find(user, term, more);
  assert.equal(status, 200, JSON.stringify(body));
  return body.search_categories.room_events.results.map((one: { result: { event_id: string } }) => one.result.event_id);
}

/** The index follows the events a moment later. */
async function eventually(check: () => Promise<void>): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await check();
      return;
    } catch (error) {
      if (attempt > 100) throw error;
      await sleep(20);
    }
  }
}

for (const database of ['sqlite', ...(process.env.INGLENOOK_TEST_POSTGRES ? ['postgres'] : [])] as (
  | 'sqlite'
  | 'postgres'
)[]) {
  describe(`search on ${database}`, () => {
    let hs: TestServer;
    let alice: TestUser;
    let bob: TestUser;
    before(async () => {
      hs = await TestServer.start({ database });
      alice = await hs.register('alice');
      bob = await hs.register('bob');
    });
    after(() => hs[Symbol.asyncDispose]());

    it('finds messages by words in any case, the newest first', async () => {
      const roomId = await createRoom(alice);
      const first = await say(alice, roomId, 'The Quick brown fox');
      const second = await say(alice, roomId, 'another FOX, quick!');
      await say(alice, roomId, 'a quick dog');
      await eventually(async () => assert.deepEqual(await idsOf(alice, 'fox quick'), [second, first]));
    });

    it('finds every piece of two characters in Chinese, Japanese and Korean', async () => {
      const roomId = await createRoom(alice);
      const texts = [
        '明天下午三点在会议室开会讨论预算',
        '今日の東京は雨が降っています',
        '내일 회의실에서 만나요',
        '食べ物を買う',
      ];
      const ids: string[] = [];
      for (const text of texts) ids.push(await say(alice, roomId, text));
      await eventually(async () => assert.equal((await idsOf(alice, '買う')).length, 1));
      for (const [index, text] of texts.entries()) {
        const characters = [...text];
        for (let i = 0; i + 1 < characters.length; i++) {
          const pair = `${characters[i]}${characters[i + 1]}`;
          if (pair.includes(' ')) continue;
          assert.ok((await idsOf(alice, pair)).includes(String(ids[index])), pair);
        }
      }
      assert.ok((await idsOf(alice, '会')).includes(String(ids[0])), 'a single character');
      assert.deepEqual(await idsOf(alice, '会三'), []);
    });

    it('finds names and topics, and only the keys that were asked for', async () => {
      const roomId = await createRoom(alice, { name: 'Zeppelin club', topic: 'zeppelin rides' });
      const said = await say(alice, roomId, 'a zeppelin');
      await eventually(async () => assert.equal((await idsOf(alice, 'zeppelin')).length, 3));
      assert.deepEqual(await idsOf(alice, 'zeppelin', { keys: ['content.body'] }), [said]);
    });

    it('shows nobody what they may not see', async () => {
      const roomId = await createRoom(alice, {
        initial_state: [{ type: 'm.room.history_visibility', content: { history_visibility: 'joined' } }],
      });
      await say(alice, roomId, 'platypus before');
      await eventually(async () => assert.equal((await idsOf(alice, 'platypus')).length, 1));
      assert.deepEqual(await idsOf(bob, 'platypus'), []);
      await bob.request('POST', `${V3}/join/${roomId}`, {});
      const seen = await say(alice, roomId, 'platypus while');
      await eventually(async () => assert.deepEqual(await idsOf(bob, 'platypus'), [seen]));
      await bob.request('POST', `${V3}/rooms/${roomId}/leave`, {});
      await say(alice, roomId, 'platypus after');
      await eventually(async () => assert.equal((await idsOf(alice, 'platypus')).length, 3));
      assert.deepEqual(await idsOf(bob, 'platypus'), [seen]);
      assert.deepEqual(await idsOf(bob, 'platypus', { filter: { rooms: [decodeURIComponent(roomId)] } }), [seen]);
      await bob.request('POST', `${V3}/rooms/${roomId}/forget`, {});
      assert.deepEqual(await idsOf(bob, 'platypus'), []);
    });

    it('tells nobody by its count, or by an edit, what is said where they are not', async () => {
      const roomId = await createRoom(alice);
      await bob.request('POST', `${V3}/join/${roomId}`, {});
      const told = await say(alice, roomId, 'okapi');
      await alice.request('POST', `${V3}/rooms/${roomId}/ban`, { user_id: bob.userId });
      const relation = { rel_type: 'm.replace', event_id: told };
      const edited = { 'm.new_content': { msgtype: 'm.text', body: 'tapir' }, 'm.relates_to': relation };
      await say(alice, roomId, '* tapir', edited);
      await say(alice, roomId, 'tapir tapir');
      const elsewhere = await createRoom(alice, { preset: 'private_chat' });
      await say(alice, elsewhere, 'tapir');
      await eventually(async () => assert.equal((await idsOf(alice, 'tapir')).length, 3));
      for (const order_by of ['recent', 'rank']) {
        const { count, results } = (await find(bob, 'tapir', { order_by })).body.search_categories.room_events;
        assert.deepEqual([count, results], [0, []], order_by);
        assert.equal((await find(alice, 'tapir', { order_by })).body.search_categories.room_events.count, 3);
      }
    });

    it('leaves ignored users out of the context too', async () => {
      const roomId = await createRoom(alice);
      await bob.request('POST', `${V3}/join/${roomId}`, {});
      await say(bob, roomId, 'before');
      await say(alice, roomId, 'capybara');
      await say(bob, roomId, 'after');
      const ignored = `${V3}/user/${encodeURIComponent(alice.userId)}/account_data/m.ignored_user_list`;
      await alice.request('PUT', ignored, { ignored_users: { [bob.userId]: {} } });
      await eventually(async () => assert.equal((await idsOf(alice, 'capybara')).length, 1));
      const [hit] = (await find(alice, 'capybara', { event_context: {} })).body.search_categories.room_events.results;
      const shown = [...hit.context.events_before, ...hit.context.events_after];
      assert.ok(!shown.some(({ sender, state_key }) => sender === bob.userId && state_key === undefined));
      await alice.request('PUT', ignored, { ignored_users: {} });
    });

    it('looks into the rooms that a room has replaced', async () => {
      const first = await createRoom(alice);
      const early = await say(alice, first, 'numbat of the first room');
      const upgrade = (roomId: string) => alice.request('POST', `${V3}/rooms/${roomId}/upgrade`, { new_version: '12' });
      const second = encodeURIComponent((await upgrade(first)).body.replacement_room);
      const middle = await say(alice, second, 'numbat of the second room');
      const third: string = (await upgrade(second)).body.replacement_room;
      const late = await say(alice, encodeURIComponent(third), 'numbat of the third room');
      const filter = { rooms: [third] };
      await eventually(async () => assert.deepEqual(await idsOf(alice, 'numbat', { filter }), [late, middle, early]));
      const onlySecond = { rooms: [decodeURIComponent(second)], not_rooms: [decodeURIComponent(first)] };
      assert.deepEqual(await idsOf(alice, 'numbat', { filter: onlySecond }), [middle]);
    });

    it('forgets what was redacted, and knows messages by their last edit', async () => {
      const roomId = await createRoom(alice);
      const gone = await say(alice, roomId, 'wombat one');
      const edited = await say(alice, roomId, 'wombat two');
      await eventually(async () => assert.equal((await idsOf(alice, 'wombat')).length, 2));
      await alice.request('PUT', `${V3}/rooms/${roomId}/redact/${encodeURIComponent(gone)}/t${txn++}`, {});
      const edit = await say(alice, roomId, '* koala', {
        'm.new_content': { msgtype: 'm.text', body: 'koala' },
        'm.relates_to': { rel_type: 'm.replace', event_id: edited },
      });
      await eventually(async () => assert.deepEqual(await idsOf(alice, 'koala'), [edited]));
      assert.deepEqual(await idsOf(alice, 'wombat'), []);
      await alice.request('PUT', `${V3}/rooms/${roomId}/redact/${encodeURIComponent(edit)}/t${txn++}`, {});
      await eventually(async () => assert.deepEqual(await idsOf(alice, 'wombat'), [edited]));
      assert.deepEqual(await idsOf(alice, 'koala'), []);
    });

    it('pages, groups, ranks, and gives context with profiles', async () => {
      const roomId = await createRoom(alice, { name: 'pages' });
      const ids: string[] = [];
      for (let i = 0; i < 12; i++)
        ids.push(await say(alice, roomId, i === 3 ? 'gnu gnu gnu' : `a gnu and some other words ${i}`));
      await eventually(async () => assert.equal((await idsOf(alice, 'gnu', { filter: { limit: 50 } })).length, 12));
      const first = (await find(alice, 'gnu', { filter: { limit: 5 }, groupings: { group_by: [{ key: 'room_id' }] } }))
        .body.search_categories.room_events;
      assert.equal(first.count, 12);
      assert.deepEqual(first.highlights, ['gnu']);
      assert.equal(first.results.length, 5);
      assert.equal(first.groups.room_id[decodeURIComponent(roomId)].results.length, 5);
      const second = (await find(alice, 'gnu', { filter: { limit: 50 } }, first.next_batch)).body.search_categories
        .room_events;
      assert.equal(second.results.length, 7);
      assert.equal(second.next_batch, undefined);
      for (const token of ['nonsense', 'k5'])
        assert.equal((await find(alice, 'gnu', {}, token)).body.errcode, 'M_INVALID_PARAM', 'no token of this order');
      const ranked = (await find(alice, 'gnu', { order_by: 'rank', include_state: true })).body.search_categories
        .room_events;
      assert.equal(ranked.results[0].result.event_id, ids[3]);
      assert.ok(ranked.results[0].rank > ranked.results[1].rank);
      assert.ok(ranked.state[decodeURIComponent(roomId)].length > 3);
      const [hit] = (
        await find(alice, 'gnu 5', { event_context: { before_limit: 1, after_limit: 2, include_profile: true } })
      ).body.search_categories.room_events.results;
      assert.equal(hit.context.events_before[0].event_id, ids[4]);
      assert.deepEqual(
        hit.context.events_after.map((event: { event_id: string }) => event.event_id),
        [ids[6], ids[7]],
      );
      assert.equal(hit.context.profile_info[alice.userId].displayname, 'alice');
    });

    it('finds nothing where the term says nothing, and takes odd ones', async () => {
      for (const term of ['', '???', '"', "' or 1=1 --", '*', 'NOT', '\u0000', '\\', "it's"]) {
        assert.equal((await find(alice, term)).status, 200, term);
      }
    });
  });
}
