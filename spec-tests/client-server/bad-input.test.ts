/** Every endpoint of the real route table, with bad tokens, bodies, queries, methods; and paths that lead nowhere. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { badInputCases } from '../../src/testing/bad-input.ts';
import { checkBadInput } from '../../src/testing/check-bad-input.ts';
import { TestServer } from '../../src/testing/test-server.ts';

describe('bad input', () => {
  let server: TestServer;
  let tokens: { user: string; admin: string };

  before(async () => {
    server = await TestServer.start({ inProcess: true });
    const user = await server.register('alice');
    const admin = await server.register('root', { admin: true });
    tokens = { user: user.accessToken, admin: admin.accessToken };
  });
  after(() => server[Symbol.asyncDispose]());

  it('is refused by every route with the status and errcode of the specification', async () => {
    const cases = badInputCases(server.homeserver.routes);
    assert.ok(cases.length > 100);
    const failures: string[] = [];
    for (const one of cases) {
      try {
        await checkBadInput(server.client, one, tokens);
      } catch (error) {
        failures.push(`${one.name}: ${error instanceof Error ? error.message : error}`);
      }
    }
    assert.deepEqual(failures, []);
  });
});
