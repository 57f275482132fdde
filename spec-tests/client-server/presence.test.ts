import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestServer } from '../../src/testing/test-server.ts';
import type { TestUser } from '../../src/testing/test-user.ts';
import { createRoom, eventually, join, V3 } from './helpers.ts';

interface PresenceEvent {
  readonly sender: string;
  readonly type: string;
  readonly content: { readonly presence: string; readonly status_msg?: string; readonly last_active_ago?: number };
}

describe('presence', () => {
  let hs: TestServer;
  let alice: TestUser;
  let bob: TestUser;
  let carol: TestUser;
  let now = 1_800_000_000_000;
  const started = performance.now();
  before(async () => {
    // Real time goes on; the tests add to it.
    const clock = { now: () => Math.round(now + performance.now() - started) };
    hs = await TestServer.start({ inProcess: true, clock });
    alice = await hs.register('alice');
    bob = await hs.register('bob');
    carol = await hs.register('carol');
    await join(bob, await createRoom(alice));
  });
  after(() => hs[Symbol.asyncDispose]());

  const status = (user: TestUser, of: TestUser) => user.request('GET', `${V3}/presence/${of.userId}/status`);
  const sync = async (user: TestUser, query = '') => (await user.request('GET', `${V3}/sync?${query}`)).body;

  it('is online for who syncs, and to nobody who shares no room', async () => {
    assert.equal((await status(alice, bob)).body.presence, 'offline');
    await sync(bob);
    const { body } = await status(alice, bob);
    assert.equal(body.presence, 'online');
    assert.equal(body.currently_active, true);
    assert.ok(body.last_active_ago < 5_000);
    assert.equal((await status(carol, bob)).body.errcode, 'M_FORBIDDEN');
  });

  it('is hidden by a sync that asks for it', async () => {
    await sync(carol, 'set_presence=offline');
    assert.equal((await status(carol, carol)).body.presence, 'offline');
  });

  it('comes to those who wait for news, once for each change', async () => {
    const { next_batch: since } = await sync(alice);
    const waiting = sync(alice, `since=${since}&timeout=10000`);
    await bob.request('PUT', `${V3}/presence/${bob.userId}/status`, { presence: 'online', status_msg: 'at lunch' });
    let answer = await waiting;
    const seen: PresenceEvent[] = [...(answer.presence?.events ?? [])];
    for (let i = 0; i < 5 && !seen.some((event) => event.content.status_msg === 'at lunch'); i++) {
      answer = await sync(alice, `since=${answer.next_batch}&timeout=2000`);
      seen.push(...(answer.presence?.events ?? []));
    }
    assert.ok(seen.some((event) => event.sender === bob.userId && event.content.status_msg === 'at lunch'));
    const again = await sync(alice, `since=${answer.next_batch}`);
    const repeated = (again.presence?.events ?? []).filter((event: PresenceEvent) => event.sender === bob.userId);
    assert.deepEqual(repeated, []);
  });

  it('of all one knows comes with the first sync, and with the first sync in a room', async () => {
    const initial = await sync(alice);
    assert.ok(initial.presence.events.some((event: PresenceEvent) => event.sender === bob.userId));
    const { next_batch: since } = await sync(carol);
    await join(carol, await createRoom(bob));
    await eventually(async () => {
      const answer = await sync(carol, `since=${since}`);
      assert.ok(answer.presence?.events.some((event: PresenceEvent) => event.sender === bob.userId));
    });
  });

  it('can be left out by a filter', async () => {
    const filter = encodeURIComponent(JSON.stringify({ presence: { not_types: ['*'] } }));
    assert.equal((await sync(alice, `filter=${filter}`)).presence, undefined);
  });

  it('may be busy', async () => {
    await sync(bob);
    const target = `${V3}/presence/${bob.userId}/status`;
    assert.equal((await bob.request('PUT', target, { presence: 'org.matrix.msc3026.busy' })).status, 200);
    assert.equal((await status(alice, bob)).body.presence, 'busy');
    assert.equal((await bob.request('PUT', target, { presence: 'asleep' })).status, 400);
    assert.equal((await alice.request('PUT', target, { presence: 'online' })).status, 403);
    await bob.request('PUT', target, { presence: 'online' });
  });

  it('becomes unavailable after a while of doing nothing, and offline without a sync', async () => {
    const waiting = bob.request('GET', `${V3}/sync?since=${(await sync(bob)).next_batch}&timeout=1500`);
    await sleep(50);
    now += 6 * 60_000;
    assert.equal((await status(alice, bob)).body.presence, 'unavailable');
    await waiting;
    now += 60_000;
    assert.equal((await status(alice, bob)).body.presence, 'offline');
  });
});

describe('presence that is switched off', () => {
  it('tells nothing', async () => {
    await using hs = await TestServer.start({ inProcess: true, config: { presence: { enabled: false } } });
    const alice = await hs.register('alice');
    assert.equal((await alice.request('GET', `${V3}/sync`)).body.presence, undefined);
    assert.equal((await alice.request('GET', `${V3}/presence/${alice.userId}/status`)).status, 404);
    const set = await alice.request('PUT', `${V3}/presence/${alice.userId}/status`, { presence: 'online' });
    assert.equal(set.status, 200);
  });
});
