/** What is bundled with events that others relate to. Spec: client-server-api/#aggregations-of-child-events */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { TestServer } from '../../src/testing/test-server.ts';
import { type RoomUser, startWithUsers } from './room-user.ts';

const V3 = '/_matrix/client/v3';

describe('aggregations', () => {
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
    return roomId;
  }

  it('bundle the latest edit, and leave the content as it was', async () => {
    const roomId = await sharedRoom();
    const original = await alice.say(roomId, 'one');
    await alice.edit(roomId, original, 'two');
    const latest = await alice.edit(roomId, original, 'three');
    const event = await bob.ok('GET', `${V3}/rooms/${roomId}/event/${original}`);
    assert.equal(event.content.body, 'one');
    const edit = event.unsigned['m.relations']['m.replace'];
    assert.equal(edit.event_id, latest);
    assert.equal(edit.content['m.new_content'].body, 'three');
    assert.equal(edit.sender, alice.userId);
    assert.equal(edit.room_id, roomId);
    assert.equal(typeof edit.unsigned.age, 'number');
  });

  it('ignore edits that are not valid', async () => {
    const roomId = await sharedRoom();
    const original = await alice.say(roomId, 'mine');
    const replace = { rel_type: 'm.replace', event_id: original };
    await bob.edit(roomId, original, 'not yours');
    await alice.relate(roomId, 'm.room.message', replace, { msgtype: 'm.text', body: 'without m.new_content' });
    await alice.relate(roomId, 'org.example.other', replace, { 'm.new_content': { body: 'other type' } });
    assert.equal(await bob.relationsOf(roomId, original), undefined);
    const edit = await alice.edit(roomId, original, 'mine again');
    await alice.edit(roomId, edit, 'an edit of an edit');
    assert.equal(await bob.relationsOf(roomId, edit), undefined);
    assert.equal((await bob.relationsOf(roomId, original))['m.replace'].event_id, edit);
    const name = await alice.setState(roomId, 'm.room.name', { name: 'a' });
    await alice.relate(
      roomId,
      'm.room.name',
      { rel_type: 'm.replace', event_id: name },
      { 'm.new_content': { name: 'b' } },
    );
    assert.equal(await bob.relationsOf(roomId, name), undefined);
  });

  it('ignore what relates to an event from another room', async () => {
    const roomId = await sharedRoom();
    const elsewhere = await sharedRoom();
    const original = await alice.say(roomId, 'here');
    await alice.edit(elsewhere, original, 'from there');
    await alice.reply(elsewhere, original, 'from there');
    await alice.relate(elsewhere, 'org.example', { rel_type: 'm.reference', event_id: original });
    assert.equal(await bob.relationsOf(roomId, original), undefined);
    const page = await bob.ok('GET', `/_matrix/client/v1/rooms/${roomId}/relations/${original}`);
    assert.deepEqual(page.chunk, []);
    assert.deepEqual((await bob.ok('GET', `/_matrix/client/v1/rooms/${roomId}/threads`)).chunk, []);
  });

  it('go back to the edit before where the last one is redacted', async () => {
    const roomId = await sharedRoom();
    const original = await alice.say(roomId, 'one');
    const second = await alice.edit(roomId, original, 'two');
    const third = await alice.edit(roomId, original, 'three');
    assert.equal((await bob.relationsOf(roomId, original))['m.replace'].event_id, third);
    await alice.redact(roomId, third);
    assert.equal((await bob.relationsOf(roomId, original))['m.replace'].event_id, second);
    await alice.redact(roomId, second);
    assert.equal(await bob.relationsOf(roomId, original), undefined);
  });

  it('have no edits of redacted events, but their threads', async () => {
    const roomId = await sharedRoom();
    const original = await alice.say(roomId, 'one');
    await alice.edit(roomId, original, 'two');
    await bob.reply(roomId, original, 'what?');
    await alice.redact(roomId, original);
    const relations = await bob.relationsOf(roomId, original);
    assert.deepEqual(Object.keys(relations), ['m.thread']);
  });

  it('list references', async () => {
    const roomId = await sharedRoom();
    const original = await alice.say(roomId, 'see here');
    const reference = { rel_type: 'm.reference', event_id: original };
    const one = await alice.relate(roomId, 'org.example', reference);
    const two = await bob.relate(roomId, 'org.example', reference);
    assert.deepEqual(await bob.relationsOf(roomId, original), {
      'm.reference': { chunk: [{ event_id: one }, { event_id: two }] },
    });
  });

  it('do not have annotations', async () => {
    const roomId = await sharedRoom();
    const original = await alice.say(roomId, 'like me');
    await bob.react(roomId, original, '👍');
    assert.equal(await alice.relationsOf(roomId, original), undefined);
  });

  it('summarise a thread, with the edits of its latest event', async () => {
    const roomId = await sharedRoom();
    const root = await alice.say(roomId, 'shall we?');
    await bob.reply(roomId, root, 'yes');
    const last = await bob.reply(roomId, root, 'of corse');
    await bob.edit(roomId, last, 'of course');
    await carol.join(roomId);
    const thread = (await carol.relationsOf(roomId, root))['m.thread'];
    assert.equal(thread.count, 2);
    assert.equal(thread.current_user_participated, false);
    assert.equal(thread.latest_event.event_id, last);
    assert.equal(thread.latest_event.content.body, 'of corse');
    const edit = thread.latest_event.unsigned['m.relations']['m.replace'];
    assert.equal(edit.content['m.new_content'].body, 'of course');
    for (const participant of [alice, bob]) {
      assert.equal((await participant.relationsOf(roomId, root))['m.thread'].current_user_participated, true);
    }
  });

  it('leave a redacted event out of its thread', async () => {
    const roomId = await sharedRoom();
    const root = await alice.say(roomId, 'root');
    const first = await bob.reply(roomId, root, 'first');
    const second = await bob.reply(roomId, root, 'second');
    await bob.redact(roomId, second);
    const thread = (await alice.relationsOf(roomId, root))['m.thread'];
    assert.deepEqual([thread.count, thread.latest_event.event_id], [1, first]);
    await bob.redact(roomId, first);
    assert.equal(await alice.relationsOf(roomId, root), undefined);
  });

  it('leave out what ignored users sent', async () => {
    const roomId = await sharedRoom();
    await carol.join(roomId);
    const root = await alice.say(roomId, 'root');
    const kept = await bob.reply(roomId, root, 'kept');
    await carol.reply(roomId, root, 'dropped');
    const reference = await bob.relate(roomId, 'org.example', { rel_type: 'm.reference', event_id: root });
    await carol.relate(roomId, 'org.example', { rel_type: 'm.reference', event_id: root });
    await alice.ignore(carol.userId);
    const relations = await alice.relationsOf(roomId, root);
    assert.deepEqual([relations['m.thread'].count, relations['m.thread'].latest_event.event_id], [1, kept]);
    assert.deepEqual(relations['m.reference'].chunk, [{ event_id: reference }]);
    assert.equal((await bob.relationsOf(roomId, root))['m.thread'].count, 2);
    await alice.ignore();
    assert.equal((await alice.relationsOf(roomId, root))['m.thread'].count, 2);
  });

  it('show nothing from after the viewer has left', async () => {
    const roomId = await sharedRoom();
    const root = await alice.say(roomId, 'root');
    const edit = await alice.edit(roomId, root, 'while bob is here');
    const seen = await alice.reply(roomId, root, 'seen');
    await bob.leave(roomId);
    await alice.edit(roomId, root, 'behind his back');
    await alice.reply(roomId, root, 'unseen');
    await alice.relate(roomId, 'org.example', { rel_type: 'm.reference', event_id: root });
    const relations = await bob.relationsOf(roomId, root);
    assert.deepEqual(Object.keys(relations), ['m.replace', 'm.thread']);
    assert.equal(relations['m.replace'].event_id, edit);
    assert.deepEqual([relations['m.thread'].count, relations['m.thread'].latest_event.event_id], [1, seen]);
  });

  it('are in timelines, contexts and syncs that left something out, and not in others', async () => {
    const roomId = await sharedRoom();
    const { next_batch: since } = await bob.ok('GET', `${V3}/sync`);
    const original = await alice.say(roomId, 'one');
    // Read once without children: what is remembered of that must not stay.
    assert.equal(await bob.relationsOf(roomId, original), undefined);
    const edit = await alice.edit(roomId, original, 'two');
    const editOf = (
      events: readonly { event_id: string; unsigned: { 'm.relations'?: { 'm.replace'?: { event_id: string } } } }[],
    ) => events.find(({ event_id: id }) => id === original)?.unsigned['m.relations']?.['m.replace']?.event_id;
    const { chunk } = await bob.ok('GET', `${V3}/rooms/${roomId}/messages?dir=b&limit=5`);
    assert.equal(editOf(chunk), edit);
    const context = await bob.ok('GET', `${V3}/rooms/${roomId}/context/${edit}`);
    assert.equal(editOf(context.events_before), edit);
    assert.equal(editOf([(await bob.ok('GET', `${V3}/rooms/${roomId}/context/${original}`)).event]), edit);
    const timelineOf = async (query: string) =>
      (await bob.ok('GET', `${V3}/sync?${query}`)).rooms.join[roomId].timeline;
    const whole = await timelineOf(`since=${since}`);
    assert.deepEqual([whole.limited, editOf(whole.events)], [false, undefined]);
    const filter = encodeURIComponent(JSON.stringify({ room: { timeline: { limit: 2 } } }));
    const cut = await timelineOf(`filter=${filter}`);
    assert.deepEqual([cut.limited, editOf(cut.events)], [true, edit]);
  });

  it('are with what a search finds', async () => {
    const roomId = await sharedRoom();
    const original = await alice.say(roomId, 'quokka');
    await bob.reply(roomId, original, 'where?');
    const body = { search_categories: { room_events: { search_term: 'quokka', filter: { rooms: [roomId] } } } };
    const { results } = (await bob.ok('POST', `${V3}/search`, body)).search_categories.room_events;
    assert.equal(results[0].result.unsigned['m.relations']['m.thread'].count, 1);
  });
});
