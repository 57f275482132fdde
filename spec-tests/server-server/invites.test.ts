/** Invites of another server to our users: which are taken, which are refused, and who may take one back. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Event } from '../../src/protocol/event/index.ts';
import { parseEventId, parseRoomId, parseUserId } from '../../src/protocol/ids/index.ts';
import { network } from '../../src/testing/network.ts';
import { eventually } from '../../src/testing/room-client.ts';
import type { TestUser } from '../../src/testing/test-user.ts';
import { Peer } from './peer.ts';

const V3 = '/_matrix/client/v3';
const e = encodeURIComponent;

describe('an invite of another server', () => {
  let net: Awaited<ReturnType<typeof start>>;
  let alice: TestUser;
  /** Mallory's server. */
  let peer: Peer;
  /** A third one. */
  let other: Peer;
  let rooms = 0;
  const start = () => network(3, { inProcess: true });

  before(async () => {
    net = await start();
    const [one, two, three] = net.servers;
    alice = await one.server.register('alice');
    peer = new Peer(two, one);
    other = new Peer(three, one);
  });
  after(() => net[Symbol.asyncDispose]());

  interface Changes {
    readonly membership?: string;
    readonly sender?: string;
    readonly target?: string;
    readonly by?: Peer;
  }

  function member(roomId: string, { membership = 'invite', sender, target, by = peer }: Changes = {}): Event {
    return by.make({
      type: 'm.room.member',
      roomId: parseRoomId(roomId) ?? assert.fail(),
      sender: parseUserId(sender ?? `@mallory:${peer.name}`) ?? assert.fail(),
      stateKey: target ?? alice.userId,
      content: { membership },
      originServerTs: Date.now(),
      depth: 9,
      prevEvents: [parseEventId(`$${'p'.repeat(43)}`) ?? assert.fail()],
      authEvents: [parseEventId(`$${'a'.repeat(43)}`) ?? assert.fail()],
    });
  }

  function room(): string {
    return `!r${rooms++}:${peer.name}`;
  }

  async function invite(
    roomId: string,
    event: Event,
    { by = peer, room_version = '10', eventId = event.eventId } = {},
  ) {
    const name = { type: 'm.room.name', state_key: '', sender: event.sender, content: { name: 'Den' }, depth: 3 };
    const content = { room_version, event: event.pdu, invite_room_state: [name, { type: 7 }, { type: 'x' }] };
    return by.request('PUT', `/_matrix/federation/v2/invite/${e(roomId)}/${e(eventId)}`, content);
  }

  async function invites(): Promise<Record<string, { invite_state: { events: { type: string }[] } }>> {
    return (await alice.request('GET', `${V3}/sync?timeout=0`)).body.rooms?.invite ?? {};
  }

  it('is signed by us too, and shows the user what it tells of the room', async () => {
    const roomId = room();
    const event = member(roomId);
    const { status, body, bytes } = await invite(roomId, event);
    assert.equal(status, 200, bytes.toString());
    const [one] = net.servers;
    assert.deepEqual(new Set(Object.keys(body.event.signatures)), new Set([peer.name, one.name]));
    const shown = (await invites())[roomId]?.invite_state.events ?? [];
    assert.deepEqual(new Set(shown.map(({ type }) => type)), new Set(['m.room.name', 'm.room.member']));
    const stripped = shown.find(({ type }) => type === 'm.room.name');
    assert.deepEqual(new Set(Object.keys(stripped ?? {})), new Set(['type', 'state_key', 'sender', 'content']));
  });

  it('is refused where it is not what it must be', async () => {
    const roomId = room();
    const good = member(roomId);
    const [one] = net.servers;
    const answers: [what: string, answer: Awaited<ReturnType<typeof invite>>, status: number][] = [
      ['an unknown room version', await invite(roomId, good, { room_version: '99' }), 400],
      ['another room', await invite(room(), good), 400],
      ['another event', await invite(roomId, good, { eventId: member(room()).eventId }), 400],
      ['no invite', await invite(roomId, member(roomId, { membership: 'join' })), 400],
      ['a user of another server', await invite(roomId, member(roomId, { target: `@x:${other.name}` })), 400],
      ['an unknown user', await invite(roomId, member(roomId, { target: `@nobody:${one.name}` })), 404],
      ['in another server’s user’s name', await invite(roomId, member(roomId, { sender: `@x:${other.name}` })), 400],
      ['passed on by another server', await invite(roomId, good, { by: other }), 400],
      ['signed by another server', await invite(roomId, member(roomId, { by: other })), 400],
    ];
    for (const [what, { status, bytes }, wanted] of answers) assert.equal(status, wanted, `${what}: ${bytes}`);
    assert.equal((await invites())[roomId], undefined);
  });

  it('is answered in the old form on the old path', async () => {
    const roomId = room();
    const event = peer.make(
      {
        eventId: parseEventId(`$old:${peer.name}`) ?? assert.fail(),
        type: 'm.room.member',
        roomId: parseRoomId(roomId) ?? assert.fail(),
        sender: parseUserId(`@mallory:${peer.name}`) ?? assert.fail(),
        stateKey: alice.userId,
        content: { membership: 'invite' },
        originServerTs: Date.now(),
        depth: 9,
        prevEvents: [],
        authEvents: [],
      },
      '1',
    );
    const topic = { type: 'm.room.topic', state_key: '', sender: event.sender, content: { topic: 'Of old' } };
    const target = `/_matrix/federation/v1/invite/${e(roomId)}/${e(event.eventId)}`;
    const { status, body, bytes } = await peer.request('PUT', target, {
      ...event.pdu,
      unsigned: { invite_room_state: [topic] },
    });
    assert.equal(status, 200, bytes.toString());
    assert.equal(body[0], 200);
    const [one] = net.servers;
    assert.deepEqual(new Set(Object.keys(body[1].event.signatures)), new Set([peer.name, one.name]));
    const shown = (await invites())[roomId]?.invite_state.events ?? [];
    assert.deepEqual(new Set(shown.map(({ type }) => type)), new Set(['m.room.topic', 'm.room.member']));
  });

  it('is taken back by the server that sent it, and by nobody else', async () => {
    const roomId = room();
    assert.equal((await invite(roomId, member(roomId))).status, 200);
    const byOther = member(roomId, { membership: 'leave', sender: `@x:${other.name}`, by: other });
    const forged = member(roomId, { membership: 'leave', by: other });
    assert.equal((await other.send('take', [byOther.pdu, forged.pdu])).status, 200);
    assert(roomId in (await invites()));
    const back = member(roomId, { membership: 'leave' });
    assert.equal((await peer.send('back', [back.pdu])).status, 200);
    await eventually(invites, (all) => !(roomId in all));
  });
});
