import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { TestServer } from '../../src/testing/test-server.ts';
import type { TestUser } from '../../src/testing/test-user.ts';
import { createRoom, eventually, newTxn, V1, V3 } from './helpers.ts';

const UNSTABLE = '/_matrix/client/unstable/org.matrix.msc4140';

describe('delayed events', () => {
  let hs: TestServer;
  let alice: TestUser;
  let roomId: string;
  let room: string;
  before(async () => {
    hs = await TestServer.start({ config: { delayed_events: { delay_max: '1h', per_user_max: 20 } } });
    alice = await hs.register('alice');
    roomId = await createRoom(alice);
    room = encodeURIComponent(roomId);
  });
  after(() => hs[Symbol.asyncDispose]());

  async function schedule(delay: number, body: string, more: object = {}, txnId = newTxn()): Promise<string> {
    const target = `${V3}/rooms/${room}/delayed_event/m.room.message/${txnId}`;
    const answer = await alice.request('PUT', target, { delay, content: { msgtype: 'm.text', body }, ...more });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    return answer.body.delay_id;
  }
  const said = async (): Promise<readonly string[]> => {
    const { body } = await alice.request('GET', `${V3}/rooms/${room}/messages?dir=b&limit=50`);
    return body.chunk.map((event: { content: { body?: string } }) => event.content.body);
  };
  const act = (delayId: string, action: string) =>
    hs.request('POST', `${V1}/delayed_events/${delayId}/${action}`, { body: {} });
  const get = async (delayId: string) => (await alice.request('GET', `${V1}/delayed_events/${delayId}`)).body;

  it('are sent when it is time, not before', async () => {
    const started = Date.now();
    const delayId = await schedule(300, 'later');
    assert.ok(!(await said()).includes('later'));
    await eventually(async () => assert.ok((await said()).includes('later')));
    assert.ok(Date.now() - started >= 300);
    await eventually(async () => assert.ok((await get(delayId)).event_id));
  });

  it('are sent at once by anybody who knows the id, and only once', async () => {
    const delayId = await schedule(60_000, 'now then');
    assert.equal((await act(delayId, 'send')).status, 200);
    assert.equal((await act(delayId, 'send')).status, 200);
    assert.equal((await said()).filter((body) => body === 'now then').length, 1);
    assert.equal((await act(delayId, 'cancel')).status, 409);
    assert.equal((await act(delayId, 'restart')).status, 409);
  });

  it('tell their sender, and nobody else, which delayed event they were', async () => {
    const bob = await hs.register('bert');
    await bob.request('POST', `${V3}/join/${room}`, {});
    const message = await schedule(60_000, 'mine');
    const state = await schedule(60_000, 'mine too', { state_key: 'key' });
    for (const delayId of [message, state]) {
      assert.equal((await act(delayId, 'send')).status, 200);
      const target = `${V3}/rooms/${room}/event/${encodeURIComponent((await get(delayId)).event_id)}`;
      const own = (await alice.request('GET', target)).body.unsigned;
      assert.equal(own.delay_id, delayId);
      assert.equal(own['org.matrix.msc4140.delay_id'], delayId);
      assert.equal(own.transaction_id, undefined);
      assert.equal((await bob.request('GET', target)).body.unsigned.delay_id, undefined);
    }
  });

  it('can be cancelled', async () => {
    const delayId = await schedule(200, 'never');
    assert.equal((await act(delayId, 'cancel')).status, 200);
    assert.equal((await act(delayId, 'cancel')).status, 200);
    assert.equal((await act(delayId, 'send')).status, 409);
    await new Promise((resolve) => setTimeout(resolve, 400));
    assert.ok(!(await said()).includes('never'));
    assert.equal((await act('nothing', 'send')).status, 404);
    assert.equal((await act(delayId, 'dance')).status, 400);
  });

  it('are either sent or cancelled, whatever is asked at once', async () => {
    for (let round = 0; round < 12; round++) {
      const delayId = await schedule(60_000, `race ${round}`);
      const actions = round % 2 === 0 ? ['send', 'cancel'] : ['send', 'restart', 'cancel'];
      const statuses = await Promise.all(actions.map(async (action) => (await act(delayId, action)).status));
      const wasCancelled = statuses.at(-1) === 200;
      assert.notEqual(statuses[0] === 200, wasCancelled, `${statuses}`);
      assert.equal((await said()).includes(`race ${round}`), !wasCancelled);
    }
  });

  it('are not sent for who is suspended or locked by then, nor taken from them', async () => {
    const admin = await hs.register('root', { admin: true });
    for (const [what, key] of [
      ['suspend', 'suspended'],
      ['lock', 'locked'],
    ] as const) {
      const user = await hs.register(what);
      await user.request('POST', `${V3}/join/${room}`, {});
      const later = (txnId: string) =>
        user.request('PUT', `${V3}/rooms/${room}/send/m.room.message/${txnId}?org.matrix.msc4140.delay=60000`, {
          msgtype: 'm.text',
          body: `by ${what}`,
        });
      const { delay_id: delayId } = (await later('a')).body;
      const target = `${V1}/admin/${what}/${encodeURIComponent(user.userId)}`;
      assert.equal((await admin.request('PUT', target, { [key]: true })).status, 200);
      assert.equal((await act(delayId, 'send')).status, 403);
      assert.equal((await later('b')).status, key === 'locked' ? 401 : 403);
      assert.ok(!(await said()).includes(`by ${what}`));
    }
  });

  it('are put off by restarts', async () => {
    const delayId = await schedule(600, 'heartbeat');
    for (let i = 0; i < 4; i++) {
      await new Promise((resolve) => setTimeout(resolve, 300));
      assert.equal((await act(delayId, 'restart')).status, 200);
    }
    assert.ok(!(await said()).includes('heartbeat'));
    await eventually(async () => assert.ok((await said()).includes('heartbeat')));
  });

  it('may be state', async () => {
    const target = `${V3}/rooms/${room}/delayed_event/org.example.state/${newTxn()}`;
    const { body } = await alice.request('PUT', target, { delay: 60_000, state_key: 'k', content: { a: 1 } });
    await act(body.delay_id, 'send');
    const state = await alice.request('GET', `${V3}/rooms/${room}/state/org.example.state/k`);
    assert.deepEqual(state.body, { a: 1 });
  });

  it('work in the older ways', async () => {
    const send = `${V3}/rooms/${room}/send/m.room.message/${newTxn()}?org.matrix.msc4140.delay=60000`;
    const first = await alice.request('PUT', send, { msgtype: 'm.text', body: 'by query' });
    assert.equal(first.body.event_id, undefined);
    const manage = `${UNSTABLE}/delayed_events/${first.body.delay_id}`;
    assert.equal((await alice.request('POST', manage, { action: 'restart' })).status, 200);
    assert.equal((await alice.request('POST', manage, { action: 'send' })).status, 200);
    assert.ok((await said()).includes('by query'));
    const state = `${V3}/rooms/${room}/state/org.example.state/q?org.matrix.msc4140.delay=60000`;
    const second = await alice.request('PUT', state, { b: 2 });
    await hs.request('POST', `${UNSTABLE}/delayed_events/${second.body.delay_id}/send`, { body: {} });
    assert.deepEqual((await alice.request('GET', `${V3}/rooms/${room}/state/org.example.state/q`)).body, { b: 2 });
    const third = `${UNSTABLE}/rooms/${room}/delayed_event/m.room.message/${newTxn()}`;
    assert.equal((await alice.request('PUT', third, { delay: 60_000, content: {} })).status, 200);
  });

  it('are the same for the same transaction', async () => {
    const txnId = newTxn();
    assert.equal(await schedule(60_000, 'once', {}, txnId), await schedule(60_000, 'once', {}, txnId));
  });

  it('are listed for their user, by status, kind and time', async () => {
    const bob = await hs.register('bob');
    const { delayed_events: scheduled } = (await alice.request('GET', `${V1}/delayed_events?status=scheduled`)).body;
    assert.ok(scheduled.length >= 2);
    assert.ok(scheduled.every((one: { event_id?: string }) => one.event_id === undefined));
    const { delayed_events: sent } = (await alice.request('GET', `${V1}/delayed_events?outcome=send&reason=action`))
      .body;
    assert.ok(sent.length >= 3 && sent.every((one: { event_id?: string }) => one.event_id !== undefined));
    assert.deepEqual((await bob.request('GET', `${V1}/delayed_events`)).body.delayed_events, []);
    assert.equal((await bob.request('GET', `${V1}/delayed_events/${scheduled[0].delay_id}`)).status, 404);
    assert.equal((await alice.request('GET', `${V1}/delayed_events?status=odd`)).status, 400);
  });

  it('tell why they could not be sent', async () => {
    const bob = await hs.register('bobby');
    const target = `${V3}/rooms/${room}/delayed_event/m.room.message/${newTxn()}`;
    const { body } = await bob.request('PUT', target, { delay: 50, content: {} });
    assert.equal((await act(body.delay_id, 'send')).status, 403);
    await eventually(async () => {
      const { body: found } = await bob.request('GET', `${V1}/delayed_events/${body.delay_id}`);
      assert.equal(found.error?.errcode, 'M_FORBIDDEN');
    });
  });

  it('have limits', async () => {
    const target = () => `${V3}/rooms/${room}/delayed_event/m.room.message/${newTxn()}`;
    const long = await alice.request('PUT', target(), { delay: 7_200_000, content: {} });
    assert.equal(long.body.errcode, 'M_MAX_DELAY_EXCEEDED');
    assert.equal(long.body.max_delay, 3_600_000);
    assert.equal((await alice.request('PUT', target(), { delay: 0, content: {} })).status, 400);
    const carol = await hs.register('carol');
    for (let i = 0; i < 20; i++) await carol.request('PUT', target(), { delay: 600_000, content: {} });
    const refused = await carol.request('PUT', target(), { delay: 600_000, content: {} });
    assert.equal(refused.status, 429);
    assert.ok(Number(refused.headers['retry-after']) > 500);
    const { capabilities } = (await alice.request('GET', `${V3}/capabilities`)).body;
    assert.deepEqual(capabilities['org.matrix.msc4140.delayed_events'], { max_delay_ms: 3_600_000, max_scheduled: 20 });
  });

  it('outlive a crash of the server', async () => {
    const delayId = await schedule(1_500, 'after the crash');
    await hs.kill();
    await hs.restart();
    await eventually(async () => assert.ok((await said()).includes('after the crash')), 400);
    await eventually(async () => assert.ok((await get(delayId)).event_id));
  });
});
