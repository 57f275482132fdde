import assert from 'node:assert/strict';
import { TestServer } from '../../src/testing/test-server.ts';
import type { TestUser } from '../../src/testing/test-user.ts';

const V3 = '/_matrix/client/v3';

/** A user's actions in rooms, over HTTP; each must succeed. */
export class RoomUser {
  readonly user: TestUser;
  #txn = 0;

  constructor(user: TestUser) {
    this.user = user;
  }

  get userId(): string {
    return this.user.userId;
  }

  /** The body of a request that succeeds. */
  async ok(method: string, path: string, body?: unknown) {
    const response = await this.user.request(method, path, body);
    assert.equal(response.status, 200, `${method} ${path}: ${response.bytes.toString('utf8')}`);
    return response.body;
  }

  /** Status and errcode of a request that is refused. */
  async refused(method: string, path: string, body?: unknown): Promise<readonly [number, string]> {
    const response = await this.user.request(method, path, body);
    return [response.status, response.body.errcode];
  }

  async createRoom(options: object = {}): Promise<string> {
    return (await this.ok('POST', `${V3}/createRoom`, { preset: 'public_chat', ...options })).room_id;
  }

  async join(roomId: string): Promise<void> {
    await this.ok('POST', `${V3}/join/${encodeURIComponent(roomId)}`, {});
  }

  async leave(roomId: string): Promise<void> {
    await this.ok('POST', `${V3}/rooms/${roomId}/leave`, {});
  }

  /** The path that sends a new event. */
  sendPath(roomId: string, type = 'm.room.message'): string {
    return `${V3}/rooms/${roomId}/send/${type}/t${this.#txn++}`;
  }

  /** Sends a text message; returns its id. */
  async say(roomId: string, body: string, content: object = {}): Promise<string> {
    return (await this.ok('PUT', this.sendPath(roomId), { msgtype: 'm.text', body, ...content })).event_id;
  }

  /** Sends an event that relates to another one. */
  async relate(roomId: string, type: string, relation: object, content: object = {}): Promise<string> {
    return (await this.ok('PUT', this.sendPath(roomId, type), { ...content, 'm.relates_to': relation })).event_id;
  }

  async edit(roomId: string, eventId: string, body: string): Promise<string> {
    const relation = { rel_type: 'm.replace', event_id: eventId };
    const text = { msgtype: 'm.text', body };
    return this.relate(roomId, 'm.room.message', relation, { ...text, body: `* ${body}`, 'm.new_content': text });
  }

  async reply(roomId: string, root: string, body: string): Promise<string> {
    return this.relate(roomId, 'm.room.message', { rel_type: 'm.thread', event_id: root }, { msgtype: 'm.text', body });
  }

  async react(roomId: string, eventId: string, key: string): Promise<string> {
    return this.relate(roomId, 'm.reaction', { rel_type: 'm.annotation', event_id: eventId, key });
  }

  async redact(roomId: string, eventId: string, content: object = {}): Promise<string> {
    const path = `${V3}/rooms/${roomId}/redact/${eventId}/t${this.#txn++}`;
    return (await this.ok('PUT', path, content)).event_id;
  }

  async setState(roomId: string, type: string, content: object, stateKey = ''): Promise<string> {
    const path = `${V3}/rooms/${roomId}/state/${type}/${encodeURIComponent(stateKey)}`;
    return (await this.ok('PUT', path, content)).event_id;
  }

  async ignore(...userIds: readonly string[]): Promise<void> {
    const ignored_users = Object.fromEntries(userIds.map((userId) => [userId, {}]));
    await this.ok('PUT', `${V3}/user/${this.userId}/account_data/m.ignored_user_list`, { ignored_users });
  }

  /** The `m.relations` of an event, as `/event` has them. */
  async relationsOf(roomId: string, eventId: string) {
    return (await this.ok('GET', `${V3}/rooms/${roomId}/event/${eventId}`)).unsigned['m.relations'];
  }
}

/** Starts a server with three users on it. Dispose of the server after the tests. */
export async function startWithUsers() {
  const server = await TestServer.start({ inProcess: true });
  const user = async (name: string) => new RoomUser(await server.register(name));
  return { server, alice: await user('alice'), bob: await user('bob'), carol: await user('carol') };
}
