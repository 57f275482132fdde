import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MatrixError } from '../protocol/errors.ts';
import { parseServerName } from '../protocol/ids/index.ts';
import { RefusedError, toClientError, UnreachableError } from './errors.ts';

const OTHER = parseServerName('other.example') ?? assert.fail();

function told(error: unknown) {
  const shown = toClientError(error);
  assert(shown instanceof MatrixError);
  return [shown.status, shown.errcode];
}

describe('what a client is told of another server’s refusal', () => {
  it('names the version of a room that this server doesn’t know', () => {
    const body = { errcode: 'M_INCOMPATIBLE_ROOM_VERSION', error: 'too new', room_version: '99' };
    const shown = toClientError(new RefusedError(OTHER, 400, body));
    assert(shown instanceof MatrixError);
    assert.deepEqual([shown.status, shown.toBody()], [400, body]);
  });

  it('is no mistake of the client’s where the other server found our request wrong', () => {
    for (const errcode of ['M_MISSING_PARAM', 'M_INVALID_PARAM', 'M_BAD_JSON']) {
      assert.deepEqual(told(new RefusedError(OTHER, 400, { errcode })), [502, 'M_UNKNOWN'], errcode);
    }
    assert.deepEqual(told(new RefusedError(OTHER, 401, { errcode: 'M_UNKNOWN_TOKEN' })), [502, 'M_UNKNOWN']);
    assert.deepEqual(told(new UnreachableError(OTHER, 'gone')), [502, 'M_UNKNOWN']);
  });

  it('is the refusal itself where it is about the user', () => {
    assert.deepEqual(told(new RefusedError(OTHER, 403, { errcode: 'M_FORBIDDEN' })), [403, 'M_FORBIDDEN']);
    assert.deepEqual(told(new RefusedError(OTHER, 404, undefined)), [404, 'M_NOT_FOUND']);
    const cannot = { errcode: 'M_UNABLE_TO_AUTHORISE_JOIN' };
    assert.deepEqual(told(new RefusedError(OTHER, 400, cannot)), [400, 'M_UNABLE_TO_AUTHORISE_JOIN']);
  });
});
