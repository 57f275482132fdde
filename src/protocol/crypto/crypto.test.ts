import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import fc from 'fast-check';
import nacl from 'tweetnacl';
import { parseKeyId, parseServerName } from '../ids/index.ts';
import {
  BadSigningKeyFileError,
  decodeBase64,
  encodeBase64,
  encodeBase64Url,
  formatSigningKeyFile,
  generateSigningKey,
  parseSigningKeyFile,
  signatureOf,
  signingKeyIds,
  signJson,
  verifyAsync,
  verifyJson,
  verifyJsonAsync,
  verifySignature,
} from './index.ts';

const server = parseServerName('example.org');
const other = parseServerName('other.example');
const otherKeyId = parseKeyId('ed25519:other');
assert.ok(server && other && otherKeyId);
const seed = new Uint8Array(32).fill(7);
const key = generateSigningKey('a_1', seed);

describe('base64', () => {
  it('reads what it writes, in both alphabets and with padding', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const expected = Buffer.from(bytes);
        assert.deepEqual(decodeBase64(encodeBase64(bytes)), expected);
        assert.deepEqual(decodeBase64(encodeBase64Url(bytes)), expected);
        assert.deepEqual(decodeBase64(expected.toString('base64')), expected);
        assert.doesNotMatch(encodeBase64(bytes), /=/);
      }),
    );
  });

  it('refuses what is no base64', () => {
    for (const text of ['a', 'a!', 'YQ=', 'YQ===', '=', 'a b', 'YW+-', 'YQ=Q', 'é']) {
      assert.equal(decodeBase64(text), undefined, text);
    }
  });
});

describe('Ed25519', () => {
  it('agrees with tweetnacl on the public key and on signatures', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        fc.uint8Array({ maxLength: 200 }),
        (bytes, message) => {
          const ours = generateSigningKey('1', bytes);
          const theirs = nacl.sign.keyPair.fromSeed(Uint8Array.from(bytes));
          assert.equal(ours.publicKey, encodeBase64(theirs.publicKey));
          const signature = nacl.sign.detached(Uint8Array.from(message), theirs.secretKey);
          assert.equal(ours.sign(message), encodeBase64(signature));
          assert.ok(verifySignature(message, encodeBase64(signature), ours.publicKey));
        },
      ),
      { numRuns: 10 },
    );
  });

  it('verifies in the thread pool as on this thread, and refuses other messages, keys and signatures', async () => {
    const signature = key.sign('hällo');
    const wrongKey = generateSigningKey('b', new Uint8Array(32).fill(8)).publicKey;
    assert.equal(verifySignature('hällo', signature, key.publicKey), true);
    assert.equal(await verifyAsync(Buffer.from('hällo'), signature, key.publicKey), true);
    for (const [message, sig, publicKey] of [
      ['hallo', signature, key.publicKey],
      ['hällo', signature, wrongKey],
      ['hällo', key.sign('x'), key.publicKey],
      ['hällo', 'not base64!', key.publicKey],
      ['hällo', signature.slice(0, 40), key.publicKey],
      ['hällo', signature, 'c2hvcnQ'],
    ] as const) {
      assert.equal(verifySignature(message, sig, publicKey), false);
      assert.equal(await verifyAsync(message, sig, publicKey), false);
    }
  });

  it('does not show its secrets when it is inspected or made JSON', () => {
    const shown = inspect(key, { showHidden: true, depth: 9 }) + JSON.stringify(key);
    assert.ok(!shown.includes(key.exportSeed()));
    assert.doesNotMatch(shown, /seed:|07 07|7, 7/);
  });
});

describe('the signing key file', () => {
  it('is read as it was written', () => {
    const text = formatSigningKeyFile([key, generateSigningKey('b', new Uint8Array(32).fill(9))]);
    assert.match(text, /^ed25519 a_1 [A-Za-z0-9+/]{43}\ned25519 b [A-Za-z0-9+/]{43}\n$/);
    const [first, second] = parseSigningKeyFile(`# ours\n\n${text}`);
    assert.equal(first?.keyId, 'ed25519:a_1');
    assert.equal(first?.publicKey, key.publicKey);
    assert.equal(second?.keyId, 'ed25519:b');
  });

  it('names the line that is wrong, and not what stands in it', () => {
    const good = formatSigningKeyFile([key]);
    for (const line of [
      'ed25519 a_1',
      'rsa a_1 secretsecret',
      'ed25519 a-1 secretsecret',
      'ed25519 a secretsecret',
      'a b c secretsecret',
    ]) {
      assert.throws(
        () => parseSigningKeyFile(`${good}${line}\n`),
        (error) =>
          error instanceof BadSigningKeyFileError &&
          /^Line 2: /.test(error.message) &&
          !error.message.includes('secret'),
        line,
      );
    }
    assert.throws(() => parseSigningKeyFile('\n'), BadSigningKeyFileError);
  });

  it('is not made with a bad version or seed', () => {
    assert.throws(() => generateSigningKey('a:b', seed), RangeError);
    assert.throws(() => generateSigningKey('', seed), RangeError);
    assert.throws(() => generateSigningKey('a', new Uint8Array(31)), RangeError);
  });
});

describe('signed JSON', () => {
  const signed = signJson({ b: 1, a: 'x', unsigned: { age: 1 } }, server, key);

  it('bears a signature that verifies, whatever is unsigned', async () => {
    assert.equal(verifyJson(signed, server, key.keyId, key.publicKey), true);
    assert.equal(verifyJson({ ...signed, unsigned: { age: 2 } }, server, key.keyId, key.publicKey), true);
    assert.equal(await verifyJsonAsync(signed, server, key.keyId, key.publicKey), true);
  });

  it('does not verify when it was changed, or for another entity, key id or public key', async () => {
    const wrongKey = generateSigningKey('b', new Uint8Array(32)).publicKey;
    assert.equal(verifyJson({ ...signed, a: 'y' }, server, key.keyId, key.publicKey), false);
    assert.equal(verifyJson(signed, other, key.keyId, key.publicKey), false);
    assert.equal(verifyJson(signed, server, otherKeyId, key.publicKey), false);
    assert.equal(verifyJson(signed, server, key.keyId, wrongKey), false);
    assert.equal(verifyJson({ ...signed, a: '\ud800' }, server, key.keyId, key.publicKey), false);
    assert.equal(verifyJson({ a: 1, signatures: 'x' }, server, key.keyId, key.publicKey), false);
    assert.equal(await verifyJsonAsync({ ...signed, a: 'y' }, server, key.keyId, key.publicKey), false);
  });

  it('keeps the signatures of others', () => {
    const second = generateSigningKey('b', new Uint8Array(32));
    const twice = signJson(signJson(signed, other, second), server, second);
    assert.ok(verifyJson(twice, server, key.keyId, key.publicKey));
    assert.ok(verifyJson(twice, other, second.keyId, second.publicKey));
    assert.deepEqual(signingKeyIds(twice, server), ['ed25519:a_1', 'ed25519:b']);
    assert.equal(signatureOf(signed, other, second.keyId), undefined);
  });

  it('are signed with the Ed25519 keys that they name, and no others', () => {
    const signatures = { 'example.org': { 'ed25519:1': 'x', 'ed25519:': 'x', 'rsa:1': 'x' } };
    assert.deepEqual(signingKeyIds({ signatures }, server), ['ed25519:1']);
    assert.deepEqual(signingKeyIds({ signatures }, other), []);
  });
});
