/** Threads of a room. Spec: client-server-api/#threading */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { TestServer } from '../../src/testing/test-server.ts';
import { RoomUser, startWithUsers } from './room-user.ts';

const V1 = '/_matrix/client/v1';

describe('/threads', () => {
  let server: TestServer;
  let alice: RoomUser;
  let bob: RoomUser;
  let carol: RoomUser;

  before(async () => {
    ({ server, alice, bob, carol } = await startWithUsers());
  });
  after(() => server[Symbol.asyncDispose]());

  async function sharedRoom(): Promise<string> {
    const roomId = await alice.createRoom();
    await bob.join(roomId);
    await carol.join(roomId);
    return roomId;
  }

  const threads = (user: RoomUser, roomId: string, query = '') =>
    user.ok('GET', `${V1}/rooms/${roomId}/threads?${query}`);
  const idsOf = (page: { chunk: readonly { event_id: string }[] }) => page.chunk.map((event) => event.event_id);

  it('lists the threads, those with the latest events first', async () => {
    const roomId = await sharedRoom();
    const one = await alice.say(roomId, 'one');
    const two = await bob.say(roomId, 'two');
    await bob.say(roomId, 'no thread');
    await bob.reply(roomId, one, 'in one');
    await bob.reply(roomId, two, 'in two');
    assert.deepEqual(idsOf(await threads(carol, roomId)), [two, one]);
    await carol.reply(roomId, one, 'in one again');
    const page = await threads(carol, roomId);
    assert.deepEqual(idsOf(page), [one, two]);
    const thread = page.chunk[0].unsigned['m.relations']['m.thread'];
    assert.deepEqual([thread.count, thread.current_user_participated], [2, true]);
    assert.equal(page.next_batch, undefined);
  });

  it('lists those in which the user took part', async () => {
    const roomId = await sharedRoom();
    const own = await alice.say(roomId, 'own');
    const joined = await bob.say(roomId, 'joined');
    const other = await bob.say(roomId, 'other');
    for (const root of [own, joined, other]) await carol.reply(roomId, root, 'me too');
    await alice.reply(roomId, joined, 'and me');
    assert.deepEqual(idsOf(await threads(alice, roomId, 'include=participated')), [joined, own]);
    assert.equal(idsOf(await threads(alice, roomId, 'include=all')).length, 3);
  });

  it('pages, each thread once, while the room goes on', async () => {
    const roomId = await sharedRoom();
    const roots: string[] = [];
    for (let index = 0; index < 7; index++) {
      const root = await alice.say(roomId, `root ${index}`);
      await bob.reply(roomId, root, 'first');
      await bob.reply(roomId, root, 'second');
      roots.push(root);
    }
    const read: string[] = [];
    let from = '';
    for (let pages = 0; pages < 5; pages++) {
      const page = await threads(alice, roomId, `limit=3${from}`);
      read.push(...idsOf(page));
      if (page.next_batch === undefined) break;
      from = `&from=${page.next_batch}`;
      // The oldest thread moves to the top of the list; on these pages it stays in its place.
      await bob.reply(roomId, roots[0] ?? '', `on page ${pages}`);
    }
    assert.deepEqual(read, roots.toReversed());
    assert.equal(idsOf(await threads(alice, roomId, 'limit=1'))[0], roots[0]);
  });

  it('goes by what the user sees: not by ignored users, not by what came after they left', async () => {
    const roomId = await sharedRoom();
    const one = await carol.say(roomId, 'by an ignored user');
    const two = await alice.say(roomId, 'two');
    const three = await alice.say(roomId, 'only carol answers');
    await bob.reply(roomId, one, 'in one');
    await bob.reply(roomId, two, 'in two');
    await carol.reply(roomId, one, 'in one, ignored');
    await carol.reply(roomId, three, 'in three, ignored');
    await alice.ignore(carol.userId);
    const page = await threads(alice, roomId);
    assert.deepEqual(idsOf(page), [two, one]);
    assert.deepEqual(page.chunk[1].content, {}, 'as if redacted');
    assert.equal(page.chunk[0].content.body, 'two');
    await alice.ignore();
    assert.deepEqual(idsOf(await threads(alice, roomId)), [three, one, two]);

    await bob.leave(roomId);
    await alice.reply(roomId, two, 'behind his back');
    assert.deepEqual(idsOf(await threads(bob, roomId)), [three, one, two]);
    assert.deepEqual(idsOf(await threads(alice, roomId)), [two, three, one]);
  });

  it('refuses threads that begin with an event that relates to another one', async () => {
    const roomId = await sharedRoom();
    const root = await alice.say(roomId, 'root');
    const reply = await bob.reply(roomId, root, 'in a thread');
    const nested = { msgtype: 'm.text', body: 'no', 'm.relates_to': { rel_type: 'm.thread', event_id: reply } };
    assert.deepEqual(await bob.refused('PUT', bob.sendPath(roomId), nested), [400, 'M_UNKNOWN']);
    const plain = await alice.say(roomId, 'a plain reply', { 'm.relates_to': { 'm.in_reply_to': { event_id: root } } });
    await bob.reply(roomId, plain, 'may begin a thread');
    assert.deepEqual(idsOf(await threads(alice, roomId)), [plain, root]);
  });

  it('is for those who may read the room', async () => {
    const roomId = await sharedRoom();
    const dave = new RoomUser(await server.register('dave'));
    assert.deepEqual(await dave.refused('GET', `${V1}/rooms/${roomId}/threads`), [403, 'M_FORBIDDEN']);
    assert.deepEqual(await dave.refused('GET', `${V1}/rooms/!nowhere:example.org/threads`), [403, 'M_FORBIDDEN']);
    for (const query of ['limit=0', 'include=some', 'from=nonsense']) {
      assert.equal((await alice.refused('GET', `${V1}/rooms/${roomId}/threads?${query}`))[0], 400, query);
    }
  });
});
