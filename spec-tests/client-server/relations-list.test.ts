/** Reading what relates to an event. Spec: client-server-api/#relationships-api */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { TestServer } from '../../src/testing/test-server.ts';
import { RoomUser, startWithUsers } from './room-user.ts';

const V3 = '/_matrix/client/v3';
const V1 = '/_matrix/client/v1';

describe('/relations', () => {
  let server: TestServer;
  let alice: RoomUser;
  let bob: RoomUser;
  let carol: RoomUser;
  let roomId = '';

  before(async () => {
    ({ server, alice, bob, carol } = await startWithUsers());
    roomId = await alice.createRoom();
    await bob.join(roomId);
  });
  after(() => server[Symbol.asyncDispose]());

  const relations = (user: RoomUser, eventId: string, rest = '') =>
    user.ok('GET', `${V1}/rooms/${roomId}/relations/${eventId}${rest}`);
  const idsOf = (page: { chunk: readonly { event_id: string }[] }) => page.chunk.map((event) => event.event_id);

  it('lists the children of an event, newest first or oldest first, by types', async () => {
    const parent = await alice.say(roomId, 'parent');
    const edit = await alice.edit(roomId, parent, 'edited');
    const reaction = await bob.react(roomId, parent, '👍');
    const reply = await bob.reply(roomId, parent, 'in a thread');
    assert.deepEqual(idsOf(await relations(bob, parent)), [reply, reaction, edit]);
    assert.deepEqual(idsOf(await relations(bob, parent, '?dir=f')), [edit, reaction, reply]);
    assert.deepEqual(idsOf(await relations(bob, parent, '/m.annotation')), [reaction]);
    assert.deepEqual(idsOf(await relations(bob, parent, '/m.thread/m.room.message')), [reply]);
    assert.deepEqual(idsOf(await relations(bob, parent, '/m.thread/m.reaction')), []);
    const unstable = await bob.ok('GET', `/_matrix/client/unstable/rooms/${roomId}/relations/${parent}/m.replace`);
    assert.deepEqual(idsOf(unstable), [edit]);
    const [first] = (await relations(bob, parent)).chunk;
    assert.equal(first.room_id, roomId);
  });

  it('pages in both directions, each event once', async () => {
    const parent = await alice.say(roomId, 'parent');
    const sent: string[] = [];
    for (let index = 0; index < 7; index++) sent.push(await bob.react(roomId, parent, `${index}`));
    for (const [dir, expected] of [
      ['b', sent.toReversed()],
      ['f', sent],
    ] as const) {
      const read: string[] = [];
      let from = '';
      let pages = 0;
      for (; pages < 10; pages++) {
        const page = await relations(alice, parent, `?dir=${dir}&limit=3${from}`);
        assert.equal('prev_batch' in page, pages > 0);
        assert.equal('recursion_depth' in page, false);
        read.push(...idsOf(page));
        if (page.next_batch === undefined) break;
        from = `&from=${page.next_batch}`;
      }
      assert.deepEqual(read, expected);
      assert.equal(pages, 2);
    }
  });

  it('stops at `to`, and takes the tokens of timelines and syncs', async () => {
    const parent = await alice.say(roomId, 'parent');
    const one = await bob.react(roomId, parent, 'a');
    const { next_batch: middle } = await alice.ok('GET', `${V3}/sync`);
    const two = await bob.react(roomId, parent, 'b');
    assert.deepEqual(idsOf(await relations(alice, parent, `?from=${middle}`)), [one]);
    assert.deepEqual(idsOf(await relations(alice, parent, `?dir=f&from=${middle}`)), [two]);
    assert.deepEqual(idsOf(await relations(alice, parent, `?to=${middle}`)), [two]);
    assert.deepEqual(idsOf(await relations(alice, parent, `?dir=f&to=${middle}`)), [one]);
    const { start } = await alice.ok('GET', `${V3}/rooms/${roomId}/messages?dir=b&limit=1`);
    assert.deepEqual(idsOf(await relations(alice, parent, `?from=${start}`)), [two, one]);
    assert.deepEqual(await alice.refused('GET', `${V1}/rooms/${roomId}/relations/${parent}?from=nonsense`), [
      400,
      'M_INVALID_PARAM',
    ]);
  });

  it('goes deeper with recurse, through children that match', async () => {
    const root = await alice.say(roomId, 'root');
    const reply = await bob.reply(roomId, root, 'reply');
    const edit = await bob.edit(roomId, reply, 'edited reply');
    const reaction = await alice.react(roomId, reply, '👍');
    const onEdit = await alice.relate(roomId, 'org.example', { rel_type: 'm.reference', event_id: edit });
    assert.deepEqual(idsOf(await relations(bob, root)), [reply]);
    const deep = await relations(bob, root, '?recurse=true');
    assert.deepEqual(idsOf(deep), [onEdit, reaction, edit, reply]);
    assert.ok(deep.recursion_depth >= 3);
    assert.deepEqual(idsOf(await relations(bob, root, '/m.thread?recurse=true')), [reply]);
    assert.deepEqual(idsOf(await relations(bob, root, '/m.reference?recurse=true')), []);
    const page = await relations(bob, root, '?recurse=true&dir=f&limit=2');
    assert.deepEqual(idsOf(page), [reply, edit]);
    const next = await relations(bob, root, `?recurse=true&dir=f&limit=2&from=${page.next_batch}`);
    assert.deepEqual(idsOf(next), [reaction, onEdit]);
    assert.equal(next.next_batch, undefined);
  });

  it('stops recursing at a depth', async () => {
    let parent = await alice.say(roomId, 'root');
    const root = parent;
    const chain: string[] = [];
    for (let depth = 1; depth <= 8; depth++) {
      parent = await alice.relate(roomId, 'org.example', { rel_type: 'm.reference', event_id: parent });
      chain.push(parent);
    }
    const page = await relations(bob, root, '?recurse=true&dir=f');
    assert.deepEqual(idsOf(page), chain.slice(0, page.recursion_depth));
  });

  it('leaves out redacted children, those of ignored users, and those the viewer may not see', async () => {
    const parent = await alice.say(roomId, 'parent');
    const gone = await alice.react(roomId, parent, 'gone');
    const kept = await bob.react(roomId, parent, 'kept');
    await carol.join(roomId);
    await carol.react(roomId, parent, 'ignored');
    await alice.redact(roomId, gone);
    await bob.ignore(carol.userId);
    assert.deepEqual(idsOf(await relations(bob, parent)), [kept]);
    await bob.ignore();
    await carol.leave(roomId);
    await bob.react(roomId, parent, 'after carol');
    assert.equal(idsOf(await relations(carol, parent)).length, 2);
    assert.equal(idsOf(await relations(bob, parent)).length, 3);
  });

  it('is not there for events that are not, or that one may not see', async () => {
    const dave = new RoomUser(await server.register('dave'));
    const parent = await alice.say(roomId, 'parent');
    const other = await alice.createRoom();
    const path = (room: string, eventId: string) => `${V1}/rooms/${room}/relations/${eventId}`;
    assert.deepEqual(await alice.refused('GET', path(roomId, '$nothing')), [404, 'M_NOT_FOUND']);
    assert.deepEqual(await alice.refused('GET', path(other, parent)), [404, 'M_NOT_FOUND']);
    assert.deepEqual(await alice.refused('GET', path('!nowhere:example.org', parent)), [403, 'M_FORBIDDEN']);
    assert.deepEqual(await dave.refused('GET', path(roomId, parent)), [403, 'M_FORBIDDEN']);
    for (const query of ['limit=0', 'limit=x', 'dir=x', 'recurse=maybe', 'to=1']) {
      assert.equal((await alice.refused('GET', `${path(roomId, parent)}?${query}`))[0], 400, query);
    }
  });

  it('refuses a second annotation that says the same, until the first is redacted', async () => {
    const parent = await alice.say(roomId, 'parent');
    const reaction = await bob.react(roomId, parent, '👍');
    const again = { 'm.relates_to': { rel_type: 'm.annotation', event_id: parent, key: '👍' } };
    assert.deepEqual(await bob.refused('PUT', bob.sendPath(roomId, 'm.reaction'), again), [
      400,
      'M_DUPLICATE_ANNOTATION',
    ]);
    await alice.react(roomId, parent, '👍');
    await bob.redact(roomId, reaction);
    await bob.react(roomId, parent, '👍');
    const parallel = await Promise.all(
      Array.from({ length: 5 }, () =>
        bob.user.request('PUT', bob.sendPath(roomId, 'm.reaction'), {
          'm.relates_to': { rel_type: 'm.annotation', event_id: parent, key: '🎉' },
        }),
      ),
    );
    assert.deepEqual(parallel.map(({ status }) => status).sort(), [200, 400, 400, 400, 400]);
  });

  it('redacts with an event what relates to it, where that is asked for (MSC3912)', async () => {
    const content = async (eventId: string) =>
      (await alice.ok('GET', `${V3}/rooms/${roomId}/event/${eventId}`)).content;
    const make = async () => {
      const parent = await bob.say(roomId, 'parent');
      const edit = await bob.edit(roomId, parent, 'edit');
      const reaction = await bob.react(roomId, parent, '👍');
      const others = await alice.react(roomId, parent, '👍');
      return { parent, edit, reaction, others };
    };
    const one = await make();
    await bob.redact(roomId, one.parent, { 'org.matrix.msc3912.with_relations': ['m.replace'], reason: 'oops' });
    assert.deepEqual([await content(one.parent), await content(one.edit)], [{}, {}]);
    assert.notDeepEqual(await content(one.reaction), {});
    const two = await make();
    await bob.redact(roomId, two.parent, { with_rel_types: ['*'] });
    assert.deepEqual([await content(two.edit), await content(two.reaction)], [{}, {}]);
    assert.notDeepEqual(await content(two.others), {}, 'bob may not redact what alice sent');
    const three = await make();
    await alice.redact(roomId, three.parent, { with_rel_types: ['*'] });
    for (const eventId of [three.parent, three.edit, three.reaction, three.others]) {
      assert.deepEqual(await content(eventId), {});
    }
    const path = `${V3}/rooms/${roomId}/redact/${one.parent}/bad`;
    assert.deepEqual(await bob.refused('PUT', path, { with_rel_types: 'm.replace' }), [400, 'M_BAD_JSON']);
  });

  it('filters timelines by what relates to their events', async () => {
    const thread = await alice.say(roomId, 'has a thread');
    const liked = await alice.say(roomId, 'is liked');
    await bob.reply(roomId, thread, 'reply');
    await bob.react(roomId, liked, '👍');
    const found = async (filter: object) => {
      const query = encodeURIComponent(JSON.stringify({ types: ['m.room.message'], ...filter }));
      const page = await alice.ok('GET', `${V3}/rooms/${roomId}/messages?dir=b&limit=100&filter=${query}`);
      return idsOf(page).filter((id) => id === thread || id === liked);
    };
    assert.deepEqual(await found({ related_by_rel_types: ['m.thread'] }), [thread]);
    assert.deepEqual(await found({ related_by_senders: [bob.userId] }), [liked, thread]);
    assert.deepEqual(await found({ related_by_senders: [alice.userId], related_by_rel_types: ['m.thread'] }), []);
    assert.deepEqual(await found({ related_by_rel_types: [] }), []);
  });
});
