/** What another server sees of a room's past: events that its users may not see come redacted. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { JsonObject } from '../../src/protocol/json/index.ts';
import { network } from '../../src/testing/network.ts';
import { act, createRoom, eventually, join, membership, send } from '../../src/testing/room-client.ts';
import type { TestUser } from '../../src/testing/test-user.ts';
import { Peer } from './peer.ts';

const V1 = '/_matrix/federation/v1';
const e = encodeURIComponent;

describe('what another server sees of the past', () => {
  let net: Awaited<ReturnType<typeof start>>;
  let alice: TestUser;
  let bob: TestUser;
  let peer: Peer;
  const start = () => network(2, { inProcess: true });

  before(async () => {
    net = await start();
    const [one, two] = net.servers;
    alice = await one.server.register('alice');
    bob = await two.server.register('bob');
    peer = new Peer(two, one);
  });
  after(() => net[Symbol.asyncDispose]());

  for (const [visibility, before, invited, joined] of [
    ['joined', false, false, true],
    ['invited', false, true, true],
    ['shared', true, true, true],
    ['world_readable', true, true, true],
  ] as const) {
    it(`is right where the history is ${visibility}`, async () => {
      const [one] = net.servers;
      const content = { history_visibility: visibility };
      const roomId = await createRoom(alice, {
        preset: 'private_chat',
        room_version: '10',
        initial_state: [{ type: 'm.room.history_visibility', state_key: '', content }],
      });
      const ids = [await send(alice, roomId, 'before')];
      await act(alice, roomId, 'invite', bob.userId);
      ids.push(await send(alice, roomId, 'invited'));
      await join(bob, roomId, one.name);
      await eventually(
        () => membership(alice, roomId, bob.userId),
        (is) => is === 'join',
      );
      ids.push(await send(alice, roomId, 'joined'));
      const wanted = [before, invited, joined];
      const single = await Promise.all(ids.map((id) => peer.event(id)));
      assert.deepEqual(single.map(isWhole), wanted, '/event');
      const last = ids.at(-1) ?? '';
      const room = e(roomId);
      const filled = await peer.request('GET', `${V1}/backfill/${room}?v=${e(last)}&limit=20`);
      assert.deepEqual(wholeTexts(filled.body.pdus), wanted, '/backfill');
      const asked = { earliest_events: [], latest_events: [last], limit: 20 };
      const missing = await peer.request('POST', `${V1}/get_missing_events/${room}`, asked);
      assert.deepEqual(wholeTexts(missing.body.events), wanted.slice(0, 2), '/get_missing_events');
      // State is needed to judge other events by, and always whole.
      const state = filled.body.pdus.filter((pdu: JsonObject) => pdu.type === 'm.room.history_visibility');
      assert.deepEqual(state[0]?.content, content);
      await act(alice, roomId, 'kick', bob.userId);
      assert.equal((await peer.request('GET', `${V1}/event/${e(last)}`)).status, 403);
    });
  }
});

function isWhole(pdu: JsonObject): boolean {
  return JSON.stringify(pdu.content) !== '{}';
}

/** Which messages are whole, oldest first. */
function wholeTexts(pdus: readonly (JsonObject & { readonly depth: number })[]): readonly boolean[] {
  const messages = pdus.filter(({ type }) => type === 'm.room.message');
  return messages.toSorted((a, b) => a.depth - b.depth).map(isWhole);
}
