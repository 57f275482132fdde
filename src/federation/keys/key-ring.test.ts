import assert from 'node:assert/strict';
import { it } from 'node:test';
import { generateSigningKey, signJson } from '../../protocol/crypto/index.ts';
import { parseServerName } from '../../protocol/ids/index.ts';
import type { JsonObject } from '../../protocol/json/index.ts';
import type { Database } from '../../storage/index.ts';
import { forEachDatabase } from '../../testing/databases.ts';
import type { FederationRequest } from '../client.ts';
import { federationMigrations } from '../index.ts';
import { KeyRing } from './key-ring.ts';
import { OwnKeys } from './own-keys.ts';

const HOUR_MS = 3_600_000;
const START = 1_700_000_000_000;
const us = parseServerName('us.example') ?? assert.fail();
const them = parseServerName('them.example') ?? assert.fail();
const notary = parseServerName('notary.example') ?? assert.fail();
const key = generateSigningKey('first', new Uint8Array(32).fill(1));
const second = generateSigningKey('second', new Uint8Array(32).fill(2));
const own = generateSigningKey('own', new Uint8Array(32).fill(3));

/** What `them` publishes, with keys that no longer sign. */
function published(validUntilTs: number, signing = key, old: JsonObject = {}): JsonObject {
  return signJson(
    {
      server_name: them,
      valid_until_ts: validUntilTs,
      verify_keys: { [signing.keyId]: { key: signing.publicKey } },
      old_verify_keys: old,
    },
    them,
    signing,
  );
}

/** A key ring whose network is a function; undefined: nobody answers. */
function ringOn(database: Database, answer: (request: FederationRequest) => JsonObject | undefined) {
  const asked: string[] = [];
  const state = { now: START };
  const clock = { now: () => state.now };
  const client = {
    request: async (request: FederationRequest): Promise<JsonObject> => {
      asked.push(request.destination);
      await new Promise(setImmediate);
      return answer(request) ?? Promise.reject(new Error('nobody there'));
    },
  };
  const ownKeys = new OwnKeys({ serverName: us, signingKeys: [own], oldKeys: [], clock });
  const ring = new KeyRing({ database, client, own: ownKeys, clock, serverName: us, notaries: [notary] });
  return { ring, asked, state };
}

forEachDatabase((_, open) => {
  it('asks a server once for all who want its keys, and remembers them, over a restart too', async () => {
    const database = await open(federationMigrations);
    const { ring, asked } = ringOn(database, () => published(START + HOUR_MS));
    const found = await Promise.all([1, 2, 3].map(() => ring.find(them, key.keyId, START)));
    assert.deepEqual(found, [key.publicKey, key.publicKey, key.publicKey]);
    assert.equal(await ring.find(them, key.keyId, START), key.publicKey);
    assert.deepEqual(asked, [them]);
    const again = ringOn(database, () => undefined);
    assert.equal(await again.ring.find(them, key.keyId, START), key.publicKey);
    assert.deepEqual(again.asked, []);
  });

  it('asks a notary for a server that cannot be reached, and nobody again within a minute', async () => {
    const { ring, asked, state } = ringOn(await open(federationMigrations), () => undefined);
    for (let tries = 0; tries < 3; tries++) assert.equal(await ring.find(them, key.keyId, START), undefined);
    assert.deepEqual(asked, [them, notary]);
    state.now += 61_000;
    assert.equal(await ring.find(them, key.keyId, START), undefined);
    assert.equal(asked.length, 4);
  });

  it('asks a server that could not be reached again as soon as it asks something itself', async () => {
    let isThere = false;
    const answer = () => (isThere ? published(START + HOUR_MS) : undefined);
    const { ring, asked, state } = ringOn(await open(federationMigrations), answer);
    assert.equal(await ring.findForRequest(them, key.keyId), undefined);
    isThere = true;
    assert.equal(await ring.findForRequest(them, key.keyId), undefined, 'not at once');
    state.now += 1_500;
    assert.equal(await ring.find(them, key.keyId, START), undefined, 'an old event says nothing of now');
    assert.equal(await ring.findForRequest(them, key.keyId), key.publicKey);
    assert.equal(await ring.findForRequest(them, second.keyId), undefined);
    const count = asked.length;
    state.now += 1_500;
    assert.equal(await ring.findForRequest(them, second.keyId), undefined);
    assert.equal(asked.length, count, 'it has just said what keys it has');
  });

  it('takes from a notary what the server itself has signed, and nothing else', async () => {
    let keys: JsonObject = signJson({ ...published(START + HOUR_MS), signatures: {} }, notary, own);
    const answer = ({ destination }: FederationRequest) =>
      destination === notary ? { server_keys: [{ server_name: us }, keys] } : undefined;
    const { ring, state } = ringOn(await open(federationMigrations), answer);
    assert.equal(await ring.find(them, key.keyId, START), undefined);
    state.now += 61_000;
    keys = signJson(published(START + HOUR_MS), notary, own);
    assert.equal(await ring.find(them, key.keyId, START), key.publicKey);
  });

  it('asks anew when a key is too old for what it signed, but not for room versions that do not care', async () => {
    let until = START + HOUR_MS;
    const { ring, asked, state } = ringOn(await open(federationMigrations), () => published(until));
    assert.equal(await ring.find(them, key.keyId, START), key.publicKey);
    state.now = START + 2 * HOUR_MS;
    assert.equal(await ring.find(them, key.keyId, undefined), key.publicKey);
    assert.equal(await ring.find(them, key.keyId, START + HOUR_MS), key.publicKey);
    assert.deepEqual(asked, [them]);
    assert.equal(await ring.find(them, key.keyId, state.now), undefined, 'it did not renew them');
    state.now += 61_000;
    until = state.now + HOUR_MS;
    assert.equal(await ring.find(them, key.keyId, state.now), key.publicKey);
    assert.equal(asked.length, 3);
  });

  it('keeps a key that was replaced for the events it signed, not for requests', async () => {
    const old = { [key.keyId]: { key: key.publicKey, expired_ts: START } };
    const { ring } = ringOn(await open(federationMigrations), () => published(START + HOUR_MS, second, old));
    assert.equal(await ring.find(them, key.keyId, START - 1), key.publicKey);
    assert.equal(await ring.find(them, key.keyId, START + 1), undefined);
    assert.equal(await ring.findForRequest(them, key.keyId), undefined);
    assert.equal(await ring.findForRequest(them, second.keyId), second.publicKey);
  });

  it('knows its own keys without asking', async () => {
    const { ring, asked } = ringOn(await open(federationMigrations), () => undefined);
    assert.equal(await ring.find(us, own.keyId, START), own.publicKey);
    await ring.prefetch([us]);
    assert.deepEqual(asked, []);
  });
});
