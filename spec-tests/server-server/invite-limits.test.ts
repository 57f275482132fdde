/** Floods of invites and joins: how many get through. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Network, network } from '../../src/testing/network.ts';
import type { TestServer } from '../../src/testing/test-server.ts';
import type { TestUser } from '../../src/testing/test-user.ts';
import { V3 } from '../client-server/helpers.ts';

const e = encodeURIComponent;
const MUCH = { per_second: 10_000, burst: 100_000 };

describe('limits of invites and joins', () => {
  let net: Network;
  let one: TestServer;
  let two: TestServer;
  let name: string;
  let root: TestUser;

  before(async () => {
    // Only what is looked at is narrow; `invite_server` has its default.
    const narrow = { per_second: 0.01, burst: 3 };
    const wide = {
      room_creation: MUCH,
      registration: MUCH,
      login: MUCH,
      generic: MUCH,
      message: MUCH,
      federation: MUCH,
    };
    net = await network(2, {
      inProcess: true,
      config: {
        rate_limits: {
          enabled: true,
          ...wide,
          invite: { per_second: 1, burst: 30 },
          invite_received: narrow,
          join: MUCH,
          join_remote: narrow,
          join_room: { per_second: 0.01, burst: 4 },
        },
      },
    });
    const [first, second] = net.servers;
    assert(first !== undefined && second !== undefined);
    one = first.server;
    two = second.server;
    name = first.name;
    root = await one.register('root', { admin: true });
  });
  after(() => net[Symbol.asyncDispose]());

  async function createRoom(user: TestUser, options: object = {}): Promise<string> {
    const created = await user.request('POST', `${V3}/createRoom`, { preset: 'public_chat', ...options });
    assert.equal(created.status, 200, created.bytes.toString());
    return created.body.room_id;
  }

  it('hold a thousand invites of another server after the tenth', async () => {
    const spammer = await one.register('spammer');
    const lifted = await root.request('POST', `/_synapse/admin/v1/users/${e(spammer.userId)}/override_ratelimit`, {});
    assert.equal(lifted.status, 200);
    const room = await createRoom(spammer);
    const victims = await Promise.all([...Array(20).keys()].map((index) => two.register(`victim${index}`)));
    let came = 0;
    const refusals = new Set<string>();
    for (let turn = 0; turn < 50; turn++) {
      const user_id = victims[turn % victims.length]?.userId;
      const sent = await spammer.request('POST', `${V3}/rooms/${e(room)}/invite`, { user_id });
      if (sent.status === 200) came++;
      else refusals.add(`${sent.status} ${sent.body.errcode}`);
    }
    const invited = await Promise.all(
      victims.map(async (victim) => {
        const sync = await victim.request('GET', `${V3}/sync`);
        return Object.keys(sync.body.rooms?.invite ?? {}).length;
      }),
    );
    const total = invited.reduce((sum, count) => sum + count, 0);
    // One more may fill up in the seconds that this takes.
    assert.ok(total >= 10 && total <= 12, `${total} invites came`);
    assert.ok(came >= total);
    assert.deepEqual([...refusals], ['429 M_LIMIT_EXCEEDED']);
  });

  it('hold the invites of one user, though many send them, and however they are sent', async () => {
    const target = await one.register('popular');
    const statuses: number[] = [];
    for (let turn = 0; turn < 5; turn++) {
      const inviter = await one.register(`inviter${turn}`);
      const room = await createRoom(inviter);
      const state = `${V3}/rooms/${e(room)}/state/m.room.member/${e(target.userId)}`;
      const sent =
        turn % 2 === 0
          ? await inviter.request('POST', `${V3}/rooms/${e(room)}/invite`, { user_id: target.userId })
          : await inviter.request('PUT', state, { membership: 'invite' });
      statuses.push(sent.status);
    }
    assert.deepEqual(statuses, [200, 200, 200, 429, 429]);
    const creator = await one.register('creator');
    const created = await creator.request('POST', `${V3}/createRoom`, { invite: [target.userId] });
    assert.deepEqual([created.status, created.body.errcode], [429, 'M_LIMIT_EXCEEDED']);
    assert.ok(created.body.retry_after_ms > 0);
  });

  it('let a new room have many members at once, but not one such room after the other', async () => {
    const host = await one.register('host');
    const guests = await Promise.all([...Array(32).keys()].map((index) => one.register(`guest${index}`)));
    const invite = guests.map(({ userId }) => userId);
    await createRoom(host, { invite });
    const second = await host.request('POST', `${V3}/createRoom`, { invite });
    assert.equal(second.status, 429);
  });

  it('hold a flood of joins into one room, also through other servers', async () => {
    const owner = await one.register('owner');
    const room = await createRoom(owner);
    const statuses: number[] = [];
    for (let turn = 0; turn < 5; turn++) {
      const joiner = await one.register(`joiner${turn}`);
      statuses.push((await joiner.request('POST', `${V3}/join/${e(room)}`, {})).status);
    }
    assert.deepEqual(statuses, [200, 200, 200, 200, 429]);
    const far = await two.register('far');
    const remote = await far.request('POST', `${V3}/join/${e(room)}?via=${name}`, {});
    assert.notEqual(remote.status, 200);
  });
});
