import assert from 'node:assert/strict';
import type { BadInputCase } from './bad-input.ts';
import type { HttpClient } from './http-client.ts';

/** Sends the case's request and asserts status, errcode, and that the answer is a standard error response. */
export async function checkBadInput(
  client: HttpClient,
  one: BadInputCase,
  tokens: { readonly user: string; readonly admin: string },
): Promise<void> {
  const token = one.token === undefined ? undefined : one.token === 'unknown' ? 'nobody_has_this' : tokens[one.token];
  // What is announced is never sent, so that the connection is of no use afterwards.
  const headers =
    one.announcedBytes === undefined ? {} : { 'content-length': String(one.announcedBytes), connection: 'close' };
  const answer = await client.request(one.method, one.path, { token, body: one.body, headers });
  const seen = `${one.method} ${one.path}: ${answer.status} ${answer.bytes.toString('utf8', 0, 200)}`;
  assert.ok(one.statuses.includes(answer.status), seen);
  assert.ok(one.errcodes.includes(answer.body?.errcode), seen);
  assert.equal(typeof answer.body.error, 'string', seen);
  assert.match(answer.headers['content-type'] ?? '', /^application\/json/, seen);
}
