import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { badInputCases } from '../testing/bad-input.ts';
import { checkBadInput } from '../testing/check-bad-input.ts';
import { sampleRoutes, startSampleHttp } from '../testing/sample-http.ts';

describe('bad input on sample routes of each kind', () => {
  it('is refused with the status and errcode of the specification', async () => {
    await using http = await startSampleHttp();
    const cases = badInputCases(sampleRoutes());
    assert.ok(cases.length > 60);
    for (const one of cases) await checkBadInput(http.client, one, { user: 'user', admin: 'admin' });
  });
});
