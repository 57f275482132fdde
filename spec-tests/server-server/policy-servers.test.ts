/** Policy servers: a real one over TLS, a room with it, and servers that do and don't ask. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, request as forward } from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { generateSigningKey } from '../../src/protocol/crypto/index.ts';
import { eventSignedText, parsePdu } from '../../src/protocol/event/index.ts';
import { isJsonObject } from '../../src/protocol/json/index.ts';
import { roomVersionRules } from '../../src/protocol/room-versions/index.ts';
import { writeCertificates } from '../../src/testing/network.ts';
import { freePort, TestServer } from '../../src/testing/test-server.ts';
import type { TestUser } from '../../src/testing/test-user.ts';
import { eventually, newTxn, V3 } from '../client-server/helpers.ts';

const e = encodeURIComponent;
const VERSION = '11';
const SIGN = '/_matrix/policy/v1/sign';

/** What the policy server does with a request; by default it signs. */
type Behaviour = 'sign' | 'refuse' | 'limit' | 'unauthorized' | 'broken' | 'hang' | 'forge';

describe('policy servers', () => {
  const key = generateSigningKey('policy_server', randomBytes(32));
  const forged = generateSigningKey('policy_server', randomBytes(32));
  let parts: AsyncDisposableStack;
  let one: TestServer;
  let two: TestServer;
  let guardServer: TestServer;
  let names: readonly [one: string, two: string, policy: string];
  let alice: TestUser;
  let bob: TestUser;
  let guard: TestUser;
  let behaviour: Behaviour = 'sign';
  let delayMs = 0;
  let asked: { readonly type: string; readonly body: unknown; readonly origin: string }[] = [];

  before(async () => {
    parts = new AsyncDisposableStack();
    const folder = await mkdtemp(path.join(tmpdir(), 'inglenook-policy-'));
    parts.defer(() => rm(folder, { recursive: true, force: true }));
    const files = await writeCertificates(folder);
    const tls = { key: readFileSync(files.key), cert: readFileSync(files.certificate) };
    const policyPort = await freePort();
    const behindPort = await freePort();
    const start = async (name: string, port: number) =>
      parts.use(
        await TestServer.start({
          inProcess: true,
          listeners: [
            {
              port,
              addresses: ['127.0.0.1'],
              resources: ['federation'],
              tls: true,
              certificate_file: files.certificate,
              key_file: files.key,
            },
          ],
          config: {
            server: { name },
            well_known: name === names[2] ? { policy_server_key: key.publicKey } : {},
            federation: { allow_private_addresses: true, ca_file: files.ca },
          },
        }),
      );
    // The front of the policy server: it signs by itself, and a homeserver behind it does all the rest.
    const front = createServer(tls, (incoming, response) => {
      if (incoming.url === SIGN) {
        void answer(incoming.headers.authorization ?? '', incoming, response);
        return;
      }
      const { url, method, headers } = incoming;
      const onward = forward(
        { host: '127.0.0.1', port: behindPort, path: url, method, headers, rejectUnauthorized: false },
        (reply) => {
          response.writeHead(reply.statusCode ?? 502, reply.headers);
          reply.pipe(response);
        },
      );
      onward.on('error', () => response.destroy());
      incoming.pipe(onward);
    }).listen(policyPort, '127.0.0.1');
    await once(front, 'listening');
    parts.defer(async () => {
      front.closeAllConnections();
      front.close();
    });
    const [onePort, twoPort] = [await freePort(), await freePort()];
    names = [`localhost:${onePort}`, `localhost:${twoPort}`, `localhost:${policyPort}`];
    one = await start(names[0], onePort);
    two = await start(names[1], twoPort);
    guardServer = await start(names[2], behindPort);
    alice = await one.register('alice');
    bob = await two.register('bob');
    guard = await guardServer.register('guard');
  });
  after(() => parts.disposeAsync());
  beforeEach(() => {
    behaviour = 'sign';
    delayMs = 0;
    asked = [];
  });

  async function answer(
    authorization: string,
    incoming: AsyncIterable<Buffer>,
    response: import('node:http').ServerResponse,
  ): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk);
    const body: unknown = JSON.parse(Buffer.concat(chunks).toString());
    const rules = roomVersionRules(VERSION);
    assert.ok(rules !== undefined && isJsonObject(body));
    const event = parsePdu(body, rules);
    asked.push({
      type: event.type,
      body: event.content.body,
      origin: /origin="([^"]+)"/.exec(authorization)?.[1] ?? '',
    });
    if (delayMs > 0) await sleep(delayMs);
    const reply = (status: number, json: object) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(json));
    };
    if (behaviour === 'hang') return;
    if (behaviour === 'broken') return reply(500, { errcode: 'M_UNKNOWN', error: 'oops' });
    if (behaviour === 'unauthorized') return reply(401, { errcode: 'M_UNKNOWN_TOKEN', error: 'go away' });
    if (behaviour === 'limit') return reply(429, { errcode: 'M_LIMIT_EXCEEDED', error: 'slow', retry_after_ms: 1234 });
    if (behaviour === 'refuse' || String(event.content.body).includes('spam')) {
      return reply(400, { errcode: 'M_FORBIDDEN', error: 'The message appears to contain possible spam' });
    }
    const signature = (behaviour === 'forge' ? forged : key).sign(eventSignedText(event.pdu, event.rules));
    return reply(200, { [names[2]]: { 'ed25519:policy_server': signature } });
  }

  async function ok(user: TestUser, method: string, target: string, body?: unknown) {
    const response = await user.request(method, target, body);
    assert.equal(response.status, 200, `${method} ${target}: ${response.bytes.toString()}`);
    return response.body;
  }

  const sendTo = (user: TestUser, roomId: string, body: string) =>
    user.request('PUT', `${V3}/rooms/${e(roomId)}/send/m.room.message/${newTxn()}`, { msgtype: 'm.text', body });

  async function seen(user: TestUser, roomId: string): Promise<readonly string[]> {
    const page = await ok(user, 'GET', `${V3}/rooms/${e(roomId)}/messages?dir=b&limit=100`);
    const events: { content: { body?: string } }[] = page.chunk;
    return events.flatMap((event) => event.content.body ?? []).reverse();
  }

  const setPolicy = (user: TestUser, roomId: string, content: object) =>
    ok(user, 'PUT', `${V3}/rooms/${e(roomId)}/state/m.room.policy/`, content);
  const policy = () => ({ via: names[2], public_keys: { ed25519: key.publicKey } });

  /** A room of all three servers, protected by the policy server. */
  async function guardedRoom(): Promise<string> {
    const options = { preset: 'public_chat', room_version: VERSION };
    const roomId: string = (await ok(alice, 'POST', `${V3}/createRoom`, options)).room_id;
    for (const user of [bob, guard]) await ok(user, 'POST', `${V3}/join/${e(roomId)}?via=${names[0]}`, {});
    await setPolicy(alice, roomId, policy());
    for (const user of [bob, guard]) {
      await eventually(() => ok(user, 'GET', `${V3}/rooms/${e(roomId)}/state/m.room.policy/`));
    }
    return roomId;
  }

  it('sign what is sent, and everybody sees it', async () => {
    const roomId = await guardedRoom();
    asked = [];
    assert.equal((await sendTo(alice, roomId, 'hello')).status, 200);
    await eventually(async () => assert.deepEqual(await seen(bob, roomId), ['hello']));
    assert.equal((await sendTo(bob, roomId, 'hello alice')).status, 200);
    await eventually(async () => assert.deepEqual(await seen(alice, roomId), ['hello', 'hello alice']));
    // Each was asked about once, by the server that sent it; the event that names the policy server never was.
    const messages = asked.filter(({ type }) => type === 'm.room.message');
    assert.deepEqual(
      messages.map(({ body, origin }) => [body, origin]),
      [
        ['hello', names[0]],
        ['hello alice', names[1]],
      ],
    );
    assert.equal(
      asked.some(({ type }) => type === 'm.room.policy'),
      false,
    );
  });

  it('have their refusal told to the client word for word, and the event goes nowhere', async () => {
    const roomId = await guardedRoom();
    const refused = await sendTo(alice, roomId, 'buy spam');
    assert.equal(refused.status, 400);
    assert.deepEqual(refused.body, {
      errcode: 'M_FORBIDDEN',
      error: 'The message appears to contain possible spam',
    });
    assert.deepEqual(await seen(alice, roomId), []);
    const topic = `${V3}/rooms/${e(roomId)}/state/m.room.topic/`;
    behaviour = 'refuse';
    assert.equal((await alice.request('PUT', topic, { topic: 'x' })).status, 400);
    behaviour = 'limit';
    const limited = await sendTo(alice, roomId, 'more');
    assert.deepEqual(
      [limited.status, limited.body.errcode, limited.body.retry_after_ms],
      [429, 'M_LIMIT_EXCEEDED', 1234],
    );
    behaviour = 'sign';
    assert.equal((await sendTo(alice, roomId, 'fine')).status, 200);
  });

  it('cannot log a client out, and a signature by another key is none', async () => {
    const roomId = await guardedRoom();
    behaviour = 'unauthorized';
    const refused = await sendTo(alice, roomId, 'x');
    assert.deepEqual([refused.status, refused.body.errcode], [502, 'M_UNKNOWN']);
    behaviour = 'forge';
    assert.equal((await sendTo(alice, roomId, 'y')).status, 403);
    assert.deepEqual(await seen(alice, roomId), []);
  });

  it('that are away stop their room, but neither other rooms nor who takes them out', async () => {
    const roomId = await guardedRoom();
    const other: string = (await ok(alice, 'POST', `${V3}/createRoom`, { preset: 'public_chat' })).room_id;
    behaviour = 'broken';
    assert.equal((await sendTo(alice, roomId, 'x')).status, 502);
    const before = asked.length;
    assert.equal((await sendTo(alice, roomId, 'x')).status, 502);
    assert.equal(asked.length, before, 'it is left in peace for a moment');
    assert.equal((await sendTo(alice, other, 'here all is well')).status, 200);
    await setPolicy(alice, roomId, {});
    assert.equal((await sendTo(alice, roomId, 'free')).status, 200);
    await eventually(async () => assert.deepEqual(await seen(bob, roomId), ['free']));
    // So that the next tests need not wait.
    await sleep(1_100);
  });

  it('hold nobody up: what is sent meanwhile goes on beside it', async () => {
    const roomId = await guardedRoom();
    delayMs = 400;
    const started = performance.now();
    const sent = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((body) => sendTo(alice, roomId, body)));
    const tookMs = performance.now() - started;
    assert.deepEqual(
      sent.map(({ status }) => status),
      [200, 200, 200, 200, 200],
    );
    assert.ok(tookMs < 5 * delayMs, `one after the other: ${tookMs} ms`);
    assert.deepEqual([...(await seen(alice, roomId))].sort(), ['a', 'b', 'c', 'd', 'e']);
    await eventually(async () => assert.deepEqual([...(await seen(bob, roomId))].sort(), ['a', 'b', 'c', 'd', 'e']));
    const resent = `${V3}/rooms/${e(roomId)}/send/m.room.message/same`;
    const twice = await Promise.all([1, 2].map(() => ok(alice, 'PUT', resent, { msgtype: 'm.text', body: 'once' })));
    const again = await ok(alice, 'PUT', resent, { msgtype: 'm.text', body: 'once' });
    assert.deepEqual(new Set([...twice, again].map((one) => one.event_id)).size, 1);
  });

  it('answer for state that is changed side by side', async () => {
    const roomId = await guardedRoom();
    delayMs = 200;
    const path = (type: string) => `${V3}/rooms/${e(roomId)}/state/${type}/`;
    await Promise.all([
      ok(alice, 'PUT', path('m.room.name'), { name: 'n' }),
      ok(alice, 'PUT', path('m.room.topic'), { topic: 't' }),
      ok(bob, 'PUT', `${V3}/rooms/${e(roomId)}/send/m.room.message/${newTxn()}`, { msgtype: 'm.text', body: 'hi' }),
    ]);
    for (const user of [alice, bob]) {
      await eventually(async () => {
        assert.equal((await ok(user, 'GET', path('m.room.name'))).name, 'n');
        assert.equal((await ok(user, 'GET', path('m.room.topic'))).topic, 't');
        assert.deepEqual(await seen(user, roomId), ['hi']);
      });
    }
  });

  it('need a member in the room', async () => {
    const roomId = await guardedRoom();
    await ok(alice, 'POST', `${V3}/rooms/${e(roomId)}/kick`, { user_id: guard.userId });
    await eventually(async () => {
      const members = await ok(alice, 'GET', `${V3}/rooms/${e(roomId)}/joined_members`);
      assert.equal(guard.userId in members.joined, false);
    });
    behaviour = 'refuse';
    assert.equal((await sendTo(alice, roomId, 'spam')).status, 200);
  });

  it('are asked about events that come without their signature; what they refuse nobody sees', async () => {
    const roomId = await guardedRoom();
    // A moderator takes the policy out; bob's server hears of that, sends unsigned, and alice's has it back by then.
    const unsigned = async (body: string) => {
      await setPolicy(alice, roomId, { via: names[2], public_keys: { ed25519: 'bm90IGEga2V5' } });
      await setPolicy(alice, roomId, {});
      await eventually(async () => {
        assert.deepEqual(await ok(bob, 'GET', `${V3}/rooms/${e(roomId)}/state/m.room.policy/`), {});
      });
      // Both at once: the message leaves before the new policy arrives.
      const [sent] = await Promise.all([sendTo(bob, roomId, body), setPolicy(alice, roomId, policy())]);
      assert.equal(sent.status, 200);
      await eventually(async () => {
        assert.deepEqual(await ok(bob, 'GET', `${V3}/rooms/${e(roomId)}/state/m.room.policy/`), policy());
      });
    };
    await unsigned('harmless');
    await eventually(async () => assert.ok((await seen(alice, roomId)).includes('harmless')));
    await unsigned('more spam');
    assert.equal((await sendTo(bob, roomId, 'the end')).status, 200);
    await eventually(async () => assert.ok((await seen(alice, roomId)).includes('the end')));
    const about = asked.map(({ body }) => body);
    const hears = await seen(alice, roomId);
    // Whether it came before or after the policy is a race of two servers; if it was asked about, it isn't seen.
    assert.equal(hears.includes('more spam'), !about.includes('more spam'));
  });

  it('sign invites before the invited server does', async () => {
    const options = { room_version: VERSION, preset: 'private_chat', invite: [guard.userId] };
    const roomId: string = (await ok(alice, 'POST', `${V3}/createRoom`, options)).room_id;
    await eventually(() => ok(guard, 'POST', `${V3}/join/${e(roomId)}?via=${names[0]}`, {}));
    await setPolicy(alice, roomId, policy());
    asked = [];
    await ok(alice, 'POST', `${V3}/rooms/${e(roomId)}/invite`, { user_id: bob.userId });
    assert.deepEqual(
      asked.map(({ type, origin }) => [type, origin]),
      [['m.room.member', names[0]]],
    );
    behaviour = 'refuse';
    const join = await bob.request('POST', `${V3}/join/${e(roomId)}?via=${names[0]}`, {});
    assert.notEqual(join.status, 200, 'a join through us that the policy server refuses');
    behaviour = 'sign';
    await ok(bob, 'POST', `${V3}/join/${e(roomId)}?via=${names[0]}`, {});
  });

  it('are found by clients where one is configured', async () => {
    const target = '/.well-known/matrix/policy_server';
    const told = await guardServer.request('GET', target);
    assert.deepEqual([told.status, told.body], [200, { public_keys: { ed25519: key.publicKey } }]);
    assert.equal((await one.request('GET', target)).status, 404);
  });

  it('that hang are given up soon', async () => {
    const roomId = await guardedRoom();
    behaviour = 'hang';
    const started = performance.now();
    assert.equal((await sendTo(alice, roomId, 'x')).status, 502);
    assert.ok(performance.now() - started < 8_000);
  });
});
