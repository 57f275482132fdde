/** What a single user can keep with us is bounded, and what is refused says so. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ACCOUNT_DATA_CHARS_MAX } from '../../src/accounts/account-data.ts';
import { FILTERS_MAX } from '../../src/accounts/filters.ts';
import { PUSHERS_MAX } from '../../src/delivery/pushers.ts';
import { ALIASES_MAX } from '../../src/rooms/write/aliases.ts';
import type { ClientResponse } from '../../src/testing/http-client.ts';
import { TestServer } from '../../src/testing/test-server.ts';
import type { TestUser } from '../../src/testing/test-user.ts';
import { createRoom, V3 } from './sync-client.ts';

const PIECE_CHARS = 250_000;

describe('what a user keeps with us has a limit', () => {
  let server: TestServer;
  let names = 0;

  before(async () => {
    const config = { presence: { enabled: false } };
    server = await TestServer.start({ inProcess: true, config });
  });
  after(() => server[Symbol.asyncDispose]());

  const newUser = (): Promise<TestUser> => server.register(`user${names++}`);
  const dataOf = (user: TestUser, type: string) => `${V3}/user/${encodeURIComponent(user.userId)}/account_data/${type}`;

  /** Makes request after request, several at a time, until one is refused; returns that and how many were not. */
  async function untilRefused(most: number, ask: (index: number) => Promise<ClientResponse>) {
    let taken = 0;
    for (let index = 0; index < most; index += 10) {
      const answers = await Promise.all(Array.from({ length: 10 }, (_, offset) => ask(index + offset)));
      taken += answers.filter(({ status }) => status === 200).length;
      const refused = answers.find(({ status }) => status !== 200);
      if (refused !== undefined) return { taken, refused };
    }
    throw new Error(`${most} requests, and none was refused`);
  }

  it('in account data, all together; what is there can still be made smaller', async () => {
    const user = await newUser();
    const content = { text: 'x'.repeat(PIECE_CHARS) };
    const { taken, refused } = await untilRefused(80, (i) => user.request('PUT', dataOf(user, `big${i}`), content));
    assert.deepEqual([refused.status, refused.body.errcode], [413, 'M_TOO_LARGE']);
    assert.equal(taken, Math.floor(ACCOUNT_DATA_CHARS_MAX / JSON.stringify(content).length));
    assert.equal((await user.request('PUT', dataOf(user, 'big0'), {})).status, 200);
    assert.equal((await user.request('PUT', dataOf(user, 'another'), content)).status, 200);
    assert.equal((await user.request('PUT', dataOf(user, 'third'), content)).status, 413);
    const answer = await user.request('GET', `${V3}/sync?timeout=0`);
    assert.ok(answer.bytes.length < ACCOUNT_DATA_CHARS_MAX + 100_000);
  });

  it('in the tags of a room', async () => {
    const user = await newUser();
    const roomId = await createRoom(user);
    const tags = `${V3}/user/${encodeURIComponent(user.userId)}/rooms/${encodeURIComponent(roomId)}/tags`;
    const { refused } = await untilRefused(100, (i) =>
      user.request('PUT', `${tags}/u.${i}`, { order: 0.5, note: 'x'.repeat(2_000) }),
    );
    assert.deepEqual([refused.status, refused.body.errcode], [413, 'M_TOO_LARGE']);
    assert.equal((await user.request('DELETE', `${tags}/u.0`)).status, 200);
    assert.equal((await user.request('PUT', `${tags}/u.new`, { order: 0.1 })).status, 200);
  });

  it('in filters, of which the same again is no new one', async () => {
    const user = await newUser();
    const filters = `${V3}/user/${encodeURIComponent(user.userId)}/filter`;
    const filter = (limit: number) => user.request('POST', filters, { room: { timeline: { limit } } });
    const { taken, refused } = await untilRefused(FILTERS_MAX + 50, filter);
    assert.equal(taken, FILTERS_MAX);
    assert.deepEqual([refused.status, refused.body.errcode], [400, 'M_LIMIT_EXCEEDED']);
    assert.deepEqual((await filter(7)).status, 200);
    const large = await user.request('POST', filters, { room: { timeline: { 'x.y': 'x'.repeat(65_536) } } });
    assert.equal(large.status, 413);
  });

  it('in the length of push rules', async () => {
    const user = await newUser();
    const rule = (index: number) => {
      const actions = ['notify', { set_tweak: 'sound', value: 'x'.repeat(30_000) }];
      return user.request('PUT', `${V3}/pushrules/global/override/rule${index}`, { actions, conditions: [] });
    };
    const { refused } = await untilRefused(100, rule);
    assert.deepEqual([refused.status, refused.body.errcode], [400, 'M_LIMIT_EXCEEDED']);
    assert.equal((await user.request('DELETE', `${V3}/pushrules/global/override/rule0`)).status, 200);
  });

  it('in aliases of a room; taking one away makes room', async () => {
    const user = await newUser();
    const roomId = await createRoom(user);
    const path = (index: number) => `${V3}/directory/room/${encodeURIComponent(`#alias${index}:example.org`)}`;
    const { taken, refused } = await untilRefused(ALIASES_MAX + 50, (i) =>
      user.request('PUT', path(i), { room_id: roomId }),
    );
    assert.equal(taken, ALIASES_MAX);
    assert.deepEqual([refused.status, refused.body.errcode], [400, 'M_LIMIT_EXCEEDED']);
    assert.equal((await user.request('DELETE', path(0))).status, 200);
    assert.equal((await user.request('PUT', path(0), { room_id: roomId })).status, 200);
  });

  it('in pushers; a known one can still be set anew', async () => {
    const user = await newUser();
    const pusher = (index: number) =>
      user.request('POST', `${V3}/pushers/set`, {
        app_id: 'x.y',
        pushkey: `key${index}`,
        kind: 'http',
        app_display_name: 'App',
        device_display_name: 'Device',
        lang: 'en',
        data: { url: 'https://push.example.org/_matrix/push/v1/notify' },
        append: true,
      });
    const { taken, refused } = await untilRefused(PUSHERS_MAX + 50, pusher);
    assert.equal(taken, PUSHERS_MAX);
    assert.deepEqual([refused.status, refused.body.errcode], [400, 'M_LIMIT_EXCEEDED']);
    assert.equal((await pusher(0)).status, 200);
  });
});
