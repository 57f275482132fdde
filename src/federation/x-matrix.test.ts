import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatXMatrix, parseXMatrix } from './x-matrix.ts';

describe('the X-Matrix header', () => {
  const parsed = { origin: 'a.example', destination: 'b.example:8448', keyId: 'ed25519:k_1', signature: 'c2ln+/' };

  const accepted: readonly (readonly [what: string, header: string])[] = [
    ['quotes', 'X-Matrix origin="a.example",destination="b.example:8448",key="ed25519:k_1",sig="c2ln+/"'],
    ['another order', 'X-Matrix sig="c2ln+/",key="ed25519:k_1",destination="b.example:8448",origin="a.example"'],
    [
      'no quotes, with a colon in a value',
      'X-Matrix origin=a.example,destination=b.example:8448,key=ed25519:k_1,sig=c2ln+/',
    ],
    [
      'spaces around commas',
      'X-Matrix origin="a.example" , destination="b.example:8448",\tkey="ed25519:k_1", sig="c2ln+/"',
    ],
    ['names in capitals', 'x-matrix ORIGIN="a.example",Destination="b.example:8448",KEY="ed25519:k_1",Sig="c2ln+/"'],
    ['escaped characters', 'X-Matrix origin="a\\.example",destination="b.example:8448",key="ed25519:k_1",sig="c2ln+/"'],
    [
      'parameters of the future',
      'X-Matrix origin="a.example",destination="b.example:8448",key="ed25519:k_1",sig="c2ln+/",v="2"',
    ],
  ];
  for (const [what, header] of accepted) {
    it(`is read with ${what}`, () => assert.deepEqual(parseXMatrix(header), parsed));
  }

  it('is read without a destination, as old servers write it', () => {
    const found = parseXMatrix('X-Matrix origin=a.example,key="ed25519:k_1",sig="c2ln"');
    assert.equal(found?.destination, undefined);
    assert.equal(found?.origin, 'a.example');
  });

  const refused: readonly (readonly [what: string, header: string])[] = [
    ['another scheme', 'Bearer abc'],
    ['no origin', 'X-Matrix key="ed25519:k_1",sig="c2ln"'],
    ['no signature', 'X-Matrix origin="a.example",key="ed25519:k_1"'],
    ['an origin that is no server name', 'X-Matrix origin="a example",key="ed25519:k_1",sig="c2ln"'],
    ['a key that is no key id', 'X-Matrix origin="a.example",key="k",sig="c2ln"'],
    ['a parameter twice', 'X-Matrix origin="a.example",origin="b.example",key="ed25519:k_1",sig="c2ln"'],
    ['an open quote', 'X-Matrix origin="a.example,key="ed25519:k_1",sig="c2ln'],
    ['text behind', 'X-Matrix origin="a.example",key="ed25519:k_1",sig="c2ln" and more'],
    ['too much of it', `X-Matrix origin="a.example",key="ed25519:k_1",sig="${'x'.repeat(5000)}"`],
  ];
  for (const [what, header] of refused) {
    it(`is refused with ${what}`, () => assert.equal(parseXMatrix(header), undefined));
  }

  it('is written as it is read', () => {
    const origin = parseXMatrix(accepted[0]?.[1] ?? '')?.origin ?? assert.fail();
    const found = parseXMatrix(
      formatXMatrix(origin, origin, parseXMatrix(accepted[0]?.[1] ?? '')?.keyId ?? assert.fail(), 'c2ln'),
    );
    assert.deepEqual(found, { origin, destination: origin, keyId: 'ed25519:k_1', signature: 'c2ln' });
  });
});
