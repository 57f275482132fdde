import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { renderStartPage } from './start-page.ts';

const facts = {
  serverName: 'localhost',
  version: '1.0.0',
  webClient: true,
  mayRegister: true,
  hasAccounts: false,
  nextIsAdmin: true,
};

describe('the start page', () => {
  it('leads the first visitor to an account and to the client', () => {
    const html = renderStartPage(facts);
    assert.match(html, /href="\/_web\/register"/);
    assert.match(html, /href="\/_web\/"/);
    assert.match(html, /user create/);
  });

  it('offers no registration where the visitor may not register', () => {
    assert.doesNotMatch(renderStartPage({ ...facts, mayRegister: false }), /\/_web\/register/);
    assert.doesNotMatch(renderStartPage({ ...facts, mayRegister: false, hasAccounts: true }), /\/_web\/register/);
  });

  it('does not lead to a client that is switched off', () => {
    assert.doesNotMatch(renderStartPage({ ...facts, webClient: false }), /href="\/_web\/"/);
  });

  it('escapes what it shows', () => {
    const html = renderStartPage({ ...facts, serverName: '<script>"&' });
    assert.doesNotMatch(html, /<script>"/);
    assert.match(html, /&#60;script&#62;&#34;&#38;/);
  });
});
