import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { z } from 'zod';
import { makeConfig } from './config/index.ts';
import { type Homeserver, startHomeserver } from './homeserver.ts';
import { databaseConfigOf, rateLimitsOf } from './homeserver-options.ts';
import { silentLogger } from './telemetry/log.ts';

describe('the homeserver', () => {
  let folder: string;
  let homeserver: Homeserver;

  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'inglenook-homeserver-'));
    const config = makeConfig(
      { listeners: [{ port: 0, addresses: ['127.0.0.1'], resources: ['client', 'health'] }] },
      folder,
    );
    homeserver = await startHomeserver(config, { logger: silentLogger });
  });
  after(async () => {
    await homeserver[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  it('says of every route where it is specified, and names it once in its specification', () => {
    const isLink =
      /^(client-server-api|server-server-api)\/#[\w.-]+$|^https:\/\/|^MSC\d+|^docs\/config\.md#[a-z_]+$|^inglenook$/;
    const unlinked = homeserver.routes.filter(({ spec }) => !isLink.test(spec));
    assert.deepEqual(
      unlinked.map(({ operationId, spec }) => `${operationId}: ${spec}`),
      [],
    );
    const names = homeserver.routes.map(({ operationId, spec }) => `${operationId} of ${spec.split('/#', 1)[0]}`);
    assert.deepEqual(
      names.filter((name, index) => names.indexOf(name) !== index),
      [],
    );
  });

  it('serves the resources of a listener, and no others', async () => {
    const base = homeserver.listeners[0]?.url;
    assert.equal((await fetch(`${base}/_matrix/client/versions`)).status, 200);
    assert.equal((await fetch(`${base}/health`)).status, 200);
    assert.equal((await fetch(`${base}/metrics`)).status, 404);
    assert.equal((await fetch(`${base}/`)).status, 404);
  });

  it('describes its endpoints as OpenAPI', async () => {
    const answer = await fetch(`${homeserver.listeners[0]?.url}/openapi.json`);
    const { paths } = z
      .object({ openapi: z.literal('3.1.0'), paths: z.record(z.string(), z.looseObject({})) })
      .parse(await answer.json());
    assert.ok('get' in (paths['/_matrix/client/v3/sync'] ?? {}));
    assert.ok('put' in (paths['/_matrix/federation/v1/send/{txnId}'] ?? {}));
  });

  it('leaves nothing running where a part cannot start', async () => {
    const port = Number(new URL(homeserver.listeners[0]?.url ?? '').port);
    const data_folder = path.join(folder, 'second');
    const taken = makeConfig({ server: { data_folder }, listeners: [{ port, addresses: ['127.0.0.1'] }] }, folder);
    await assert.rejects(startHomeserver(taken, { logger: silentLogger }), { code: 'EADDRINUSE' });
    // The database is free again, so nothing of the first try holds it.
    const free = makeConfig({ server: { data_folder }, listeners: [{ port: 0, addresses: ['127.0.0.1'] }] }, folder);
    await using second = await startHomeserver(free, { logger: silentLogger });
    assert.equal(second.listeners.length, 1);
  });
});

describe('the options of parts', () => {
  it('name a PostgreSQL host, or the folder of its socket', () => {
    const postgres = { host: '/run/postgresql', user: 'a b', password: 'p@ss/w', database: 'db' };
    const config = makeConfig({ database: { type: 'postgres', postgres } }, '/');
    const options = databaseConfigOf(config);
    assert.ok(options.dialect === 'postgres');
    assert.equal(options.connectionString, 'postgres://a%20b:p%40ss%2Fw@/db?host=%2Frun%2Fpostgresql&port=5432');
  });

  it('carry changed rate limits, and the defaults of the others', () => {
    const { limits, enabled } = rateLimitsOf(makeConfig({ rate_limits: { message: { per_second: 3 } } }, '/'));
    assert.equal(enabled, true);
    assert.deepEqual(limits.message, { perSecond: 3, burst: 50 });
    assert.equal(limits.join.burst, 20);
  });
});
