/** What the tests of the client-server API share. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TestUser } from '../../src/testing/test-user.ts';

export const V1 = '/_matrix/client/v1';
export const V3 = '/_matrix/client/v3';

let lastTxn = 0;

/** A transaction id that no other test uses. */
export function newTxn(): string {
  lastTxn++;
  return `txn${lastTxn}`;
}

/** Creates a room, which anybody may join unless the options say otherwise. */
export async function createRoom(user: TestUser, options: object = {}): Promise<string> {
  const { status, body } = await user.request('POST', `${V3}/createRoom`, { preset: 'public_chat', ...options });
  assert.equal(status, 200, JSON.stringify(body));
  return body.room_id;
}

/** Joins a room by its id. */
export async function join(user: TestUser, roomId: string): Promise<void> {
  const { status, body } = await user.request('POST', `${V3}/join/${encodeURIComponent(roomId)}`, {});
  assert.equal(status, 200, JSON.stringify(body));
}

/** Sends an event and returns its id. */
export async function send(user: TestUser, roomId: string, type: string, content: object): Promise<string> {
  const target = `${V3}/rooms/${encodeURIComponent(roomId)}/send/${type}/${newTxn()}`;
  const { status, body } = await user.request('PUT', target, content);
  assert.equal(status, 200, JSON.stringify(body));
  return body.event_id;
}

/** Says something. */
export function say(user: TestUser, roomId: string, text: string): Promise<string> {
  return send(user, roomId, 'm.room.message', { msgtype: 'm.text', body: text });
}

/** Repeats a check until it holds: what follows the events does so a moment later. */
export async function eventually(check: () => Promise<void>, attempts = 150): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await check();
      return;
    } catch (error) {
      if (attempt >= attempts) throw error;
      await sleep(20);
    }
  }
}
