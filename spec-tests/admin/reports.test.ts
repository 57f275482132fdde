/** Reports as administrators see them. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { TestServer } from '../../src/testing/test-server.ts';
import type { TestUser } from '../../src/testing/test-user.ts';
import { createRoom, join, say, V3 } from '../client-server/helpers.ts';

const ADMIN = '/_synapse/admin/v1';

describe('reports in the admin API', () => {
  let server: TestServer;
  let root: TestUser;
  let alice: TestUser;
  let bob: TestUser;
  let room: string;

  before(async () => {
    server = await TestServer.start({ inProcess: true });
    root = await server.register('root', { admin: true });
    alice = await server.register('alice');
    bob = await server.register('bob');
    room = await createRoom(alice, { name: 'Spam corner' });
    await join(bob, room);
  });
  after(() => server[Symbol.asyncDispose]());

  async function report(user: TestUser, eventId: string, reason: string): Promise<void> {
    const target = `${V3}/rooms/${encodeURIComponent(room)}/report/${encodeURIComponent(eventId)}`;
    const { status } = await user.request('POST', target, { reason, score: -50 });
    assert.equal(status, 200);
  }

  it('keeps the event as it was, though it is redacted later', async () => {
    const eventId = await say(bob, room, 'buy this');
    await report(alice, eventId, 'an advertisement');
    await bob.request('PUT', `${V3}/rooms/${encodeURIComponent(room)}/redact/${encodeURIComponent(eventId)}/r1`, {});
    const list = (await root.request('GET', `${ADMIN}/event_reports`)).body;
    assert.equal(list.total, 1);
    const [first] = list.event_reports;
    const { id, event_id, name, reason, room_id, score, sender, user_id, status, assignee } = first;
    assert.deepEqual(
      { event_id, name, reason, room_id, score, sender, user_id, status, assignee },
      {
        event_id: eventId,
        name: 'Spam corner',
        reason: 'an advertisement',
        room_id: room,
        score: -50,
        sender: bob.userId,
        user_id: alice.userId,
        status: 'open',
        assignee: null,
      },
    );
    const one = (await root.request('GET', `${ADMIN}/event_reports/${id}`)).body;
    assert.equal(one.event_json.content.body, 'buy this');
  });

  it('lists page by page, newest first, and by reporter, room, sender and status', async () => {
    const eventId = await say(alice, room, 'rude');
    await report(bob, eventId, 'second');
    await report(bob, eventId, 'third');
    const page = (await root.request('GET', `${ADMIN}/event_reports?limit=2`)).body;
    assert.deepEqual(
      page.event_reports.map((one: { reason: string }) => one.reason),
      ['third', 'second'],
    );
    assert.equal(page.next_token, 2);
    const rest = (await root.request('GET', `${ADMIN}/event_reports?limit=2&from=2`)).body;
    assert.equal(rest.event_reports.length, 1);
    assert.equal(rest.next_token, undefined);
    const total = async (query: string) =>
      (await root.request('GET', `${ADMIN}/event_reports?${query}`)).body.total as number;
    assert.equal(await total(`user_id=${encodeURIComponent(bob.userId)}`), 2);
    assert.equal(await total(`event_sender_user_id=${encodeURIComponent(bob.userId)}`), 1);
    assert.equal(await total(`room_id=${encodeURIComponent(room)}`), 3);
    assert.equal(await total('status=resolved'), 0);
  });

  it('takes a status and an assignee, and can be deleted', async () => {
    const { id } = (await root.request('GET', `${ADMIN}/event_reports?limit=1`)).body.event_reports[0];
    const target = `${ADMIN}/event_reports/${id}`;
    const changed = await root.request('PUT', target, { status: 'resolved', assignee: root.userId });
    assert.equal(changed.status, 200, changed.bytes.toString());
    assert.equal((await root.request('GET', target)).body.status, 'resolved');
    assert.equal((await root.request('GET', target)).body.assignee, root.userId);
    assert.equal((await root.request('PUT', target, { status: 'whatever' })).status, 400);
    assert.equal((await root.request('DELETE', target)).status, 200);
    assert.equal((await root.request('GET', target)).status, 404);
    assert.equal((await root.request('DELETE', target)).status, 404);
  });

  it('keeps reports of users and rooms apart', async () => {
    const users = `/_matrix/client/v3/users/${encodeURIComponent(bob.userId)}/report`;
    assert.equal((await alice.request('POST', users, { reason: 'a bot' })).status, 200);
    const rooms = `${V3}/rooms/${encodeURIComponent(room)}/report`;
    assert.equal((await alice.request('POST', rooms, { reason: 'a den' })).status, 200);
    const [ofUser] = (await root.request('GET', `${ADMIN}/user_reports`)).body.user_reports;
    assert.equal(ofUser.target_user_id, bob.userId);
    assert.equal(ofUser.reason, 'a bot');
    const [ofRoom] = (await root.request('GET', `${ADMIN}/room_reports`)).body.room_reports;
    assert.deepEqual([ofRoom.room_id, ofRoom.name, ofRoom.reason], [room, 'Spam corner', 'a den']);
    assert.equal((await root.request('GET', `${ADMIN}/event_reports/${ofUser.id}`)).status, 404);
  });

  it('is closed to everybody else', async () => {
    assert.equal((await alice.request('GET', `${ADMIN}/event_reports`)).status, 403);
    assert.equal((await alice.request('PUT', `${ADMIN}/event_reports/1`, { status: 'resolved' })).status, 403);
  });
});
