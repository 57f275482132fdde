/** The signing vectors of the specification. Spec: appendices/#cryptographic-test-vectors */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  contentHash,
  decodeBase64,
  encodeBase64,
  generateSigningKey,
  signJson,
} from '../../src/protocol/crypto/index.ts';
import { eventSignedText } from '../../src/protocol/event/index.ts';
import { parseServerName } from '../../src/protocol/ids/index.ts';
import type { JsonObject } from '../../src/protocol/json/index.ts';
import { roomVersionRules } from '../../src/protocol/room-versions/index.ts';

const seed = decodeBase64('YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1');
const serverName = parseServerName('domain');
const rules = roomVersionRules('1');
assert.ok(seed && serverName && rules);
const key = generateSigningKey('1', seed);

/** Hashes and signs whatever object it is given, as the vectors aren't complete PDUs. */
function signEvent(event: JsonObject): { hash: string; signature: string } {
  assert.ok(rules);
  const hash = contentHash(event);
  return { hash, signature: key.sign(eventSignedText({ ...event, hashes: { sha256: hash } }, rules)) };
}

describe('the signing vectors of the specification', () => {
  it('names the key ed25519:1', () => {
    assert.equal(key.keyId, 'ed25519:1');
  });

  it('signs an empty object', () => {
    assert.deepEqual(signJson({}, serverName, key), {
      signatures: {
        domain: {
          'ed25519:1': 'K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ',
        },
      },
    });
  });

  it('signs an object with data in it', () => {
    assert.deepEqual(signJson({ one: 1, two: 'Two' }, serverName, key), {
      one: 1,
      signatures: {
        domain: {
          'ed25519:1': 'KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw',
        },
      },
      two: 'Two',
    });
  });

  it('hashes and signs a minimal event', () => {
    const signed = signEvent({
      room_id: '!x:domain',
      sender: '@a:domain',
      origin: 'domain',
      origin_server_ts: 1000000,
      signatures: {},
      hashes: {},
      type: 'X',
      content: {},
      prev_events: [],
      auth_events: [],
      depth: 3,
      unsigned: { age_ts: 1000000 },
    });
    assert.equal(signed.hash, '5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos');
    assert.equal(
      signed.signature,
      'KxwGjPSDEtvnFgU00fwFz+l6d2pJM6XBIaMEn81SXPTRl16AqLAYqfIReFGZlHi5KLjAWbOoMszkwsQma+lYAg',
    );
  });

  it('hashes and signs an event with redactable content', () => {
    const signed = signEvent({
      content: { body: 'Here is the message content' },
      event_id: '$0:domain',
      origin: 'domain',
      origin_server_ts: 1000000,
      type: 'm.room.message',
      room_id: '!r:domain',
      sender: '@u:domain',
      signatures: {},
      unsigned: { age_ts: 1000000 },
    });
    assert.equal(signed.hash, 'onLKD1bGljeBWQhWZ1kaP9SorVmRQNdN5aM2JYU2n/g');
    assert.equal(
      signed.signature,
      'Wm+VzmOUOz08Ds+0NTWb1d4CZrVsJSikkeRxh6aCcUwu6pNC78FunoD7KNWzqFn241eYHYMGCA5McEiVPdhzBA',
    );
  });

  it('encodes the base64 examples', () => {
    const examples = { '': '', f: 'Zg', fo: 'Zm8', foo: 'Zm9v', foob: 'Zm9vYg', fooba: 'Zm9vYmE', foobar: 'Zm9vYmFy' };
    for (const [text, encoded] of Object.entries(examples)) {
      assert.equal(encodeBase64(Buffer.from(text)), encoded);
      assert.equal(decodeBase64(encoded)?.toString(), text);
    }
  });
});
