import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseServerName } from '../protocol/ids/index.ts';
import type { JsonObject } from '../protocol/json/index.ts';
import { Destination, type DestinationPort } from './federation-destination.ts';

const NAME = parseServerName('away.example') ?? assert.fail();

/** A sender whose other server never answers; `kept` is what goes into the database. */
function portOfNobody(kept: Map<string, JsonObject>): DestinationPort {
  return {
    transact: () => Promise.reject(new Error('away')),
    catchUp: async () => ({ events: [], upTo: 0 }),
    handedOut: () => 0,
    noteBehind: async () => undefined,
    stored: async () => ({ edus: [], confirm: async () => undefined }),
    keep: async (_server, edus) => {
      for (const [key, edu] of edus) kept.set(key, edu);
    },
    failed: () => undefined,
    waitMs: () => 3_600_000,
  };
}

describe('ephemeral events for a server that is away', () => {
  it('are kept where they are of use later, however many others wait', async () => {
    const kept = new Map<string, JsonObject>();
    const destination = new Destination(NAME, portOfNobody(kept), undefined);
    for (let index = 0; index < 2_000; index++) destination.addEdu(`typing ${index}`, { index }, false);
    destination.addEdu('receipt', { is: 'first' }, true);
    destination.addEdu('receipt', { is: 'second' }, true);
    await destination.close();
    assert.deepEqual([...kept], [['receipt', { is: 'second' }]]);
  });

  it('are replaced by newer ones of their key, also in a full queue', async () => {
    const kept = new Map<string, JsonObject>();
    const destination = new Destination(NAME, portOfNobody(kept), undefined);
    for (let index = 0; index < 2_000; index++) destination.addEdu(`receipt ${index}`, { is: 'old' }, true);
    destination.addEdu('receipt 7', { is: 'new' }, true);
    destination.addEdu('one more', { is: 'new' }, true);
    await destination.close();
    assert.equal(kept.size, 2_001);
    assert.deepEqual([kept.get('receipt 7'), kept.get('one more')], [{ is: 'new' }, { is: 'new' }]);
  });
});
