import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { before, describe, it } from 'node:test';
import {
  compliancePage,
  currentPage,
  listEndpoints,
  notYet,
  servedSignatures,
  signature,
  testOf,
} from './compliance.ts';

describe('the endpoints of the specification v1.19', () => {
  let served: ReadonlySet<string>;
  before(async () => {
    served = await servedSignatures();
  });
  const isServed = (endpoint: { method: string; path: string }) =>
    served.has(signature(endpoint.method, endpoint.path));

  it('are all served, but those that are named as missing', () => {
    const missing = listEndpoints().filter((endpoint) => !isServed(endpoint) && notYet(endpoint) === undefined);
    assert.deepEqual(
      missing.map(({ method, path: at }) => `${method} ${at}`),
      [],
    );
  });

  it('are not named as missing where they are served', () => {
    const stale = listEndpoints().filter((endpoint) => isServed(endpoint) && notYet(endpoint) !== undefined);
    assert.deepEqual(
      stale.map(({ method, path: at }) => `${method} ${at}`),
      [],
    );
  });

  it('are tested in files that exist', () => {
    for (const endpoint of listEndpoints().filter(isServed)) {
      const test = testOf(endpoint);
      if (endpoint.api === 'cs') assert.ok(test !== undefined, `where is ${endpoint.operationId} tested?`);
      if (test !== undefined) assert.ok(existsSync(path.join(import.meta.dirname, test)), test);
    }
  });

  it('stand in docs/compliance.md as they are (write it with: node spec-tests/compliance.ts)', () => {
    assert.equal(currentPage(), compliancePage(served));
  });

  it('are compared whatever their params are called', () => {
    assert.equal(signature('GET', '/a/{b}/c/'), signature('GET', '/a/{x}/c'));
    assert.notEqual(signature('GET', '/a/{b}'), signature('PUT', '/a/{b}'));
  });
});
