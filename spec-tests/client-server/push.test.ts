import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { after, before, describe, it } from 'node:test';
import { TestServer } from '../../src/testing/test-server.ts';
import type { TestUser } from '../../src/testing/test-user.ts';
import { createRoom, eventually, join, say, send, V3 } from './helpers.ts';

interface Notification {
  readonly event_id?: string;
  readonly room_id?: string;
  readonly content?: { readonly body?: string };
  readonly sender_display_name?: string;
  readonly room_name?: string;
  readonly counts: { readonly unread?: number };
  readonly devices: readonly { readonly pushkey: string; readonly data: object; readonly tweaks?: object }[];
}

/** A push gateway that remembers what it was told. */
class Gateway implements AsyncDisposable {
  readonly received: Notification[] = [];
  rejected: string[] = [];
  failures = 0;
  readonly #server: Server;

  constructor() {
    this.#server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      if (this.failures > 0) {
        this.failures--;
        response.writeHead(502).end();
        return;
      }
      this.received.push(JSON.parse(Buffer.concat(chunks).toString()).notification);
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ rejected: this.rejected }));
    }).listen(0, '127.0.0.1');
  }

  async url(): Promise<string> {
    if (!this.#server.listening) await once(this.#server, 'listening');
    const address = this.#server.address();
    assert.ok(typeof address === 'object' && address !== null);
    return `http://127.0.0.1:${address.port}/_matrix/push/v1/notify`;
  }

  of(pushkey: string): readonly Notification[] {
    return this.received.filter(({ devices }) => devices.some((device) => device.pushkey === pushkey));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

describe('pushers', () => {
  let hs: TestServer;
  let gateway: Gateway;
  let alice: TestUser;
  let bob: TestUser;
  let roomId: string;
  before(async () => {
    gateway = new Gateway();
    hs = await TestServer.start({ inProcess: true, config: { push: { private_gateways: true } } });
    alice = await hs.register('alice');
    bob = await hs.register('bob');
    roomId = await createRoom(alice, { name: 'Push room' });
    await join(bob, roomId);
  });
  after(async () => {
    await hs[Symbol.asyncDispose]();
    await gateway[Symbol.asyncDispose]();
  });

  async function setPusher(user: TestUser, pushkey: string, more: object = {}, data: object = {}) {
    const url = await gateway.url();
    const names = { app_id: 'org.example.app', app_display_name: 'App', device_display_name: 'Phone', lang: 'en' };
    const pusher = { ...names, kind: 'http', pushkey, data: { url, ...data }, ...more };
    return user.request('POST', `${V3}/pushers/set`, pusher);
  }
  const pushersOf = async (user: TestUser) => (await user.request('GET', `${V3}/pushers`)).body.pushers;

  it('get each message of others with its content and the number of unread ones', async () => {
    assert.equal((await setPusher(bob, 'full', {}, { brand: 'x' })).status, 200);
    await say(bob, roomId, 'my own');
    const first = await say(alice, roomId, 'hello');
    await eventually(async () => assert.equal(gateway.of('full').at(-1)?.event_id, first));
    const notification = gateway.of('full').at(-1);
    assert.equal(notification?.room_id, roomId);
    assert.equal(notification?.content?.body, 'hello');
    assert.equal(notification?.sender_display_name, 'alice');
    assert.equal(notification?.room_name, 'Push room');
    assert.deepEqual(notification?.devices[0]?.data, { brand: 'x' });
    assert.deepEqual(notification?.counts, { unread: 1 });
    await say(alice, roomId, 'again');
    await eventually(async () => assert.equal(gateway.of('full').at(-1)?.counts.unread, 2));
    assert.ok(!gateway.of('full').some((one) => one.content?.body === 'my own'));
  });

  it('get only ids where they ask for it, and tweaks with a mention', async () => {
    await setPusher(bob, 'ids', {}, { format: 'event_id_only' });
    const content = { msgtype: 'm.text', body: 'bob!', 'm.mentions': { user_ids: [bob.userId] } };
    const eventId = await send(alice, roomId, 'm.room.message', content);
    await eventually(async () => assert.equal(gateway.of('ids').at(-1)?.event_id, eventId));
    const notification = gateway.of('ids').at(-1);
    assert.equal(notification?.content, undefined);
    assert.ok(JSON.stringify(notification?.devices[0]?.tweaks).includes('highlight'));
  });

  it('get the new count when the user reads', async () => {
    const eventId = await say(alice, roomId, 'read me');
    await eventually(async () => assert.equal(gateway.of('full').at(-1)?.event_id, eventId));
    const receipt = `${V3}/rooms/${encodeURIComponent(roomId)}/receipt/m.read/${encodeURIComponent(eventId)}`;
    await bob.request('POST', receipt, {});
    await eventually(async () => {
      const last = gateway.of('full').at(-1);
      assert.equal(last?.event_id, undefined);
      assert.deepEqual(last?.counts, {});
    });
  });

  it('get invites', async () => {
    const invited = await createRoom(alice, { preset: 'private_chat', invite: [bob.userId] });
    await eventually(async () => assert.ok(gateway.of('full').some((one) => one.room_id === invited)));
  });

  it('get everything after the gateway failed, once, in order', async () => {
    gateway.failures = 2;
    const first = await say(alice, roomId, 'first');
    await eventually(async () => assert.ok(gateway.failures < 2));
    const second = await say(alice, roomId, 'second');
    await say(alice, roomId, 'third');
    await eventually(async () => assert.equal(gateway.of('full').at(-1)?.content?.body, 'third'), 400);
    const ids = gateway.of('full').map((one) => one.event_id);
    assert.ok(ids.indexOf(first) >= 0 && ids.indexOf(first) < ids.indexOf(second));
    assert.equal(ids.filter((id) => id === second).length, 1);
  });

  it('can be switched off, and go with a key that the gateway rejects', async () => {
    await setPusher(bob, 'ids', { enabled: false });
    const before = gateway.of('ids').length;
    await say(alice, roomId, 'quiet');
    await eventually(async () => assert.equal(gateway.of('full').at(-1)?.content?.body, 'quiet'));
    assert.equal(gateway.of('ids').length, before);
    assert.equal((await pushersOf(bob)).length, 2);
    gateway.rejected = ['full'];
    await say(alice, roomId, 'last');
    await eventually(async () => assert.equal((await pushersOf(bob)).length, 1));
    gateway.rejected = [];
  });

  it('belong to one user, unless they are appended, and to the device that set them', async () => {
    await setPusher(alice, 'shared');
    await setPusher(bob, 'shared', { append: true });
    assert.equal((await pushersOf(alice)).length, 1);
    await setPusher(bob, 'shared');
    assert.equal((await pushersOf(alice)).length, 0);
    await setPusher(bob, 'shared', { kind: null });
    assert.ok(!(await pushersOf(bob)).some((one: { pushkey: string }) => one.pushkey === 'shared'));
    const login = {
      type: 'm.login.password',
      identifier: { type: 'm.id.user', user: 'alice' },
      password: 'password-alice',
    };
    const { body } = await hs.request('POST', `${V3}/login`, { body: login });
    const names = { app_id: 'a', app_display_name: 'A', device_display_name: 'B', lang: 'en', kind: 'http' };
    const pusher = { ...names, pushkey: 'second', data: { url: await gateway.url() } };
    await hs.request('POST', `${V3}/pushers/set`, { token: body.access_token, body: pusher });
    assert.equal((await pushersOf(alice)).length, 1);
    await hs.request('POST', `${V3}/logout`, { token: body.access_token });
    assert.equal((await pushersOf(alice)).length, 0);
  });

  it('are refused where something is missing or wrong', async () => {
    assert.equal((await setPusher(bob, 'x', { lang: undefined })).body.errcode, 'M_MISSING_PARAM');
    assert.equal((await setPusher(bob, 'x', { kind: 'pigeon' })).body.errcode, 'M_INVALID_PARAM');
    assert.equal((await setPusher(bob, 'x', { kind: 'email' })).body.errcode, 'M_THREEPID_MEDIUM_NOT_SUPPORTED');
    assert.equal((await setPusher(bob, 'x', { data: {} })).body.errcode, 'M_MISSING_PARAM');
    assert.equal((await setPusher(bob, 'x', { data: { url: 'http://h/other' } })).body.errcode, 'M_INVALID_PARAM');
    assert.equal((await setPusher(bob, 'x'.repeat(600))).body.errcode, 'M_INVALID_PARAM');
  });
});

describe('push gateways of strangers', () => {
  it('must be public and use TLS', async () => {
    await using hs = await TestServer.start({ inProcess: true });
    const alice = await hs.register('alice');
    const names = {
      app_id: 'a',
      app_display_name: 'A',
      device_display_name: 'B',
      lang: 'en',
      kind: 'http',
      pushkey: 'k',
    };
    for (const url of [
      'http://gateway.example.org/_matrix/push/v1/notify',
      'https://127.0.0.1/_matrix/push/v1/notify',
      'https://[::1]/_matrix/push/v1/notify',
      'https://10.0.0.1/_matrix/push/v1/notify',
      'https://[::ffff:192.168.1.1]/_matrix/push/v1/notify',
      'https://169.254.169.254/_matrix/push/v1/notify',
    ]) {
      const { body } = await alice.request('POST', `${V3}/pushers/set`, { ...names, data: { url } });
      assert.equal(body.errcode, 'M_INVALID_PARAM', url);
    }
    const url = 'https://gateway.example.org/_matrix/push/v1/notify';
    assert.equal((await alice.request('POST', `${V3}/pushers/set`, { ...names, data: { url } })).status, 200);
  });
});

describe('/notifications', () => {
  it('lists what notified, by pages, with what is read and what is highlighted', async () => {
    await using hs = await TestServer.start({ inProcess: true });
    const alice = await hs.register('alice');
    const bob = await hs.register('bob');
    const roomId = await createRoom(alice);
    await join(bob, roomId);
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) ids.push(await say(alice, roomId, `message ${i}`));
    const mention = { msgtype: 'm.text', body: 'bob', 'm.mentions': { user_ids: [bob.userId] } };
    ids.push(await send(alice, roomId, 'm.room.message', mention));
    await say(bob, roomId, 'my own');
    const list = async (query: string) => (await bob.request('GET', `${V3}/notifications?${query}`)).body;
    const first = await list('limit=4');
    const idsOf = (page: { notifications: { event: { event_id: string } }[] }) =>
      page.notifications.map((one) => one.event.event_id);
    assert.deepEqual(idsOf(first), ids.slice(2).reverse());
    assert.equal(first.notifications[0].room_id, roomId);
    assert.equal(first.notifications[0].event.room_id, undefined);
    assert.equal(first.notifications[0].read, false);
    const second = await list(`limit=4&from=${first.next_token}`);
    assert.deepEqual(idsOf(second), ids.slice(0, 2).reverse());
    assert.equal(second.next_token, undefined);
    const highlights = await list('only=highlight');
    assert.deepEqual(idsOf(highlights), [ids[5]]);
    await bob.request('POST', `${V3}/rooms/${encodeURIComponent(roomId)}/receipt/m.read/${ids[5]}`, {});
    assert.ok((await list('')).notifications.every((one: { read: boolean }) => one.read));
    assert.equal((await bob.request('GET', `${V3}/notifications?from=nonsense`)).status, 400);
  });
});
