import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { z } from 'zod';
import { BODY_BYTES_MAX_DEFAULT, type PathParams, rawJson, reply, route } from './route.ts';

/** Fails to compile unless both types are the same. */
function sameType<A, B>(..._: [A] extends [B] ? ([B] extends [A] ? [] : [never]) : [never]): void {}

describe('route()', () => {
  it('gives the handler types that follow from the declaration', () => {
    route({
      method: 'PUT',
      path: '/_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}',
      operationId: 'sendMessage',
      spec: 'client-server-api/#put_matrixclientv3roomsroomidsendeventtypetxnid',
      auth: 'user',
      body: z.looseObject({ body: z.string() }),
      query: z.object({ ts: z.coerce.number().optional() }),
      handle: ({ params, query, body, requester }) => {
        sameType<typeof params, PathParams<'/{roomId}/{eventType}/{txnId}'>>();
        sameType<typeof query.ts, number | undefined>();
        sameType<typeof body.body, string>();
        sameType<typeof requester.isGuest, boolean>();
        return { event_id: params.txnId };
      },
    });
    route({
      method: 'GET',
      path: ['/a/{x}', '/a/{x}/{y}'],
      operationId: 'two',
      spec: 'none',
      auth: 'none',
      handle: ({ params, body, requester, query }) => {
        sameType<typeof params.x, string>();
        sameType<typeof params.y, string | undefined>();
        sameType<typeof body, undefined>();
        sameType<typeof requester, undefined>();
        sameType<typeof query, undefined>();
        return Math.random() > 2 ? rawJson('{}') : reply({ status: 204 });
      },
    });
    route({
      method: 'POST',
      path: '/_matrix/federation/v1/x',
      operationId: 'typedAnswer',
      spec: 'none',
      auth: 'federation',
      body: 'raw',
      response: z.object({ origin: z.string() }),
      handle: ({ requester, body }) => {
        sameType<ReturnType<typeof body.bytes>, Promise<Buffer>>();
        return { origin: requester.origin };
      },
    });
  });

  it('refuses at compile time an answer that is not of the declared shape', () => {
    route({
      method: 'GET',
      path: '/x',
      operationId: 'wrong',
      spec: 'none',
      auth: 'none',
      response: z.object({ origin: z.string() }),
      // @ts-expect-error: the answer lacks `origin`
      handle: () => ({ other: 1 }),
    });
  });

  it('derives the resource from path and authentication, and fills in defaults', () => {
    const make = (path: string, auth: 'none' | 'admin') =>
      route({ method: 'POST', path, operationId: 'x', spec: 'none', auth, handle: () => ({}) });
    assert.equal(make('/_matrix/client/v3/x', 'none').resource, 'client');
    assert.equal(make('/_matrix/federation/v1/version', 'none').resource, 'federation');
    assert.equal(make('/_matrix/key/v2/server', 'none').resource, 'federation');
    assert.equal(make('/_synapse/admin/v1/register', 'none').resource, 'admin');
    const plain = make('/_matrix/client/v3/x', 'none');
    assert.equal(plain.bodyBytesMax, BODY_BYTES_MAX_DEFAULT);
    assert.equal(plain.body, 'none');
    assert.equal(plain.allowSuspended, false);
  });
});
