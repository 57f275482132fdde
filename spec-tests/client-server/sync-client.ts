/** What the tests of `/sync` share: users who act and sync, and what they look for in the answers. */
import assert from 'node:assert/strict';
import type { AnswerBody } from '../../src/testing/http-client.ts';
import type { TestServer } from '../../src/testing/test-server.ts';
import type { TestUser } from '../../src/testing/test-user.ts';

export const V3 = '/_matrix/client/v3';

/** A client event, as far as tests look at it. */
export interface ClientEvent {
  readonly event_id: string;
  readonly type: string;
  readonly sender: string;
  readonly state_key?: string;
  readonly content: Record<string, unknown>;
  readonly unsigned?: Record<string, unknown>;
}

let transactions = 0;

/** The answer of a request that must succeed. */
export async function ok(user: TestUser, method: string, path: string, body?: unknown): Promise<AnswerBody> {
  const response = await user.request(method, V3 + path, body);
  assert.equal(response.status, 200, `${method} ${path}: ${response.bytes.toString('utf8')}`);
  return response.body;
}

export async function createRoom(user: TestUser, options: object = { preset: 'public_chat' }): Promise<string> {
  return (await ok(user, 'POST', '/createRoom', options)).room_id;
}

export const join = (user: TestUser, roomId: string) => ok(user, 'POST', `/join/${roomId}`, {});
export const leave = (user: TestUser, roomId: string) => ok(user, 'POST', `/rooms/${roomId}/leave`, {});

/** An action of one user on another one's membership. */
export function onMember(
  user: TestUser,
  roomId: string,
  action: 'invite' | 'kick' | 'ban' | 'unban',
  target: TestUser,
) {
  return ok(user, 'POST', `/rooms/${roomId}/${action}`, { user_id: target.userId });
}

export async function say(user: TestUser, roomId: string, body: string, more: object = {}): Promise<string> {
  const path = `/rooms/${roomId}/send/m.room.message/s${transactions++}`;
  return (await ok(user, 'PUT', path, { msgtype: 'm.text', body, ...more })).event_id;
}

export async function setState(user: TestUser, roomId: string, type: string, key: string, content: object) {
  return (await ok(user, 'PUT', `/rooms/${roomId}/state/${type}/${key}`, content)).event_id as string;
}

export interface SyncParams {
  readonly since?: string;
  readonly filter?: object;
  readonly timeout?: number;
  readonly full_state?: boolean;
  readonly use_state_after?: boolean;
}

export function syncPath(params: SyncParams): string {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(params)) {
    query.set(key, typeof value === 'object' ? JSON.stringify(value) : String(value));
  }
  return `/sync?${query}`;
}

export function sync(user: TestUser, params: SyncParams = {}): Promise<AnswerBody> {
  return ok(user, 'GET', syncPath(params));
}

let pairs = 0;

/** Two new users in a room; `since` is where bob's first sync ended. */
export async function pairInRoom(server: TestServer) {
  const alice = await server.register(`alice-of-pair${pairs}`);
  const bob = await server.register(`bob-of-pair${pairs++}`);
  const roomId = await createRoom(alice);
  await join(bob, roomId);
  return { alice, bob, roomId, since: (await sync(bob)).next_batch };
}

/** What people said, in order. */
export function bodies(room: AnswerBody): unknown[] {
  return timeline(room)
    .filter((event) => event.type === 'm.room.message')
    .map((event) => event.content.body);
}

export function timeline(room: AnswerBody): readonly ClientEvent[] {
  return room.timeline.events;
}

/** `type|state_key` of a list of state events, sorted. */
export function keysOf(events: readonly ClientEvent[]): string[] {
  return events.map((event) => `${event.type}|${event.state_key}`).sort();
}

/** The users whose member events are in a list. */
export function membersIn(events: readonly ClientEvent[]): string[] {
  return events.flatMap((event) => (event.type === 'm.room.member' ? [event.state_key ?? ''] : [])).sort();
}

/** A promise's state, for requests that must be waiting. */
export async function isPending(promise: Promise<unknown>, afterMs = 80): Promise<boolean> {
  const pending = Symbol('pending');
  const later = new Promise((resolve) => setTimeout(() => resolve(pending), afterMs));
  return (await Promise.race([promise, later])) === pending;
}
