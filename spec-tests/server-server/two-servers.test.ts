/** Two servers talk: joining, inviting, messages, leaving. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Network, network } from '../../src/testing/network.ts';
import type { TestUser } from '../../src/testing/test-user.ts';

const WAIT_MS = 10_000;

describe('two servers', () => {
  let net: Network;
  let alice: TestUser;
  let bob: TestUser;
  let names: readonly [string, string];

  before(async () => {
    net = await network(2, { inProcess: true });
    const [one, two] = net.servers;
    assert(one !== undefined && two !== undefined);
    names = [one.name, two.name];
    alice = await one.server.register('alice');
    bob = await two.server.register('bob');
  });

  after(() => net[Symbol.asyncDispose]());

  async function createRoom(options: object = {}): Promise<string> {
    const created = await alice.request('POST', '/_matrix/client/v3/createRoom', { preset: 'public_chat', ...options });
    assert.equal(created.status, 200, created.bytes.toString());
    return created.body.room_id;
  }

  async function joinAsBob(room: string): Promise<void> {
    const target = `/_matrix/client/v3/join/${encodeURIComponent(room)}?via=${encodeURIComponent(names[0])}`;
    const joined = await bob.request('POST', target, {});
    assert.equal(joined.status, 200, joined.bytes.toString());
  }

  async function send(user: TestUser, roomId: string, body: string): Promise<string> {
    const target = `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/send/m.room.message/${encodeURIComponent(body)}`;
    const sent = await user.request('PUT', target, { msgtype: 'm.text', body });
    assert.equal(sent.status, 200, sent.bytes.toString());
    return sent.body.event_id;
  }

  async function bodies(user: TestUser, roomId: string): Promise<readonly string[]> {
    const page = await user.request(
      'GET',
      `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/messages?dir=b&limit=100`,
    );
    const events: { content: { body?: string } }[] = page.body.chunk ?? [];
    return events.flatMap((event) => event.content.body ?? []).reverse();
  }

  async function eventually<T>(look: () => Promise<T>, isRight: (value: T) => boolean): Promise<T> {
    const until = performance.now() + WAIT_MS;
    for (;;) {
      const value = await look();
      if (isRight(value)) return value;
      if (performance.now() > until) assert.fail(`not in time: ${JSON.stringify(value)}`);
      await sleep(30);
    }
  }

  async function membership(viewer: TestUser, roomId: string, userId: string): Promise<string | undefined> {
    const target = `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/state/m.room.member/${encodeURIComponent(userId)}`;
    return (await viewer.request('GET', target)).body?.membership;
  }

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
        () => bodies(bob, roomId),
        (all) => all.includes('from alice'),
      );
      await send(bob, roomId, 'from bob');
      await eventually(
        () => bodies(alice, roomId),
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
    const rooms = async () =>
      (await bob.request('GET', '/_matrix/client/v3/joined_rooms')).body.joined_rooms as string[];
    await eventually(rooms, (all) => !all.includes(roomId));
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
        () => bodies(user, roomId),
        (seen) => all.every((body) => seen.includes(body)),
      );
    }
  });
});
