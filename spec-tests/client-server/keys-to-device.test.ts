/** Messages to devices. Spec: client-server-api/#send-to-device-messaging */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestServer } from '../../src/testing/test-server.ts';
import { TestUser } from '../../src/testing/test-user.ts';
import { KeyMaker } from './key-maker.ts';

const V3 = '/_matrix/client/v3';

describe('messages to devices', () => {
  let server: TestServer;
  let alice: TestUser;
  let bob: TestUser;
  let phone: TestUser;
  let txn = 0;

  before(async () => {
    server = await TestServer.start();
    alice = await server.register('alice');
    bob = await server.register('bob');
    phone = await login('bob');
  });
  after(() => server[Symbol.asyncDispose]());

  const login = async (name: string) => {
    const identifier = { type: 'm.id.user', user: name };
    const body = { type: 'm.login.password', identifier, password: `password-${name}` };
    return TestUser.from(server.client, await server.request('POST', `${V3}/login`, { body }));
  };
  const send = (messages: object, txnId = `t${txn++}`, type = 'm.test') =>
    alice.request('PUT', `${V3}/sendToDevice/${type}/${txnId}`, { messages });
  const sync = async (user: TestUser, since?: string, timeout = 0) => {
    const at = since === undefined ? '' : `&since=${since}`;
    return (await user.request('GET', `${V3}/sync?timeout=${timeout}${at}`)).body;
  };
  const numbers = (answer: { to_device?: { events: { content: { n: number } }[] } }) =>
    (answer.to_device?.events ?? []).map((event) => event.content.n);

  it('come to the device named, and to no other', async () => {
    const [bobAt, phoneAt] = [(await sync(bob)).next_batch, (await sync(phone)).next_batch];
    const waiting = sync(bob, bobAt, 10_000);
    assert.equal((await send({ [bob.userId]: { [bob.deviceId]: { n: 1 } } })).status, 200);
    const { to_device: received } = await waiting;
    assert.deepEqual(received.events, [{ sender: alice.userId, type: 'm.test', content: { n: 1 } }]);
    assert.equal((await sync(phone, phoneAt)).to_device, undefined);
  });

  it('come again until the next token confirms them', async () => {
    const at = (await sync(bob, undefined)).next_batch;
    await send({ [bob.userId]: { [bob.deviceId]: { n: 2 } } });
    const first = await sync(bob, at);
    assert.deepEqual(numbers(first), [2]);
    assert.deepEqual(numbers(await sync(bob, at)), [2]);
    assert.deepEqual(numbers(await sync(bob, first.next_batch)), []);
    assert.deepEqual(numbers(await sync(bob)), [], 'they are deleted');
  });

  it('come to each of two requests of one device, and stay until a token that has them', async () => {
    const at = (await sync(bob)).next_batch;
    const waiting = [sync(bob, at, 10_000), sync(bob, at, 10_000)];
    await send({ [bob.userId]: { [bob.deviceId]: { n: 20 } } });
    const [one, two] = await Promise.all(waiting);
    assert.deepEqual([numbers(one), numbers(two)], [[20], [20]]);
    await send({ [bob.userId]: { [bob.deviceId]: { n: 21 } } });
    const later = await sync(bob, one.next_batch);
    assert.deepEqual([numbers(later), numbers(await sync(bob, two.next_batch))], [[21], [21]]);
    assert.deepEqual(numbers(await sync(bob, later.next_batch)), []);
    await send({ [bob.userId]: { [bob.deviceId]: { n: 22 } } });
    assert.deepEqual(numbers(await sync(bob, two.next_batch)), [22]);
  });

  it('come once each and in order to who asks again and again, however short the waits', async () => {
    const [count, waitMsMax] = [150, 12];
    let at = (await sync(bob)).next_batch;
    const received: number[] = [];
    const sending = (async () => {
      for (let n = 0; n < count; n++) {
        const noise =
          n % 3 === 0 ? alice.request('PUT', `${V3}/devices/${alice.deviceId}`, { display_name: `${n}` }) : undefined;
        await Promise.all([send({ [bob.userId]: { [bob.deviceId]: { n } } }), noise]);
        await sleep(n % 4);
      }
    })();
    for (let turn = 0; received.length < count && turn < 5_000; turn++) {
      const answer = await sync(bob, at, turn % waitMsMax);
      at = answer.next_batch;
      received.push(...numbers(answer));
    }
    await sending;
    assert.deepEqual(received, [...Array(count).keys()]);
  });

  it('come to all devices of a user with *', async () => {
    const [bobAt, phoneAt] = [(await sync(bob)).next_batch, (await sync(phone)).next_batch];
    await send({ [bob.userId]: { '*': { n: 3 }, [phone.deviceId]: { n: 4 } } });
    assert.deepEqual(numbers(await sync(bob, bobAt)), [3]);
    assert.deepEqual(numbers(await sync(phone, phoneAt)), [4]);
  });

  it('are sent once however often the request is repeated, also over a crash', async () => {
    const at = (await sync(bob)).next_batch;
    const message = { [bob.userId]: { [bob.deviceId]: { n: 5 } } };
    await send(message, 'same');
    await send(message, 'same');
    await server.kill();
    await server.restart();
    await send(message, 'same');
    await send(message, 'same', 'm.other');
    assert.deepEqual(numbers(await sync(bob, at)), [5, 5]);
  });

  it('come in order, a hundred at a time', async () => {
    let at = (await sync(bob)).next_batch;
    for (let n = 0; n < 230; n += 10) {
      await Promise.all(Array.from({ length: 10 }, (_, k) => send({ [bob.userId]: { [bob.deviceId]: { n: n + k } } })));
    }
    const got: number[][] = [];
    for (let page = 0; page < 4; page++) {
      const answer = await sync(bob, at);
      got.push(numbers(answer));
      at = answer.next_batch;
    }
    assert.deepEqual(
      got.map((page) => page.length),
      [100, 100, 30, 0],
    );
    const tens = got.flat().map((n) => Math.floor(n / 10));
    assert.deepEqual(
      tens,
      tens.toSorted((a, b) => a - b),
    );
    assert.equal(new Set(got.flat()).size, 230);
  });

  it('are not lost after a restart at which none waited', async () => {
    const at = (await sync(bob)).next_batch;
    const before = await sync(bob, at);
    await server.kill();
    await server.restart();
    await send({ [bob.userId]: { [bob.deviceId]: { n: 7 } } });
    assert.deepEqual(numbers(await sync(bob, before.next_batch)), [7]);
  });

  it('survive a crash before they were fetched', async () => {
    const at = (await sync(phone)).next_batch;
    await send({ [bob.userId]: { [phone.deviceId]: { n: 8 } } });
    await server.kill();
    await server.restart();
    const answer = await sync(phone, at);
    assert.deepEqual(numbers(answer), [8]);
    assert.deepEqual(numbers(await sync(phone, answer.next_batch)), []);
  });

  it('to devices and users that do not exist are passed over', async () => {
    const messages = {
      [bob.userId]: { NONE: { n: 9 } },
      '@nobody:example.org': { '*': { n: 9 } },
      '@x:elsewhere.example': { Y: { n: 9 } },
    };
    assert.equal((await send(messages)).status, 200);
    assert.equal((await send({ nonsense: {} })).body.errcode, 'M_INVALID_PARAM');
    assert.equal((await send({ [bob.userId]: 3 })).body.errcode, 'M_BAD_JSON');
  });

  it('go to a dehydrated device until it is deleted', async () => {
    const PATH = '/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device';
    assert.equal((await bob.request('GET', PATH)).body.errcode, 'M_NOT_FOUND');
    const keys = new KeyMaker({ userId: bob.userId, deviceId: 'ASLEEP' });
    const device = {
      device_id: 'ASLEEP',
      device_data: { algorithm: 'x', device_pickle: 'y' },
      initial_device_display_name: 'Asleep',
      device_keys: keys.deviceKeys({ dehydrated: true }),
      one_time_keys: keys.oneTimeKeys(2),
      fallback_keys: keys.fallbackKey(),
    };
    assert.deepEqual((await bob.request('PUT', PATH, device)).body, { device_id: 'ASLEEP' });
    assert.deepEqual((await bob.request('GET', PATH)).body, { device_id: 'ASLEEP', device_data: device.device_data });
    for (let n = 0; n < 150; n++) await send({ [bob.userId]: { ASLEEP: { n } } });
    const page = (await bob.request('GET', `${PATH}/ASLEEP/events`)).body;
    assert.equal(page.events.length, 100);
    const rest = (await bob.request('GET', `${PATH}/ASLEEP/events?from=${page.next_batch}`)).body;
    assert.equal(rest.events.length, 50);
    assert.equal(rest.next_batch, undefined);
    const old = (await bob.request('POST', `${PATH}/ASLEEP/events`, { next_batch: page.next_batch })).body;
    assert.deepEqual(old.events, rest.events);
    const end = (await bob.request('POST', `${PATH}/ASLEEP/events`, { next_batch: old.next_batch })).body;
    assert.deepEqual(end.events, []);
    assert.equal((await bob.request('GET', `${PATH}/${bob.deviceId}/events`)).body.errcode, 'M_FORBIDDEN');
    const second = new KeyMaker({ userId: bob.userId, deviceId: 'ASLEEP2' });
    await bob.request('PUT', PATH, { ...device, device_id: 'ASLEEP2', device_keys: second.deviceKeys() });
    const listed = (await bob.request('GET', `${V3}/devices`)).body.devices.map(
      (one: { device_id: string }) => one.device_id,
    );
    assert.ok(listed.includes('ASLEEP2') && !listed.includes('ASLEEP'));
    assert.deepEqual((await bob.request('DELETE', PATH)).body, { device_id: 'ASLEEP2' });
    assert.equal((await bob.request('GET', PATH)).status, 404);
  });
});
