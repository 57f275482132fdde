/**
 * Property: whatever people do in a room, the unread and highlight counts that /sync tells are those of a plain model (unread-model.ts).
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import type { AnswerBody } from '../../src/testing/http-client.ts';
import { TestServer } from '../../src/testing/test-server.ts';
import type { TestUser } from '../../src/testing/test-user.ts';
import { createRoom, join, leave, ok, sync } from './sync-client.ts';
import { type Mention, type ModelEvent, type ModelRoom, UnreadModel } from './unread-model.ts';

/** More than these are for who changed the counting: they take a second for each ten. */
const SEQUENCES = Number(process.env.INGLENOOK_UNREAD_SEQUENCES ?? 60);
const SEED = Number(process.env.INGLENOOK_UNREAD_SEED ?? 20_261_121);
const STEPS_MAX = 14;

const who = fc.constantFrom('alice' as const, 'carol' as const, 'bob' as const);
const mention = fc.constantFrom<Mention>('nobody', 'nobody', 'user', 'room');
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      act: fc.constant('send' as const),
      who,
      mention,
      thread: fc.option(fc.nat(), { freq: 2, nil: undefined }),
      isNotice: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ act: fc.constant('edit' as const), target: fc.nat(), mention }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('react' as const), who, target: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constant('redact' as const), target: fc.nat() }) },
  {
    weight: 3,
    arbitrary: fc.record({
      act: fc.constant('read' as const),
      target: fc.nat(),
      isPrivate: fc.boolean(),
      isThreaded: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('mark' as const), target: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('state' as const), who: fc.constant('alice' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ act: fc.constant('ignore' as const), ignored: fc.subarray(['alice', 'carol'] as const) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ act: fc.constant('leave' as const), isForgotten: fc.boolean(), isKicked: fc.boolean() }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

describe('unread counts', () => {
  let hs: TestServer;
  const users = new Map<string, TestUser>();
  before(async () => {
    hs = await TestServer.start({ inProcess: true });
    for (const name of ['alice', 'bob', 'carol']) users.set(name, await hs.register(name));
  });
  after(() => hs[Symbol.asyncDispose]());

  it('are those of a plain model after any sequence of events, receipts, ignoring and leaving', async () => {
    const property = fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: STEPS_MAX }), async (steps) => {
      const room = await RoomOfThree.create(users);
      for (const one of steps) {
        await room.run(one);
        await room.check();
      }
      await room.checkWithoutThreads();
    });
    await fc.assert(property, { numRuns: SEQUENCES, seed: SEED });
  });
});

/** A room where alice has power, and what bob is told of it. */
class RoomOfThree {
  readonly #users: ReadonlyMap<string, TestUser>;
  readonly #roomId: string;
  readonly #model: UnreadModel;
  #txn = 0;
  #since: string | undefined;
  /** What the incremental sync told last. */
  #told: ModelRoom | undefined;

  private constructor(users: ReadonlyMap<string, TestUser>, roomId: string) {
    this.#users = users;
    this.#roomId = roomId;
    this.#model = new UnreadModel(this.#user('bob').userId);
  }

