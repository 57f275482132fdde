import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  algorithmOf,
  createEventIdOf,
  isCompliantUserId,
  isHashRoomId,
  isNamespacedId,
  isOpaqueId,
  isValidLocalpart,
  localpartOf,
  makeMxcUri,
  makeUserId,
  parseDeviceId,
  parseEventId,
  parseKeyId,
  parseMxcUri,
  parseNewUserId,
  parseRoomAlias,
  parseRoomId,
  parseRoomVersionId,
  parseServerName,
  parseUserId,
  roomIdOfCreate,
  serverNameOf,
  splitMxcUri,
  splitServerName,
} from './index.ts';

const HASH = 'Nhcu5BS-UMnFX7hBVfVSoXiD7OgH6iRT-xyIuqDnpYQ';

type Parser = (text: string) => string | undefined;

function accepts(parse: Parser, texts: readonly string[]): void {
  for (const text of texts) assert.equal(parse(text), text, JSON.stringify(text));
}

function refuses(parse: Parser, texts: readonly string[]): void {
  for (const text of texts) assert.equal(parse(text), undefined, JSON.stringify(text.slice(0, 60)));
}

describe('parseServerName', () => {
  it("accepts the specification's examples", () => {
    accepts(parseServerName, ['matrix.org', 'matrix.org:8888', '1.2.3.4', '1.2.3.4:1234']);
    accepts(parseServerName, ['[1234:5678::abcd]', '[1234:5678::abcd]:5678', '[::]', '[::1]', '[::ffff:1.2.3.4]']);
    accepts(parseServerName, ['localhost', 'MATRIX.org', 'a-b.c', '[1:2:3:4:5:6:7:8]', `${'a'.repeat(255)}`]);
  });

  it('refuses what the grammar excludes', () => {
    refuses(parseServerName, ['', ':80', 'a:', 'a:123456', 'a:65536', 'a:b', 'a b', 'a_b', 'é.org', 'a/b', 'a:1:2']);
    refuses(parseServerName, ['[1::2', '1::2', '[1::2]x', '[1::2::3]', '[:1]', '[1:2:3]', '[12345::]', '[::1%eth0]']);
    refuses(parseServerName, ['[1:2:3:4:5:6:7:8:9]', '[1.2.3.4]', '[::1.2.3.256]', '[]', 'a'.repeat(256), 'a\0']);
  });

  it('tells the parts', () => {
    assert.deepEqual(splitServerName('[::1]:8448'), { kind: 'ipv6', hostname: '::1', port: 8448 });
    assert.deepEqual(splitServerName('1.2.3.4'), { kind: 'ipv4', hostname: '1.2.3.4', port: undefined });
    assert.deepEqual(splitServerName('example.org:80'), { kind: 'dns', hostname: 'example.org', port: 80 });
    assert.equal(splitServerName('1.2.3.999')?.kind, 'dns');
  });
});

describe('parseUserId', () => {
  it('accepts historical localparts', () => {
    accepts(parseUserId, ['@alice:example.org', '@:example.org', '@Alice Ünïcode!:example.org', '@a\u0001:x:80']);
  });

  it('refuses NUL, lone surrogates, a missing part, and more than 255 bytes', () => {
    refuses(parseUserId, ['alice:example.org', '@alice', '@alice:', '@a\0:x', '@\ud800:x', '#a:x', '@a:x y', '']);
    accepts(parseUserId, [`@${'a'.repeat(252)}:x`, `@${'é'.repeat(126)}:x`]);
    refuses(parseUserId, [`@${'a'.repeat(253)}:x`, `@${'é'.repeat(127)}:x`]);
  });

  it('takes ids apart into what they were made of', () => {
    const localpart = fc.string({ unit: 'binary', maxLength: 40 }).filter((text) => !/[:\0]/.test(text));
    fc.assert(
      fc.property(localpart, fc.constantFrom('x', 'example.org:8448', '[::1]:80'), (local, server) => {
        const userId = parseUserId(`@${local}:${server}`);
        assert.ok(userId);
        assert.equal(localpartOf(userId), local);
        assert.equal(serverNameOf(userId), server);
      }),
    );
  });

  it('tells compliant ids from those to keep from clients', () => {
    for (const [text, isCompliant] of [
      ['@a:x', true],
      ['@A!:x', true],
      ['@:x', false],
      ['@é:x', false],
      ['@a b:x', false],
    ] as const) {
      const userId = parseUserId(text);
      assert.ok(userId);
      assert.equal(isCompliantUserId(userId), isCompliant, text);
    }
  });
});

