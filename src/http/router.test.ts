import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { sampleRoutes } from '../testing/sample-http.ts';
import { openApi, routesMarkdown } from './docs.ts';
import { route } from './route.ts';
import { createRouter } from './router.ts';

const get = (path: string) =>
  route({ method: 'GET', path, operationId: path, spec: 'inglenook', auth: 'none', handle: () => ({}) });

describe('the router', () => {
  it('refuses a table that contradicts itself', () => {
    assert.throws(() => createRouter([get('/a'), get('/a')]), /Two routes for GET \/a/);
    assert.throws(() => createRouter([get('/a/{x}'), get('/a/{y}')]), /name their params differently/);
  });

  it('prefers fixed segments, is case sensitive, and has no empty params', () => {
    const router = createRouter([get('/a/{x}'), get('/a/fixed'), get('/a/{x}/end'), get('/c:d/{x}')]);
    const found = (target: string) => {
      const match = router.find(target);
      return typeof match === 'object' ? [match.entry.byMethod.GET?.operationId, match.params.x] : match;
    };
    assert.deepEqual(found('/a/fixed'), ['/a/fixed', undefined]);
    assert.deepEqual(found('/a/Fixed'), ['/a/{x}', 'Fixed']);
    assert.deepEqual(found('/a/fixed/end'), ['/a/{x}/end', 'fixed']);
    assert.deepEqual(found('/c:d/1'), ['/c:d/{x}', '1']);
    for (const target of ['/A/fixed', '/a/', '/a//end', '/b', '']) assert.equal(found(target), undefined);
    assert.equal(found('/a/%ff'), 'bad');
  });

  it('prints its table as Markdown and OpenAPI', () => {
    const text = routesMarkdown(sampleRoutes());
    assert.match(text, /\| GET \| `\/_matrix\/client\/v3\/account\/whoami` \| whoami \| guest \|/);
    const document = openApi(sampleRoutes(), { title: 'Inglenook', version: '1' });
    const send = document.paths['/_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}'];
    assert.match(JSON.stringify(send), /"operationId":"send".*"msgtype":\{"type":"string"\}/);
  });
});