  static async create(users: ReadonlyMap<string, TestUser>): Promise<RoomOfThree> {
    const alice = users.get('alice');
    assert(alice !== undefined);
    const room = new RoomOfThree(users, await createRoom(alice));
    for (const name of ['carol', 'bob']) await join(room.#user(name), room.#roomId);
    await room.#ignore([]);
    return room;
  }

  async run(one: Step): Promise<void> {
    const { events } = this.#model;
    const target = 'target' in one && events.length > 0 ? events[one.target % events.length] : undefined;
    const said = target !== undefined && (target.kind === 'message' || target.kind === 'notice') && !target.isRedacted;
    if (one.act === 'send') await this.#send(one);
    else if (one.act === 'edit' && said) await this.#edit(target, one.mention);
    else if (one.act === 'react' && said) await this.#react(one.who, target);
    else if (one.act === 'redact' && said) await this.#redact(target);
    else if (one.act === 'read' && target !== undefined) await this.#read(target, one.isPrivate, one.isThreaded);
    else if (one.act === 'mark' && target !== undefined) await this.#mark(target);
    else if (one.act === 'state') await this.#topic();
    else if (one.act === 'ignore') await this.#ignore(one.ignored);
    else if (one.act === 'leave') await this.#comeBack(one.isForgotten, one.isKicked);
  }

  /** The counts of an initial sync, and those that an incremental one has told. */
  async check(): Promise<void> {
    const expected = this.#model.counts();
    const whole = await this.#sync(undefined);
    assert.deepEqual(countsIn(whole.rooms.join[this.#roomId]), expected);
    const next = await this.#sync(this.#since);
    this.#since = next.next_batch;
    const room: AnswerBody = next.rooms?.join?.[this.#roomId];
    if (room !== undefined) {
      this.#told = countsIn(room);
      assert.deepEqual(this.#told, expected, 'told by an incremental sync');
    }
  }

  /** Clients that don't tell threads apart get the sum. */
  async checkWithoutThreads(): Promise<void> {
    const { main, threads } = this.#model.counts();
    const answer = await sync(this.#user('bob'), { filter: { room: { rooms: [this.#roomId] } } });
    const room = answer.rooms.join[this.#roomId];
    assert.equal('unread_thread_notifications' in room, false);
    const all = [main, ...Object.values(threads)];
    const sum = (pick: (counts: typeof main) => number) => all.reduce((total, counts) => total + pick(counts), 0);
    assert.deepEqual(room.unread_notifications, {
      notification_count: sum((counts) => counts.notification),
      highlight_count: sum((counts) => counts.highlight),
    });
  }

  #sync(since: string | undefined): Promise<AnswerBody> {
    const timeline = { limit: 20, unread_thread_notifications: true };
    const filter = { room: { rooms: [this.#roomId], timeline, state: { types: [] } } };
    return sync(this.#user('bob'), { filter, ...(since === undefined ? {} : { since }) });
  }

  #user(name: string): TestUser {
    const user = this.#users.get(name);
    assert(user !== undefined);
    return user;
  }

  #nameOf(userId: string): string {
    return userId.slice(1, userId.indexOf(':'));
  }

  async #put(
    name: string,
    type: string,
    content: object,
    event: Omit<ModelEvent, 'id' | 'sender' | 'mayNotifyRoom' | 'isRedacted'>,
  ) {
    const path = `/rooms/${this.#roomId}/send/${type}/u${this.#roomId.slice(1, 9)}${this.#txn++}`;
    const { event_id: id } = await ok(this.#user(name), 'PUT', path, content);
    const sender = this.#user(name).userId;
    this.#model.add({ ...event, id, sender, mayNotifyRoom: name === 'alice', isRedacted: false });
  }

  #mentions(whom: Mention): object {
    if (whom === 'nobody') return {};
    return { 'm.mentions': whom === 'room' ? { room: true } : { user_ids: [this.#user('bob').userId] } };
  }

  async #send(one: { who: string; mention: Mention; thread: number | undefined; isNotice: boolean }): Promise<void> {
    const roots = this.#model.events.filter(({ kind, thread }) => kind === 'message' && thread === undefined);
    const root = one.thread === undefined ? undefined : roots[one.thread % Math.max(1, roots.length)];
    const relation = root === undefined ? {} : { 'm.relates_to': { rel_type: 'm.thread', event_id: root.id } };
    const isNotice = one.isNotice && one.mention !== 'nobody';
    const content = {
      msgtype: isNotice ? 'm.notice' : 'm.text',
      body: 'x',
      ...this.#mentions(one.mention),
      ...relation,
    };
    const kind = isNotice ? 'notice' : 'message';
    await this.#put(one.who, 'm.room.message', content, { kind, mention: one.mention, thread: root?.id });
  }

  async #edit({ id, sender, thread }: ModelEvent, whom: Mention): Promise<void> {
    const text = { msgtype: 'm.text', body: 'y' };
    const relation = { 'm.relates_to': { rel_type: 'm.replace', event_id: id } };
    const content = { ...text, 'm.new_content': text, ...this.#mentions(whom), ...relation };
    await this.#put(this.#nameOf(sender), 'm.room.message', content, { kind: 'edit', mention: whom, thread });
  }

  async #react(name: string, { id, thread }: ModelEvent): Promise<void> {
    const content = { 'm.relates_to': { rel_type: 'm.annotation', event_id: id, key: `k${this.#txn}` } };
    await this.#put(name, 'm.reaction', content, { kind: 'reaction', mention: 'nobody', thread });
  }

  /** By alice, who may. */
  async #redact(target: ModelEvent): Promise<void> {
    const path = `/rooms/${this.#roomId}/redact/${target.id}/r${this.#roomId.slice(1, 9)}${this.#txn++}`;
    const { event_id: id } = await ok(this.#user('alice'), 'PUT', path, {});
    target.isRedacted = true;
    const sender = this.#user('alice').userId;
    this.#model.add({
      id,
      sender,
      kind: 'redaction',
      mention: 'nobody',
      mayNotifyRoom: true,
      thread: undefined,
      isRedacted: false,
    });
  }

  async #read({ id, thread }: ModelEvent, isPrivate: boolean, isThreaded: boolean): Promise<void> {
    const where = isThreaded ? (thread ?? 'main') : undefined;
    const path = `/rooms/${this.#roomId}/receipt/${isPrivate ? 'm.read.private' : 'm.read'}/${id}`;
    await ok(this.#user('bob'), 'POST', path, where === undefined ? {} : { thread_id: where });
    this.#model.read(id, where);
  }

  async #mark({ id }: ModelEvent): Promise<void> {
    await ok(this.#user('bob'), 'POST', `/rooms/${this.#roomId}/read_markers`, { 'm.fully_read': id, 'm.read': id });
    this.#model.read(id, undefined);
  }

  async #topic(): Promise<void> {
    const path = `/rooms/${this.#roomId}/state/m.room.topic`;
    const { event_id: id } = await ok(this.#user('alice'), 'PUT', path, { topic: `t${this.#txn++}` });
    const sender = this.#user('alice').userId;
    this.#model.add({
      id,
      sender,
      kind: 'state',
      mention: 'nobody',
      mayNotifyRoom: true,
      thread: undefined,
      isRedacted: false,
    });
  }

  async #ignore(names: readonly string[]): Promise<void> {
    const bob = this.#user('bob');
    const ids = names.map((name) => this.#user(name).userId);
    const ignored = Object.fromEntries(ids.map((userId) => [userId, {}]));
    await ok(bob, 'PUT', `/user/${bob.userId}/account_data/m.ignored_user_list`, { ignored_users: ignored });
    this.#model.ignored = new Set(ids);
  }

  async #comeBack(isForgotten: boolean, isKicked: boolean): Promise<void> {
    const bob = this.#user('bob');
    if (isKicked) await ok(this.#user('alice'), 'POST', `/rooms/${this.#roomId}/kick`, { user_id: bob.userId });
    else await leave(bob, this.#roomId);
    if (isForgotten) await ok(bob, 'POST', `/rooms/${this.#roomId}/forget`, {});
    await this.#send({ who: 'alice', mention: 'user', thread: undefined, isNotice: false });
    await join(bob, this.#roomId);
    this.#model.rejoin();
  }
}

function countsIn(room: AnswerBody): ModelRoom {
  const of = (counts: { notification_count: number; highlight_count: number }) => ({
    notification: counts.notification_count,
    highlight: counts.highlight_count,
  });
  const threads: Record<string, ReturnType<typeof of>> = {};
  for (const [root, counts] of Object.entries(room.unread_thread_notifications)) {
    const { notification, highlight } = of(counts as Parameters<typeof of>[0]);
    if (notification > 0 || highlight > 0) threads[root] = { notification, highlight };
  }
  return { main: of(room.unread_notifications), threads };
}
