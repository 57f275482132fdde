import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseClaimTemplate } from '../config/claim-template.ts';
import { makeConfig } from '../config/index.ts';
import { identityOf, isAllowed, suggestedName } from './identity.ts';

describe('the template of a claim', () => {
  const fill = (text: string, claims: Parameters<NonNullable<ReturnType<typeof parseClaimTemplate>>>[0]) =>
    parseClaimTemplate(text)?.(claims);

  it('fills places, goes into claims, and applies filters', () => {
    const claims = { email: 'Ann.Lee@Example.com', name: { given: 'Ann' }, 'https://x.org/id': 7 };
    assert.equal(fill('{email|before_at|lower}', claims), 'ann.lee');
    assert.equal(fill('{email|after_at}', claims), 'Example.com');
    assert.equal(fill('u-{https://x.org/id}', claims), 'u-7');
    assert.equal(fill('{name.given} {name.family}', claims), 'Ann');
    assert.equal(fill('constant', claims), 'constant');
  });

  it('is empty where no place could be filled, whatever stands around it', () => {
    assert.equal(fill('x-{missing}', {}), '');
    assert.equal(fill('{constructor}{__proto__.x}{toString}', {}), '');
    assert.equal(fill('{list}', { list: ['a'] }), '');
  });

  it('must make sense', () => {
    for (const bad of ['{', '}', '{a', '{a|nothing}', '{{a}}', '{}', '{a|}']) {
      assert.equal(parseClaimTemplate(bad), undefined, bad);
    }
  });
});

describe('what becomes of claims', () => {
  const { sso } = makeConfig(
    {
      server: { public_url: 'https://hs.example.org' },
      sso: {
        providers: [{ id: 'p', name: 'P', issuer: 'https://idp.example.org', client_id: 'c', client_secret: 's' }],
      },
    },
    '/',
  );
  const [config] = sso.providers;
  assert.ok(config);

  it('takes e-mail addresses only where they are verified', () => {
    const of = (claims: object) => identityOf(config, { sub: '1', email: 'A@b.c', ...claims }, 5)?.verifiedEmail;
    assert.equal(of({ email_verified: true }), 'a@b.c');
    assert.equal(of({}), undefined);
    assert.equal(of({ email_verified: false }), undefined);
    assert.equal(of({ email_verified: 1 }), undefined);
  });

  it('needs a subject, and cuts what is too long', () => {
    assert.equal(identityOf(config, {}, 5), undefined);
    assert.equal(identityOf(config, { sub: 'x'.repeat(256) }, 5), undefined);
    assert.equal(identityOf(config, { sub: '1', name: 'x'.repeat(5000) }, 5)?.displayName?.length, 255);
    assert.equal(identityOf(config, { sub: '1', picture: 'javascript:x' }, 5)?.picture, undefined);
  });

  it('lets in whoever has one of the values in each of the claims', () => {
    const allow = [
      { claim: 'groups', values: ['staff', 'friends'] },
      { claim: 'hd', values: ['example.org'] },
    ];
    assert.ok(isAllowed({ allow }, { groups: ['x', 'friends'], hd: 'example.org' }));
    assert.ok(!isAllowed({ allow }, { groups: ['friends'] }));
    assert.ok(!isAllowed({ allow }, { groups: ['friends'], hd: 'example.org.evil' }));
    assert.ok(!isAllowed({ allow }, { groups: [['friends']], hd: 'example.org' }));
    assert.ok(!isAllowed({ allow: [{ claim: 'x', values: ['undefined', 'null'] }] }, { y: null }));
    assert.ok(isAllowed({ allow: [] }, {}));
  });

  it('makes names of what is none', () => {
    assert.equal(suggestedName('jürgen müller'), 'jurgenmuller');
    assert.equal(suggestedName('__x'), 'x');
    assert.equal(suggestedName('李'), '');
  });
});
