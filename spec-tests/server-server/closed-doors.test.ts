/** What a server doesn't give to others: rooms that it left, rooms that don't federate, itself, profiles. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import type { ConfigInput } from '../../src/config/index.ts';
import { network } from '../../src/testing/network.ts';
import { act, createRoom, eventually, join, membership, send } from '../../src/testing/room-client.ts';
import { TestServer } from '../../src/testing/test-server.ts';
import { Peer } from './peer.ts';

const V1 = '/_matrix/federation/v1';
const V3 = '/_matrix/client/v3';
const e = encodeURIComponent;

describe('another server', () => {
  const parts = new AsyncDisposableStack();
  after(() => parts.disposeAsync());

  /** Alice's server, Bob's, and how the latter speaks to the former. */
  async function start(federation: ConfigInput['federation'] = {}) {
    const net = parts.use(await network(2, { inProcess: true, config: { federation } }));
    const [one, two] = net.servers;
    const alice = await one.server.register('alice');
    const bob = await two.server.register('bob');
    return { one, two, alice, bob, peer: new Peer(two, one) };
  }

  it('gets nothing of a room that the last user here has left', async () => {
    const { one, alice, bob, peer } = await start();
    const roomId = await createRoom(alice);
    await join(bob, roomId, one.name);
    await eventually(
      () => membership(alice, roomId, bob.userId),
      (is) => is === 'join',
    );
    const eventId = await send(alice, roomId, 'still here');
    const room = e(roomId);
    const event = e(eventId);
    const asked = { earliest_events: [], latest_events: [eventId], limit: 5 };
    const questions = [
      ['GET', `${V1}/event/${event}`],
      ['GET', `${V1}/state/${room}?event_id=${event}`],
      ['GET', `${V1}/state_ids/${room}?event_id=${event}`],
      ['GET', `${V1}/event_auth/${room}/${event}`],
      ['GET', `${V1}/backfill/${room}?v=${event}&limit=5`],
      ['GET', `${V1}/timestamp_to_event/${room}?ts=0&dir=f`],
      ['GET', `${V1}/make_leave/${room}/${e(bob.userId)}`],
      ['GET', `${V1}/make_join/${room}/${e(bob.userId)}?ver=10&ver=12`],
      ['POST', `${V1}/get_missing_events/${room}`, asked],
    ] as const;
    const ask = ([method, target, content]: (typeof questions)[number]) => peer.request(method, target, content);
    for (const question of questions) {
      const answer = await ask(question);
      assert.equal(answer.status, 200, `${question[1]}: ${answer.bytes}`);
    }
    await act(alice, roomId, 'leave');
    for (const question of questions) {
      const answer = await ask(question);
      assert([403, 404].includes(answer.status), `${question[1]}: ${answer.status} ${answer.bytes}`);
    }
    assert.equal((await peer.request('GET', `${V1}/hierarchy/${room}`)).status, 404);
  });

  it('gets into no room that does not federate', async () => {
    const { one, alice, bob, peer } = await start();
    const roomId = await createRoom(alice, { creation_content: { 'm.federate': false }, visibility: 'public' });
    const joined = await bob.request('POST', `${V3}/join/${e(roomId)}?via=${e(one.name)}`, {});
    assert.equal(joined.status, 403, joined.bytes.toString());
    const template = await peer.request('GET', `${V1}/make_join/${e(roomId)}/${e(bob.userId)}?ver=10&ver=12`);
    assert.equal(template.status, 403);
    const invited = await alice.request('POST', `${V3}/rooms/${e(roomId)}/invite`, { user_id: bob.userId });
    assert.equal(invited.status, 403, invited.bytes.toString());
    const listed = await bob.request('GET', `${V3}/publicRooms?server=${e(one.name)}`);
    assert.deepEqual(listed.body.chunk, [], 'it is not in the directory for others');
    const shown = await peer.request('GET', `${V1}/hierarchy/${e(roomId)}`);
    assert.equal(shown.status, 404, shown.bytes.toString());
  });

  it('is not talked to unless it is on the list, where there is one', async () => {
    const { one, alice, bob, peer } = await start({ allowed_servers: ['friend.example'] });
    const roomId = await createRoom(alice);
    const joined = await bob.request('POST', `${V3}/join/${e(roomId)}?via=${e(one.name)}`, {});
    assert([403, 404, 502].includes(joined.status), joined.bytes.toString());
    assert.equal((await peer.request('GET', `${V1}/query/profile?user_id=${e(alice.userId)}`)).status, 403);
    assert.equal((await peer.send('t', [])).status, 403);
  });

  it('finds no federation where it is switched off', async () => {
    const server = parts.use(await TestServer.start({ inProcess: true, config: { federation: { enabled: false } } }));
    const alice = await server.register('alice');
    for (const target of [
      `${V1}/query/profile?user_id=${e(alice.userId)}`,
      `${V1}/version`,
      '/_matrix/key/v2/server',
    ]) {
      const { status } = await server.request('GET', target);
      assert([403, 404].includes(status), `${target}: ${status}`);
    }
    const joined = await alice.request('POST', `${V3}/join/${e('!x:elsewhere.example')}?via=elsewhere.example`, {});
    assert([403, 404].includes(joined.status), joined.bytes.toString());
    const roomId = await createRoom(alice);
    const invited = await alice.request('POST', `${V3}/rooms/${e(roomId)}/invite`, {
      user_id: '@bob:elsewhere.example',
    });
    assert([403, 404, 502].includes(invited.status), invited.bytes.toString());
    assert.equal(typeof (await send(alice, roomId, 'among ourselves')), 'string');
  });

  it('looks up profiles as far as is configured', async () => {
    for (const [lookups, apart, together] of [
      ['everyone', 200, 200],
      ['shared_rooms', 403, 200],
      ['nobody', 403, 403],
    ] as const) {
      const { one, alice, bob, peer } = await start({ profile_lookups: lookups });
      const look = async () => (await peer.request('GET', `${V1}/query/profile?user_id=${e(alice.userId)}`)).status;
      assert.equal(await look(), apart, lookups);
      await join(bob, await createRoom(alice), one.name);
      assert.equal(await look(), together, lookups);
      const seen = await bob.request('GET', `${V3}/profile/${e(alice.userId)}`);
      assert.equal(seen.status, together, seen.bytes.toString());
    }
  });
});
