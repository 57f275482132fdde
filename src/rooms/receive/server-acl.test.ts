import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseServerName } from '../../protocol/ids/index.ts';
import type { JsonObject } from '../../protocol/json/index.ts';
import { isServerAllowed } from './server-acl.ts';

const allows = (content: JsonObject | undefined, name: string) =>
  isServerAllowed(content, parseServerName(name) ?? assert.fail(name));

describe('the access list of a room', () => {
  it('lets everybody in where there is none, and nobody where it allows nobody', () => {
    assert.equal(allows(undefined, 'example.org'), true);
    for (const content of [{}, { allow: [] }, { allow: 'x' }, { allow: [7] }, { deny: [] }]) {
      assert.equal(allows(content, 'example.org'), false, JSON.stringify(content));
    }
  });

  it('denies before it allows', () => {
    const content = { allow: ['*'], deny: ['evil.example', '*.evil.example', 'b?d.example'] };
    for (const name of ['evil.example', 'a.b.evil.example', 'bad.example', 'EVIL.example', 'evil.example:8448']) {
      assert.equal(allows(content, name), false, name);
    }
    for (const name of ['good.example', 'notevil.example', 'bd.example', 'baad.example']) {
      assert.equal(allows(content, name), true, name);
    }
  });

  it('takes heed of neither case nor port', () => {
    const content = { allow: ['*.Example.org'] };
    assert.equal(allows(content, 'matrix.EXAMPLE.org:443'), true);
    assert.equal(allows(content, 'example.org'), false);
  });

  it('lets addresses in unless it says otherwise', () => {
    for (const name of ['192.0.2.1', '192.0.2.1:8448', '[2001:db8::1]', '[2001:db8::1]:8448']) {
      assert.equal(allows({ allow: ['*'] }, name), true, name);
      assert.equal(allows({ allow: ['*'], allow_ip_literals: false }, name), false, name);
    }
    assert.equal(allows({ allow: ['*'], allow_ip_literals: false }, 'example.org'), true);
    assert.equal(allows({ allow: ['*'], deny: ['[2001:db8::*]'] }, '[2001:db8::1]:1'), false);
  });

  it('is quick with patterns that are made to be slow', () => {
    const start = performance.now();
    assert.equal(allows({ allow: [`${'*a'.repeat(60)}b`] }, `${'a'.repeat(200)}.example`), false);
    assert(performance.now() - start < 100);
  });
});
