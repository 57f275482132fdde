/** What tests of several servers do with rooms, over the client API. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TestUser } from './test-user.ts';

const WAIT_MS = 20_000;
const e = encodeURIComponent;

/** Looks again until it is right. */
export async function eventually<T>(look: () => Promise<T>, isRight: (value: T) => boolean): Promise<T> {
  const until = performance.now() + WAIT_MS;
  for (;;) {
    const value = await look();
    if (isRight(value)) return value;
    if (performance.now() > until) assert.fail(`not in time: ${JSON.stringify(value)}`);
    await sleep(50);
  }
}

export async function createRoom(user: TestUser, options: object = {}): Promise<string> {
  const created = await user.request('POST', '/_matrix/client/v3/createRoom', { preset: 'public_chat', ...options });
  assert.equal(created.status, 200, created.bytes.toString());
  return created.body.room_id;
}

export async function join(user: TestUser, room: string, via: string): Promise<void> {
  const joined = await user.request(
    'POST',
    `/_matrix/client/v3/join/${e(room)}?via=${e(via)}&server_name=${e(via)}`,
    {},
  );
  assert.equal(joined.status, 200, joined.bytes.toString());
}

/** `invite`, `kick`, `ban`, `unban`, `leave`. */
export async function act(user: TestUser, roomId: string, what: string, target?: string): Promise<void> {
  const body = target === undefined ? {} : { user_id: target };
  const answer = await user.request('POST', `/_matrix/client/v3/rooms/${e(roomId)}/${what}`, body);
  assert.equal(answer.status, 200, answer.bytes.toString());
}

export async function send(user: TestUser, roomId: string, body: string): Promise<string> {
  const target = `/_matrix/client/v3/rooms/${e(roomId)}/send/m.room.message/${e(body)}`;
  const sent = await user.request('PUT', target, { msgtype: 'm.text', body });
  assert.equal(sent.status, 200, sent.bytes.toString());
  return sent.body.event_id;
}

export async function setState(user: TestUser, roomId: string, type: string, content: object): Promise<void> {
  const set = await user.request('PUT', `/_matrix/client/v3/rooms/${e(roomId)}/state/${e(type)}/`, content);
  assert.equal(set.status, 200, set.bytes.toString());
}

export async function stateContent(user: TestUser, roomId: string, type: string, key = '') {
  return (await user.request('GET', `/_matrix/client/v3/rooms/${e(roomId)}/state/${e(type)}/${e(key)}`)).body;
}

export async function membership(viewer: TestUser, roomId: string, userId: string): Promise<string | undefined> {
  return (await stateContent(viewer, roomId, 'm.room.member', userId))?.membership;
}

/** The texts of the latest messages, oldest first. */
export async function texts(user: TestUser, roomId: string): Promise<readonly string[]> {
  const page = await user.request('GET', `/_matrix/client/v3/rooms/${e(roomId)}/messages?dir=b&limit=100`);
  const events: { content: { body?: string } }[] = page.body?.chunk ?? [];
  return events.flatMap((event) => event.content.body ?? []).reverse();
}

/** The ids of all rooms that a user is in. */
export async function joinedRooms(user: TestUser): Promise<readonly string[]> {
  return (await user.request('GET', '/_matrix/client/v3/joined_rooms')).body.joined_rooms;
}
