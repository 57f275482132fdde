import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parsePdu } from '../../src/protocol/event/index.ts';
import { type EventId, parseEventId } from '../../src/protocol/ids/index.ts';
import { createRoom, setState } from '../../src/testing/room-client.ts';
import { HostilePeer, need, pduOf, V1, V2 } from './hostile-peer.ts';

const e = encodeURIComponent;

/** An invite by a user of the hostile server to a room that the victim isn't in. */
function inviteOf(peer: HostilePeer, roomId: string, target: string, version = '10', more = {}) {
  const own = {
    type: 'm.room.member',
    stateKey: target,
    sender: peer.user('mallory'),
    content: { membership: 'invite' },
  };
  return peer.build(roomId, { ...own, depth: 1, prevEvents: [], authEvents: [], ...more }, version);
}

function putInvite(peer: HostilePeer, event: ReturnType<typeof inviteOf>, roomState: object[] = []) {
  return peer.request('PUT', `${V2}/invite/${e(event.roomId)}/${e(event.eventId)}`, {
    event: pduOf(event),
    room_version: event.rules.id,
    invite_room_state: JSON.parse(JSON.stringify(roomState)),
  });
}

describe('a server with bad intentions', () => {
  it('can not make one event of two rooms, nor give a room another version', async () => {
    await using peer = await HostilePeer.start();
    const alice = await peer.victim.register('alice');
    const [one, two] = [`!one:${peer.name}`, `!two:${peer.name}`];
    const eventId = need(inviteOf(peer, one, alice.userId, '1', { eventId: `$same:${peer.name}` }).eventId);
    const first = inviteOf(peer, one, alice.userId, '1', { eventId });
    assert.equal((await putInvite(peer, first)).status, 200);
    const second = inviteOf(peer, two, alice.userId, '1', { eventId });
    assert.equal((await putInvite(peer, second)).status, 400, 'another room has it');
    assert.equal((await putInvite(peer, inviteOf(peer, one, alice.userId, '10'))).status, 400, 'it has version 1');
    const { invite } = (await alice.request('GET', '/_matrix/client/v3/sync')).body.rooms;
    assert.deepEqual(Object.keys(invite), [one]);
  });

  it('sees its invite taken once, however often it sends it', async () => {
    await using peer = await HostilePeer.start();
    const alice = await peer.victim.register('alice');
    const invite = inviteOf(peer, `!one:${peer.name}`, alice.userId);
    assert.equal((await putInvite(peer, invite)).status, 200);
    const left = await alice.request('POST', `/_matrix/client/v3/rooms/${e(invite.roomId)}/leave`, {});
    assert.equal(left.status, 200);
    assert.equal((await putInvite(peer, invite)).status, 200);
    const { rooms = {} } = (await alice.request('GET', '/_matrix/client/v3/sync')).body;
    assert.deepEqual(Object.keys(rooms.invite ?? {}), []);
  });

  it('can not take back the invites of others', async () => {
    await using peer = await HostilePeer.start();
    await using other = await peer.ally();
    const alice = await peer.victim.register('alice');
    const invite = inviteOf(peer, `!one:${peer.name}`, alice.userId);
    assert.equal((await putInvite(peer, invite)).status, 200);
    const own = { type: 'm.room.member', stateKey: alice.userId, content: { membership: 'leave' } };
    const at = { depth: 2, prevEvents: [invite.eventId], authEvents: [] };
    const forged = other.build(invite.roomId, { ...own, ...at, sender: other.user('eve') });
    await other.send([pduOf(forged)]);
    const rooms = async () => (await alice.request('GET', '/_matrix/client/v3/sync')).body.rooms ?? {};
    assert.deepEqual(Object.keys((await rooms()).invite), [invite.roomId]);
    const genuine = peer.build(invite.roomId, { ...own, ...at, sender: peer.user('mallory') });
    await peer.send([pduOf(genuine)]);
    assert.deepEqual(Object.keys((await rooms()).invite ?? {}), []);
  });

  it('can not hide news among the history', async () => {
    await using peer = await HostilePeer.start();
    const alice = await peer.victim.register('alice');
    const roomId = await createRoom(alice, { room_version: '10' });
    const mallory = peer.user('mallory');
    const { event: joined, state } = await peer.join(roomId, mallory);
    const ids = new Map(state.map((pdu) => [`${pdu.type}`, parsePdu(pdu, joined.rules).eventId]));
    const authEvents = [need(ids.get('m.room.create')), need(ids.get('m.room.power_levels')), joined.eventId];
    const message = (body: string, depth: number, prev: EventId) =>
      peer.build(roomId, {
        type: 'm.room.message',
        sender: mallory,
        content: { body },
        depth,
        prevEvents: [prev],
        authEvents,
      });
    const lost = message('lost', 10, joined.eventId);
    const after = message('after', 11, lost.eventId);
    const news = message('news', 12, after.eventId);
    peer.handlers.set(`${V1}/state_ids/`, () => ({ pdu_ids: [...ids.values(), joined.eventId], auth_chain_ids: [] }));
    peer.handlers.set(`${V1}/event/`, () => ({ pdus: [pduOf(lost)] }));
    peer.handlers.set(`${V1}/backfill/`, () => ({ pdus: [pduOf(news)] }));
    const { next_batch: since } = (await alice.request('GET', '/_matrix/client/v3/sync')).body;
    assert.deepEqual((await peer.send([pduOf(after)])).body.pdus, { [after.eventId]: {} });
    const page = await alice.request('GET', `/_matrix/client/v3/rooms/${e(roomId)}/messages?dir=b&limit=100`);
    assert.equal(page.status, 200);
    assert.ok(
      peer.asked.some((line) => line.includes('/backfill/')),
      'the gap was seen',
    );
    assert.deepEqual((await peer.send([pduOf(news)])).body.pdus, { [news.eventId]: {} });
    const synced = (await alice.request('GET', `/_matrix/client/v3/sync?since=${since}`)).body.rooms.join[roomId];
    const bodies = synced.timeline.events.map((event: { content: { body: string } }) => event.content.body);
    assert.deepEqual(bodies, ['after', 'news']);
  });

  it('may send one receipt that is of no use without spoiling the others', async () => {
    await using peer = await HostilePeer.start();
    const alice = await peer.victim.register('alice');
    const roomId = await createRoom(alice, { room_version: '10' });
    const mallory = peer.user('mallory');
    const { event: joined } = await peer.join(roomId, mallory);
    const of = (eventId: string) => ({ data: { ts: 1 }, event_ids: [eventId] });
    const reads = { [peer.user('stranger')]: of(joined.eventId), [mallory]: of(joined.eventId) };
    const edu = (content: object) => ({ edu_type: 'm.receipt', content: JSON.parse(JSON.stringify(content)) });
    await peer.send([], [edu({ [`!none:${peer.name}`]: { 'm.read': reads }, [roomId]: { 'm.read': reads } })]);
    const receipts = async () => {
      const { ephemeral } = (await alice.request('GET', '/_matrix/client/v3/sync')).body.rooms.join[roomId];
      return ephemeral.events.filter((event: { type: string }) => event.type === 'm.receipt');
    };
    const [receipt] = await receipts();
    assert.deepEqual(Object.keys(receipt?.content[joined.eventId]['m.read'] ?? {}), [mallory]);
  });

  it('is not heard in a room whose ACL excludes it, though users of it are in there', async () => {
    await using peer = await HostilePeer.start();
    const alice = await peer.victim.register('alice');
    const roomId = await createRoom(alice, { room_version: '10' });
    const mallory = peer.user('mallory');
    const { event: joined } = await peer.join(roomId, mallory);
    await setState(alice, roomId, 'm.room.server_acl', { allow: ['*'], deny: ['LOCALHOST'] });
    const reads = { [mallory]: { data: { ts: 1 }, event_ids: [joined.eventId] } };
    await peer.send(
      [],
      [
        { edu_type: 'm.typing', content: { room_id: roomId, user_id: mallory, typing: true } },
        { edu_type: 'm.receipt', content: { [roomId]: { 'm.read': reads } } },
      ],
    );
    const { ephemeral } = (await alice.request('GET', '/_matrix/client/v3/sync')).body.rooms.join[roomId];
    assert.deepEqual(ephemeral.events, []);
  });

  it('does not stop the server with bodies of millions of values', async () => {
    await using peer = await HostilePeer.start();
    const body = `{"edus":[{"edu_type":"x","content":{"a":[${Array(5_000_000).fill('[]').join(',')}]}}]}`;
    const target = `${V1}/send/1`;
    const authorization = `X-Matrix origin="${peer.name}",destination="${peer.victimName}",key="${peer.key.keyId}",sig="x"`;
    const answer = await peer.victim.request('PUT', target, { body, headers: { authorization } });
    assert.deepEqual([answer.status, answer.body.errcode], [400, 'M_NOT_JSON']);
  });

  it('is not listened to when it answers with more events than it named', async () => {
    await using peer = await HostilePeer.start();
    const alice = await peer.victim.register('alice');
    const roomId = await createRoom(alice, { room_version: '10' });
    const mallory = peer.user('mallory');
    const { event: joined, state } = await peer.join(roomId, mallory);
    const authEvents = state.flatMap((pdu) => {
      const { type, eventId } = parsePdu(pdu, joined.rules);
      return type === 'm.room.create' || type === 'm.room.power_levels' ? [eventId] : [];
    });
    const id = (n: number) => need(parseEventId(`$${Buffer.from(String(n).padStart(32, 'x')).toString('base64url')}`));
    const draft = { type: 'm.room.message', sender: mallory, content: { body: 'x' }, depth: 9, prevEvents: [id(0)] };
    const event = peer.build(roomId, { ...draft, authEvents: [...authEvents, joined.eventId] });
    const ids = Array.from({ length: 10_000 }, (_, n) => id(n));
    const many = Array(1_000_000).fill('{}').join(',');
    peer.handlers.set(`${V1}/state_ids/`, () => ({ pdu_ids: ids, auth_chain_ids: [] }));
    peer.handlers.set(`${V1}/state/`, () => `{"pdus":[${many}]}`);
    peer.handlers.set(`${V1}/get_missing_events/`, () => `{"events":[${many}]}`);
    const start = performance.now();
    const answer = await peer.send([pduOf(event)]);
    assert.equal(answer.status, 200);
    const seen = await alice.request('GET', `/_matrix/client/v3/rooms/${e(roomId)}/event/${e(event.eventId)}`);
    assert.equal(seen.status, 404);
    assert.ok(peer.asked.some((line) => line.includes('/state/')));
    assert.ok(performance.now() - start < 5_000, `${performance.now() - start} ms`);
  });
});