describe('new user ids', () => {
  it('have only the characters of the current grammar', () => {
    for (const localpart of ['alice', 'a.b_c=d-e/f+1', '0']) assert.ok(isValidLocalpart(localpart), localpart);
    for (const localpart of ['', 'Alice', 'a b', 'é', 'a:b', 'a!', 'a\n'])
      assert.ok(!isValidLocalpart(localpart), localpart);
    refuses(parseNewUserId, ['@Alice:x', '@:x']);
    accepts(parseNewUserId, ['@alice:x']);
  });

  it('are made from localpart and server, within 255 bytes', () => {
    const server = parseServerName('example.org');
    assert.ok(server);
    assert.equal(makeUserId('alice', server), '@alice:example.org');
    assert.equal(makeUserId('Alice', server), undefined);
    assert.equal(makeUserId('a'.repeat(244), server), undefined);
  });
});

describe('rooms, aliases and events', () => {
  it('room ids have a server or are a hash', () => {
    accepts(parseRoomId, ['!abc:example.org', '!ä b:x', `!${HASH}`]);
    refuses(parseRoomId, ['!abc', '!:x', '!', `$${HASH}`, `!${HASH}a`, '!a\0:x', '!a:', `!${'a'.repeat(253)}:x`]);
  });

  it('a hash room id and its create event name each other', () => {
    const eventId = parseEventId(`$${HASH}`);
    const roomId = parseRoomId(`!${HASH}`);
    const old = parseRoomId('!a:x');
    assert.ok(eventId && roomId && old);
    assert.equal(roomIdOfCreate(eventId), roomId);
    assert.equal(createEventIdOf(roomId), eventId);
    assert.equal(createEventIdOf(old), undefined);
    assert.ok(isHashRoomId(roomId) && !isHashRoomId(old));
    assert.equal(serverNameOf(roomId), undefined);
    assert.equal(serverNameOf(old), 'x');
  });

  it('aliases have a localpart and a server', () => {
    accepts(parseRoomAlias, ['#room:example.org', '#Räum #1:x:80']);
    refuses(parseRoomAlias, ['#room', 'room:x', '#:x', '#a\0:x', '#a:b_c', `#${'a'.repeat(253)}:x`]);
  });

  it('event ids are opaque', () => {
    accepts(parseEventId, [`$${HASH}`, '$abc:example.org', '$acR1l0raoZnm60CBwAVgqbZqoO/mYU81xysh1u7XcJk', '$x']);
    refuses(parseEventId, ['$', '', 'abc', '$a\0', '$\udc00', `$${'a'.repeat(255)}`]);
  });

  it('room versions follow their grammar', () => {
    accepts(parseRoomVersionId, ['1', '12', '1.2-beta', 'com.example.version', 'a'.repeat(32)]);
    refuses(parseRoomVersionId, ['', 'A', 'a_b', 'a'.repeat(33)]);
  });
});

describe('the other identifiers', () => {
  it('device ids are anything without NUL up to 255 bytes', () => {
    accepts(parseDeviceId, ['ABCDEFGHIJ', 'my phone', 'é'.repeat(127)]);
    refuses(parseDeviceId, ['', 'a\0', 'é'.repeat(128), '\ud800']);
  });

  it('key ids have an algorithm and a name', () => {
    accepts(parseKeyId, ['ed25519:a_1', 'signed_curve25519:AAAAHg', 'ed25519:base64+/key']);
    refuses(parseKeyId, ['ed25519', ':a', 'ed25519:', 'Ed25519:1']);
    const keyId = parseKeyId('ed25519:a:b');
    assert.ok(keyId);
    assert.equal(algorithmOf(keyId), 'ed25519');
  });

  it('mxc URIs have a server and a media id', () => {
    accepts(parseMxcUri, ['mxc://example.org/abc-DEF_1', 'mxc://[::1]:80/x']);
    refuses(parseMxcUri, [
      'mxc://example.org',
      'mxc://example.org/',
      'mxc:///a',
      'mxc://x/a/b',
      'mxc://x/..',
      'mxc://x/a?b',
    ]);
    assert.deepEqual(splitMxcUri('mxc://x:1/y'), { serverName: 'x:1', mediaId: 'y' });
    const server = parseServerName('x');
    assert.ok(server);
    assert.equal(makeMxcUri(server, 'abc'), 'mxc://x/abc');
    assert.equal(makeMxcUri(server, '../abc'), undefined);
  });

  it('opaque and namespaced identifiers follow their grammars', () => {
    assert.ok(isOpaqueId('aZ0-._~') && !isOpaqueId('') && !isOpaqueId('a/b') && !isOpaqueId('a'.repeat(256)));
    assert.ok(
      isNamespacedId('m.login.password') && !isNamespacedId('1a') && !isNamespacedId('M.x') && !isNamespacedId(''),
    );
  });
});
