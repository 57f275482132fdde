import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isTrusted, parseRedirectUrl, withLoginToken } from './redirect-url.ts';

describe('the address of a client', () => {
  it('is a web address or that of an app, and nothing that runs or shows what it is given', () => {
    assert.equal(parseRedirectUrl('https://app.example.com/x?y#z')?.client, 'https://app.example.com');
    assert.equal(parseRedirectUrl('http://localhost:8080/')?.client, 'http://localhost:8080');
    assert.equal(parseRedirectUrl('element://connect/x')?.client, 'element://connect');
    assert.equal(parseRedirectUrl('im.fluffychat://login')?.policySource, 'im.fluffychat:');
    const bad = [
      'javascript:alert(1)',
      'JaVaScRiPt:x',
      'data:x',
      'https://',
      '//x',
      'x',
      '',
      'https://a:b@c/',
      'h ttps://x',
    ];
    for (const text of [...bad, 'https://x/\n', '\u0000https://x', 'file:///x', 'blob:https://x/1']) {
      assert.equal(parseRedirectUrl(text), undefined, JSON.stringify(text));
    }
  });

  it('gets the token into its query, and keeps the rest to the letter', () => {
    assert.equal(withLoginToken('https://a/', 't'), 'https://a/?loginToken=t');
    assert.equal(withLoginToken('https://a/?b=%20+c&d', 't'), 'https://a/?b=%20+c&d&loginToken=t');
    assert.equal(
      withLoginToken('https://a/?loginToken=x&b=1&login%54oken=y#/z?q', 't'),
      'https://a/?b=1&loginToken=t#/z?q',
    );
    assert.equal(withLoginToken('app:/cb', 't'), 'app:/cb?loginToken=t');
  });

  it('is trusted by origin and whole parts of the path', () => {
    const trusted = ['https://a.example/app', 'https://b.example/'];
    for (const good of ['https://a.example/app', 'https://a.example/app/x', 'https://b.example/anything?x']) {
      assert.ok(isTrusted(good, trusted), good);
    }
    const near = [
      'https://a.example/apps',
      'https://a.example/',
      'http://b.example/',
      'https://b.example.org/',
      'b.example://x',
    ];
    for (const bad of [...near, 'https://b.example:444/', 'https://a.example/app/../x'])
      assert.ok(!isTrusted(bad, trusted), bad);
  });
});
