/** Two servers talk: joining, inviting, messages, leaving. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { network } from '../../src/testing/network.ts';
import * as rooms from '../../src/testing/room-client.ts';
import type { TestUser } from '../../src/testing/test-user.ts';

const { eventually, membership, send, texts } = rooms;

describe('two servers', () => {
  let net: Awaited<ReturnType<typeof startNetwork>>;
  let alice: TestUser;
  let bob: TestUser;
  let names: readonly [string, string];

  const startNetwork = () => network(2, { inProcess: true });

  before(async () => {
    net = await startNetwork();
    const [one, two] = net.servers;
    names = [one.name, two.name];
    alice = await one.server.register('alice');
    bob = await two.server.register('bob');
  });

  after(() => net[Symbol.asyncDispose]());

  const createRoom = (options: object = {}) => rooms.createRoom(alice, options);
  const joinAsBob = (room: string) => rooms.join(bob, room, names[0]);

  for (const version of ['1', '2', '3', '5', '6', '9', '10', '11', '12']) {
    it(`lets a user join a room of version ${version} and talk in both directions`, async () => {
      const roomId = await createRoom({ room_version: version });
      await send(alice, roomId, 'before');
      await joinAsBob(roomId);
      await eventually(
        () => membership(alice, roomId, bob.userId),
        (is) => is === 'join',
      );
      await send(alice, roomId, 'from alice');
      await eventually(
        () => texts(bob, roomId),
        (all) => all.includes('from alice'),
      );
      await send(bob, roomId, 'from bob');
      await eventually(
        () => texts(alice, roomId),
        (all) => all.includes('from bob'),
      );
    });
  }

  it('resolves an alias of the other server', async () => {
    const roomId = await createRoom({ room_alias_name: 'hall' });
    await joinAsBob(`#hall:${names[0]}`);
    assert.equal(await membership(bob, roomId, bob.userId), 'join');
  });

  it('invites a user of the other server, who sees the name of the room and joins', async () => {
    const roomId = await createRoom({ preset: 'private_chat', name: 'Den', invite: [bob.userId] });
    const sync = await bob.request('GET', '/_matrix/client/v3/sync');
    const state: { type: string; content: { name?: string } }[] = sync.body.rooms.invite[roomId].invite_state.events;
    assert.equal(state.find(({ type }) => type === 'm.room.name')?.content.name, 'Den');
    await joinAsBob(roomId);
    await eventually(
      () => membership(alice, roomId, bob.userId),
      (is) => is === 'join',
    );
  });

  it('takes a refusal of an invite to the other server', async () => {
    const roomId = await createRoom({ preset: 'private_chat', invite: [bob.userId] });
    assert.equal(await membership(alice, roomId, bob.userId), 'invite');
    const left = await bob.request('POST', `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/leave`, {});
    assert.equal(left.status, 200, left.bytes.toString());
    await eventually(
      () => membership(alice, roomId, bob.userId),
      (is) => is === 'leave',
    );
  });

  it('refuses a join that the rules forbid', async () => {
    const roomId = await createRoom({ preset: 'private_chat' });
    const target = `/_matrix/client/v3/join/${encodeURIComponent(roomId)}?via=${encodeURIComponent(names[0])}`;
    const joined = await bob.request('POST', target, {});
    assert.equal(joined.status, 403, joined.bytes.toString());
    assert.equal(joined.body.errcode, 'M_FORBIDDEN');
  });

  it('tells a kicked user of the other server', async () => {
    const roomId = await createRoom();
    await joinAsBob(roomId);
    await eventually(
      () => membership(alice, roomId, bob.userId),
      (is) => is === 'join',
    );
    await alice.request('POST', `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/kick`, { user_id: bob.userId });
    await eventually(
      () => rooms.joinedRooms(bob),
      (all) => !all.includes(roomId),
    );
  });

  it('fetches the history of a room as somebody pages back to it', async () => {
    const roomId = await createRoom();
    const sent: string[] = [];
    for (let index = 0; index < 130; index++) {
      sent.push(`old ${index}`);
      await send(alice, roomId, `old ${index}`);
    }
    await joinAsBob(roomId);
    const seen: string[] = [];
    let from = '';
    for (let pages = 0; pages < 20; pages++) {
      const target = `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/messages?dir=b&limit=30${from}`;
      const page = await bob.request('GET', target);
      assert.equal(page.status, 200, page.bytes.toString());
      for (const event of page.body.chunk) if (event.content.body !== undefined) seen.push(event.content.body);
      if (page.body.end === undefined) break;
      from = `&from=${encodeURIComponent(page.body.end)}`;
    }
    assert.deepEqual(seen.reverse(), sent);
  });

  it('shows what was redacted before or after a join as redacted when the history is fetched', async () => {
    const roomId = await createRoom();
    const redacted: string[] = [];
    const redact = async (eventId: string) => {
      const target = `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/redact/${encodeURIComponent(eventId)}/t`;
      const answer = await alice.request('PUT', target, {});
      assert.equal(answer.status, 200, answer.bytes.toString());
      redacted.push(eventId);
    };
    const before = await send(alice, roomId, 'said too much');
    const after = await send(alice, roomId, 'again');
    await redact(before);
    for (let index = 0; index < 20; index++) await send(alice, roomId, `later ${index}`);
    await joinAsBob(roomId);
    await redact(after);
    await send(alice, roomId, 'news');
    await eventually(
      () => texts(bob, roomId),
      (all) => all.includes('news'),
    );
    const shown = await eventually(
      async () => {
        const page = await bob.request(
          'GET',
          `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/messages?dir=b&limit=100`,
        );
        const events: { event_id: string; content: object; unsigned?: { redacted_because?: object } }[] =
          page.body.chunk;
        return events.filter(({ event_id }) => redacted.includes(event_id));
      },
      (events) => events.length === 2,
    );
    for (const { content, unsigned } of shown) {
      assert.deepEqual(content, {});
      assert.notEqual(unsigned?.redacted_because, undefined);
    }
  });

  it('brings both servers to the same state after they wrote at the same time', async () => {
    const roomId = await createRoom({ room_version: '11' });
    await joinAsBob(roomId);
    await eventually(
      () => membership(alice, roomId, bob.userId),
      (is) => is === 'join',
    );
    const all: string[] = [];
    const work: Promise<string>[] = [];
    for (let index = 0; index < 40; index++) {
      for (const [name, user] of [
        ['a', alice],
        ['b', bob],
      ] as const) {
        const body = `${name}${index}`;
        all.push(body);
        work.push(send(user, roomId, body));
      }
    }
    await Promise.all(work);
    for (const user of [alice, bob]) {
      await eventually(
        () => texts(user, roomId),
        (seen) => all.every((body) => seen.includes(body)),
      );
    }
  });
});
