/**
 * Endpoints for which the specification v1.19 lists the answer 429 have a rate limit. The list of them is rate-limited.tsv (facts:
 * method, path, operationId).
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { makeConfig } from '../src/config/index.ts';
import { type Homeserver, startHomeserver } from '../src/homeserver.ts';
import { silentLogger } from '../src/telemetry/log.ts';
import { TestServer } from '../src/testing/test-server.ts';
import { signature } from './compliance.ts';

const LIST = path.join(import.meta.dirname, 'rate-limited.tsv');

function limited(): readonly string[] {
  const [, ...lines] = readFileSync(LIST, 'utf8').trimEnd().split('\n');
  return lines.map((line) => {
    const [method = '', at = ''] = line.split('\t');
    return signature(method, at);
  });
}

describe('the endpoints that the specification limits', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'inglenook-limits-'));
  let homeserver: Homeserver;
  before(async () => {
    const config = makeConfig({ listeners: [{ port: 0, addresses: ['127.0.0.1'] }] }, folder);
    homeserver = await startHomeserver(config, { logger: silentLogger });
  });
  after(async () => {
    await homeserver[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  it('have a rate limit here', () => {
    const limits = new Map(
      homeserver.routes.flatMap((one) => one.paths.map((at) => [signature(one.method, at), one.rateLimit] as const)),
    );
    const without = limited().filter((one) => limits.get(one) === undefined);
    assert.deepEqual(without, []);
  });

  it('are many, and each is served', () => {
    const served = new Set(homeserver.routes.flatMap((one) => one.paths.map((at) => signature(one.method, at))));
    assert(limited().length >= 60);
    assert.deepEqual(
      limited().filter((one) => !served.has(one)),
      [],
    );
  });
});

describe('a rate limit', () => {
  it('answers 429 and when to come back, for each user alone', async () => {
    await using hs = await TestServer.start({
      inProcess: true,
      config: { rate_limits: { enabled: true, ephemeral: { per_second: 0.1, burst: 2 } } },
    });
    const alice = await hs.register('alice');
    const bob = await hs.register('bob');
    const room = (await alice.request('POST', '/_matrix/client/v3/createRoom', { preset: 'public_chat' })).body.room_id;
    await bob.request('POST', `/_matrix/client/v3/join/${room}`, {});
    const type = (user: typeof alice) =>
      user.request('PUT', `/_matrix/client/v3/rooms/${room}/typing/${user.userId}`, { typing: true, timeout: 1_000 });
    for (let i = 0; i < 2; i++) assert.equal((await type(alice)).status, 200);
    const refused = await type(alice);
    assert.equal(refused.status, 429);
    assert.equal(refused.body.errcode, 'M_LIMIT_EXCEEDED');
    assert(refused.body.retry_after_ms > 0);
    assert(Number(refused.headers['retry-after']) >= 1);
    assert.equal((await type(bob)).status, 200);
  });
});
