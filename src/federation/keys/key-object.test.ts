import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { generateSigningKey, signJson } from '../../protocol/crypto/index.ts';
import { parseServerName } from '../../protocol/ids/index.ts';
import type { JsonObject } from '../../protocol/json/index.ts';
import { parseKeyObject } from './key-object.ts';

const DAY_MS = 24 * 3_600_000;
const NOW = 1_700_000_000_000;
const server = parseServerName('example.org') ?? assert.fail();
const key = generateSigningKey('now', new Uint8Array(32).fill(1));
const other = generateSigningKey('other', new Uint8Array(32).fill(2));

function published(changes: JsonObject = {}): JsonObject {
  return {
    server_name: server,
    valid_until_ts: NOW + DAY_MS,
    verify_keys: { [key.keyId]: { key: key.publicKey } },
    old_verify_keys: { 'ed25519:old': { key: other.publicKey, expired_ts: NOW - DAY_MS } },
    ...changes,
  };
}

const signed = (object: JsonObject) => signJson(object, server, key);

describe('the key object of a server', () => {
  it('has keys that sign, and old ones up to when they did', () => {
    assert.deepEqual(parseKeyObject(signed(published()), server, NOW), [
      { keyId: key.keyId, publicKey: key.publicKey, validUntilTs: NOW + DAY_MS, isOld: false },
      { keyId: 'ed25519:old', publicKey: other.publicKey, validUntilTs: NOW - DAY_MS, isOld: true },
    ]);
  });

  it('counts for a week at most, however long it says', () => {
    const [first] = parseKeyObject(signed(published({ valid_until_ts: NOW + 365 * DAY_MS })), server, NOW) ?? [];
    assert.equal(first?.validUntilTs, NOW + 7 * DAY_MS);
  });

  it('is nothing without a signature by one of its own keys, or changed afterwards', () => {
    assert.equal(parseKeyObject(published(), server, NOW), undefined);
    assert.equal(parseKeyObject(signJson(published(), server, other), server, NOW), undefined);
    const elsewhere = parseServerName('elsewhere.example') ?? assert.fail();
    assert.equal(parseKeyObject(signJson(published(), elsewhere, key), server, NOW), undefined);
    assert.equal(parseKeyObject({ ...signed(published()), valid_until_ts: NOW }, server, NOW), undefined);
  });

  it('is not taken for another server’s, nor signed by an old key alone', () => {
    const elsewhere = parseServerName('elsewhere.example') ?? assert.fail();
    assert.equal(parseKeyObject(signed(published()), elsewhere, NOW), undefined);
    const old = { [key.keyId]: { key: key.publicKey, expired_ts: NOW } };
    const byOld = signed(published({ verify_keys: { [other.keyId]: { key: other.publicKey } }, old_verify_keys: old }));
    assert.equal(parseKeyObject(byOld, server, NOW), undefined);
  });

  it('may have keys that we can’t read beside a good one', () => {
    const verify_keys = { [key.keyId]: { key: key.publicKey }, 'ed25519:none': {}, nonsense: { key: 'x' } };
    const keys = parseKeyObject(signed(published({ verify_keys, old_verify_keys: { 'ed25519:x': 7 } })), server, NOW);
    assert.deepEqual(
      keys?.map(({ keyId }) => keyId),
      [key.keyId],
    );
  });
});
