import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { pino } from 'pino';
import { parseServerName } from '../protocol/ids/index.ts';
import { startSampleHttp } from '../testing/sample-http.ts';

const WHOAMI = '/_matrix/client/v3/account/whoami';

describe('the pipeline', () => {
  it('answers a user under each path of a route', async () => {
    await using http = await startSampleHttp();
    for (const path of [WHOAMI, '/_matrix/client/r0/account/whoami', `${WHOAMI}/`, `${WHOAMI}?x=%zz`]) {
      const { status, body } = await http.client.request('GET', path, { token: 'user' });
      assert.equal(status, 200);
      assert.deepEqual(body, { user_id: '@alice:example.org', device_id: 'DEVICE' });
    }
  });

  it('admits guests, administrators, locked and suspended users only where the route does', async () => {
    await using http = await startSampleHttp();
    const send = '/_matrix/client/v3/rooms/!r:x/send/m/1';
    const refusal = async (method: string, path: string, token: string) => {
      const { status, body } = await http.client.request(method, path, { token, body: { msgtype: 'm', name: 'n' } });
      return [status, body.errcode];
    };
    assert.deepEqual(await refusal('GET', WHOAMI, 'guest'), [200, undefined]);
    assert.deepEqual(await refusal('PUT', send, 'guest'), [403, 'M_GUEST_ACCESS_FORBIDDEN']);
    assert.deepEqual(await refusal('PUT', send, 'suspended'), [403, 'M_USER_SUSPENDED']);
    assert.deepEqual(await refusal('GET', WHOAMI, 'suspended'), [200, undefined]);
    assert.deepEqual(await refusal('GET', WHOAMI, 'locked'), [401, 'M_USER_LOCKED']);
    assert.deepEqual(await refusal('POST', '/_matrix/client/v3/optional', 'locked'), [200, undefined]);
    assert.deepEqual(await refusal('POST', '/_synapse/admin/v1/sample', 'user'), [403, 'M_FORBIDDEN']);
    assert.deepEqual(await refusal('POST', '/_synapse/admin/v1/sample', 'admin'), [200, undefined]);
  });

  it('takes a token from the query only where that is configured', async () => {
    await using strict = await startSampleHttp();
    assert.equal((await strict.client.request('GET', `${WHOAMI}?access_token=user`)).status, 401);
    await using lenient = await startSampleHttp({ allowQueryTokens: true });
    assert.equal((await lenient.client.request('GET', `${WHOAMI}?access_token=user`)).status, 200);
  });

  it('decodes params, slashes among them, and gives a missing state key as such', async () => {
    await using http = await startSampleHttp();
    const base = '/_matrix/client/v3/rooms/!r%2F%25%C3%A9:x/state/m.room.name';
    const get = async (path: string) => (await http.client.request('GET', path, { token: 'user' })).body;
    assert.deepEqual(await get(base), { roomId: '!r/%é:x', eventType: 'm.room.name', via: [] });
    assert.deepEqual(await get(`${base}/`), { roomId: '!r/%é:x', eventType: 'm.room.name', via: [] });
    assert.equal((await get(`${base}/a%2Fb`)).stateKey, 'a/b');
  });

  it('parses queries: integers with bounds, repeated values', async () => {
    await using http = await startSampleHttp();
    const path = '/_matrix/client/v3/rooms/!r:x/state/m';
    const get = (query: string) => http.client.request('GET', `${path}?${query}`, { token: 'user' });
    assert.deepEqual((await get('limit=7&via=a&via=b%20c')).body.via, ['a', 'b c']);
    assert.equal((await get('limit=7&via=a')).body.limit, 7);
    const refused = await get('limit=101');
    assert.deepEqual([refused.status, refused.body.errcode], [400, 'M_INVALID_PARAM']);
    assert.match(refused.body.error, /limit/);
  });

  it('names the key that is missing or wrong in a body, and keeps unknown keys of loose objects', async () => {
    await using http = await startSampleHttp();
    const send = (body: unknown) =>
      http.client.request('PUT', '/_matrix/client/v3/rooms/!r:x/send/m/1', { token: 'user', body });
    const missing = await send({});
    assert.equal(missing.body.errcode, 'M_MISSING_PARAM');
    assert.match(missing.body.error, /msgtype/);
    const wrong = await send({ msgtype: 'm', count: 'x' });
    assert.equal(wrong.body.errcode, 'M_BAD_JSON');
    assert.match(wrong.body.error, /count/);
    assert.deepEqual((await send({ msgtype: 'm', other: [1] })).body.body, { msgtype: 'm', other: [1] });
    assert.equal((await send(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]))).body.errcode, 'M_NOT_JSON');
  });

  it('answers OPTIONS with CORS headers on every path, without doing anything', async () => {
    await using http = await startSampleHttp();
    for (const path of [WHOAMI, '/_matrix/client/v3/nothing']) {
      const { status, headers } = await http.client.request('OPTIONS', path);
      assert.equal(status, 204);
      assert.equal(headers['access-control-allow-origin'], '*');
      assert.match(String(headers['access-control-allow-headers']), /Authorization/);
      assert.match(String(headers['access-control-allow-methods']), /PUT/);
    }
    const refused = await http.client.request('GET', WHOAMI);
    assert.equal(refused.headers['access-control-allow-origin'], '*');
  });

  it('answers HEAD as GET without a body, and tells the allowed methods of a path', async () => {
    await using http = await startSampleHttp();
    const head = await http.client.request('HEAD', WHOAMI, { token: 'user' });
    assert.deepEqual([head.status, head.bytes.length], [200, 0]);
    assert.ok(Number(head.headers['content-length']) > 0);
    const wrong = await http.client.request('DELETE', WHOAMI, { token: 'user' });
    assert.deepEqual([wrong.status, wrong.headers.allow], [405, 'GET, OPTIONS, HEAD']);
  });

  it('compresses long answers for clients that take gzip, and only those', async () => {
    await using http = await startSampleHttp();
    const get = (encoding: string) =>
      http.client.request('GET', '/_matrix/client/v3/large', { headers: { 'accept-encoding': encoding } });
    const zipped = await get('br, gzip');
    assert.equal(zipped.headers['content-encoding'], 'gzip');
    assert.ok(zipped.bytes.length < 10_000);
    assert.match(gunzipSync(zipped.bytes).toString(), /^\{"text":"inglenook /);
    assert.equal((await get('gzip;q=0, identity')).headers['content-encoding'], undefined);
    assert.ok((await get('identity')).bytes.length > 100_000);
  });

  it('answers 500 without telling what broke, and logs it under the request id that it tells', async () => {
    const lines: string[] = [];
    const logger = pino({ level: 'error' }, { write: (line: string) => lines.push(line) });
    await using http = await startSampleHttp({ logger });
    const { status, body } = await http.client.request('GET', '/_matrix/client/v3/broken');
    assert.deepEqual([status, body.errcode], [500, 'M_UNKNOWN']);
    assert.doesNotMatch(body.error, /secret/);
    const line = JSON.parse(lines[0] ?? '{}');
    assert.match(line.err.stack, /the secret of the house/);
    assert.ok(body.error.includes(line.requestId));
  });

  it('limits what is declared as limited, by user or address, and says when to come back', async () => {
    await using http = await startSampleHttp();
    const call = (token?: string) => http.client.request('POST', '/_matrix/client/v3/optional', { token, body: {} });
    for (let i = 0; i < 10; i++) assert.equal((await call()).status, 200);
    const refused = await call();
    assert.deepEqual([refused.status, refused.body.errcode], [429, 'M_LIMIT_EXCEEDED']);
    assert.ok(Number(refused.headers['retry-after']) >= 1);
    assert.ok(refused.body.retry_after_ms > 0);
    assert.equal((await call('user')).status, 200);
  });

  it('takes uploads up to the limit of their route', async () => {
    await using http = await startSampleHttp();
    const upload = (bytes: number, headers = {}) =>
      http.client.request('POST', '/_matrix/media/v3/upload', { token: 'user', body: Buffer.alloc(bytes), headers });
    assert.deepEqual((await upload(1_000_000)).body, { length: 1_000_000 });
    assert.equal((await upload(1_000_001)).body.errcode, 'M_TOO_LARGE');
  });

  it('authenticates other servers by the whole request', async () => {
    const origin = parseServerName('other.example');
    assert.ok(origin);
    const seen: unknown[] = [];
    await using http = await startSampleHttp({
      federationAuthenticator: {
        authenticate: async (request) => {
          seen.push(request);
          return { origin };
        },
      },
    });
    const headers = { authorization: 'X-Matrix origin="other.example"' };
    const path = '/_matrix/federation/v1/send/a%2Fb?x=1';
    const answer = await http.client.request('PUT', path, { body: { origin: 'o' }, headers });
    assert.deepEqual(answer.body, { origin: 'other.example' });
    assert.equal(answer.headers['access-control-allow-origin'], undefined);
    const authorization = ['X-Matrix origin="other.example"'];
    assert.deepEqual(seen, [{ method: 'PUT', uri: path, authorization, content: { origin: 'o' } }]);
  });

  it('counts requests by operation and status', async () => {
    await using http = await startSampleHttp();
    await http.client.request('GET', WHOAMI, { token: 'user' });
    await http.client.request('GET', WHOAMI);
    const text = (await http.client.request('GET', '/metrics')).bytes.toString();
    assert.match(text, /inglenook_http_requests_total\{operation="whoami",status="200"\} 1\n/);
    assert.match(text, /inglenook_http_requests_total\{operation="whoami",status="401"\} 1\n/);
    assert.match(text, /inglenook_http_request_seconds_count\{operation="whoami"\} 2\n/);
    assert.match(text, /nodejs_eventloop_lag_seconds/);
    assert.deepEqual((await http.client.request('GET', '/health')).body, { status: 'ok' });
  });
});
