/**
 * Property: a client that syncs at random moments with random limits and fills the gaps from `/messages` ends with exactly
 * what its user may see, each event once and in order, and with the state as it is.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import type { AnswerBody } from '../../src/testing/http-client.ts';
import { TestServer } from '../../src/testing/test-server.ts';
import type { TestUser } from '../../src/testing/test-user.ts';
import {
  type ClientEvent,
  createRoom,
  join,
  leave,
  ok,
  onMember,
  say,
  setState,
  sync,
  timeline,
} from './sync-client.ts';

const ACTIONS = ['say', 'say', 'say', 'carol', 'topic', 'name', 'leave', 'join', 'kick', 'rename'] as const;
type Action = (typeof ACTIONS)[number];
type Step = { readonly act: Action } | { readonly limit: number; readonly stateAfter: boolean; readonly page: number };

const action = fc.constantFrom(...ACTIONS).map((act): Step => ({ act }));
const syncing = fc
  .record({ limit: fc.integer({ min: 1, max: 6 }), stateAfter: fc.boolean(), page: fc.integer({ min: 1, max: 4 }) })
  .map((step): Step => step);
const steps = fc.array(fc.oneof({ weight: 4, arbitrary: action }, { weight: 1, arbitrary: syncing }), {
  minLength: 5,
  maxLength: 45,
});

/** A client as its user sees one room. */
class RoomClient {
  readonly events: ClientEvent[] = [];
  readonly state = new Map<string, string>();
  #since: string | undefined;
  #firstBatch: string | undefined;
  #isOut = false;
  readonly #user: TestUser;
  readonly #roomId: string;

  constructor(user: TestUser, roomId: string) {
    this.#user = user;
    this.#roomId = roomId;
  }

  async sync(limit: number, stateAfter: boolean, page: number, timeout = 0): Promise<void> {
    const filter = { room: { timeline: { limit } } };
    const params = { filter, use_state_after: stateAfter, timeout };
    const answer = await sync(this.#user, this.#since === undefined ? params : { ...params, since: this.#since });
    const joined: AnswerBody = answer.rooms?.join?.[this.#roomId];
    const room: AnswerBody = joined ?? answer.rooms?.leave?.[this.#roomId];
    // Between leaving and coming back, a client isn't told where its gap ends: it begins anew.
    if (joined !== undefined && this.#isOut && this.events.length > 0) assert.equal(joined.timeline.limited, true);
    if (room !== undefined && this.#isOut && room.timeline.limited) {
      this.events.length = 0;
      this.#firstBatch = undefined;
    }
    if (room !== undefined) {
      await this.#take(room, page);
      this.#isOut = joined === undefined;
    }
    this.#since = answer.next_batch;
  }

  async #take(room: AnswerBody, page: number): Promise<void> {
    this.#firstBatch ??= room.timeline.prev_batch;
    let known = new Set(this.events.map((event) => event.event_id));
    if (room.timeline.limited && this.#since !== undefined && this.events.length > 0) {
      await this.#fill(room.timeline.prev_batch, this.#since, page);
      known = new Set(this.events.map((event) => event.event_id));
      this.events.push(...timeline(room).filter((event) => !known.has(event.event_id)));
    } else {
      for (const event of timeline(room)) assert.ok(!known.has(event.event_id), 'an event came twice');
      this.events.push(...timeline(room));
    }
    const changes: ClientEvent[] = room.state_after?.events ?? [...room.state.events, ...timeline(room)];
    for (const event of changes) {
      if (event.state_key !== undefined) this.state.set(`${event.type}|${event.state_key}`, event.event_id);
    }
  }

  /** Puts what `/messages` has between two tokens, or before the first one, behind what is known. */
  async #fill(from: string, to: string | undefined, page: number, target: ClientEvent[] = this.events): Promise<void> {
    const known = new Set(this.events.map((event) => event.event_id));
    const missed: ClientEvent[] = [];
    let at: string | undefined = from;
    while (at !== undefined) {
      const end: string = to === undefined ? '' : `&to=${to}`;
      const path = `/rooms/${this.#roomId}/messages?dir=b&limit=${page}&from=${at}${end}`;
      const body: AnswerBody = await ok(this.#user, 'GET', path);
      missed.push(...body.chunk);
      at = body.end;
    }
    missed.reverse();
    for (const event of missed) assert.ok(!known.has(event.event_id), 'a gap holds what was there');
    target.push(...missed);
  }

  /** All events, with those from before the first sync that showed the room. */
  async history(): Promise<readonly string[]> {
    if (this.#firstBatch === undefined) return [];
    const old: ClientEvent[] = [];
    await this.#fill(this.#firstBatch, undefined, 20, old);
    return [...old, ...this.events].map((event) => event.event_id);
  }
}

describe('a client that syncs and fills gaps', () => {
  let server: TestServer;
  let alice: TestUser;
  let users = 0;

  before(async () => {
    server = await TestServer.start({ inProcess: true, config: { presence: { enabled: false } } });
    alice = await server.register('alice');
  });
  after(() => server[Symbol.asyncDispose]());

  async function setUp(visibility: string) {
    const bob = await server.register(`bob${users}`);
    const carol = await server.register(`carol${users++}`);
    const content = { history_visibility: visibility };
    const roomId = await createRoom(alice, {
      preset: 'public_chat',
      initial_state: [{ type: 'm.room.history_visibility', state_key: '', content }],
    });
    await join(carol, roomId);
    await join(bob, roomId);
    let isIn = true;
    let count = 0;
    const act = async (what: Action) => {
      count++;
      if (what === 'say') await say(alice, roomId, `${count}`);
      if (what === 'carol') await say(carol, roomId, `${count}`);
      if (what === 'topic') await setState(alice, roomId, 'm.room.topic', '', { topic: `${count}` });
      if (what === 'name') await setState(alice, roomId, 'm.room.name', '', { name: `${count}` });
      if (what === 'rename') {
        await setState(carol, roomId, 'm.room.member', carol.userId, { membership: 'join', displayname: `${count}` });
      }
      if (what === 'join') await join(bob, roomId);
      if (what === 'leave' && isIn) await leave(bob, roomId);
      if (what === 'kick' && isIn) await onMember(alice, roomId, 'kick', bob);
      if (what === 'join') isIn = true;
      if (what === 'leave' || what === 'kick') isIn = false;
    };
    return { roomId, bob, carol, act, isIn: () => isIn };
  }

  /** What a user may see, by a plain model of the rules. */
  async function expected(roomId: string, userId: string, visibility: string): Promise<readonly string[]> {
    const all: ClientEvent[] = (await ok(alice, 'GET', `/rooms/${roomId}/messages?dir=f&limit=500`)).chunk;
    const isOwn = (event: ClientEvent) => event.type === 'm.room.member' && event.state_key === userId;
    const lastStay = all.findLastIndex((event, index) => {
      const isJoined = all.slice(0, index).findLast(isOwn)?.content.membership === 'join';
      return isJoined || (isOwn(event) && event.content.membership === 'join');
    });
    const visible: string[] = [];
    let isJoined = false;
    // Until the room says otherwise, its history is shared; the event that changes it is seen by either rule.
    const shared =
      visibility === 'shared' ? lastStay : all.findLastIndex((e) => e.type === 'm.room.history_visibility');
    for (const [index, event] of all.entries()) {
      const wasJoined = isJoined;
      if (isOwn(event)) isJoined = event.content.membership === 'join';
      if (index <= shared || wasJoined || isJoined) visible.push(event.event_id);
    }
    return visible;
  }

  async function assertState(client: RoomClient, roomId: string): Promise<void> {
    const state: ClientEvent[] = await ok(alice, 'GET', `/rooms/${roomId}/state`);
    const now = new Map(state.map((event) => [`${event.type}|${event.state_key}`, event.event_id]));
    assert.deepEqual(new Map([...client.state].sort()), new Map([...now].sort()));
  }

  for (const visibility of ['shared', 'joined']) {
    it(`ends with all that was ${visibility}, and with the state`, { timeout: 120_000 }, async () => {
      await fc.assert(
        fc.asyncProperty(steps, async (script) => {
          const { roomId, bob, act, isIn } = await setUp(visibility);
          const client = new RoomClient(bob, roomId);
          for (const step of script) {
            if ('act' in step) await act(step.act);
            else {
              await client.sync(step.limit, step.stateAfter, step.page);
              if (isIn()) await assertState(client, roomId);
            }
          }
          await client.sync(3, false, 2);
          if (client.events.length === 0) return;
          assert.deepEqual(await client.history(), await expected(roomId, bob.userId, visibility));
        }),
        { numRuns: 40 },
      );
    });
  }

  it('ends so too where events come while it syncs', { timeout: 60_000 }, async () => {
    for (let round = 0; round < 4; round++) {
      const { roomId, bob, carol, act } = await setUp('shared');
      const clients = [1, 2, 5].map((limit) => ({ limit, client: new RoomClient(bob, roomId) }));
      let isOver = false;
      const following = clients.map(async ({ limit, client }) => {
        while (!isOver) await client.sync(limit, limit === 2, 3, 50);
        await client.sync(limit, limit === 2, 3);
      });
      for (let burst = 0; burst < 12; burst++) {
        await Promise.all([
          act('say'),
          act('topic'),
          act('carol'),
          say(bob, roomId, 'mine'),
          setState(carol, roomId, 'm.room.member', carol.userId, { membership: 'join', displayname: `${burst}` }),
        ]);
        if (burst % 5 === 3) {
          await act('leave');
          await act('say');
          await act('join');
        }
      }
      isOver = true;
      await Promise.all(following);
      const visible = await expected(roomId, bob.userId, 'shared');
      for (const { client } of clients) {
        assert.deepEqual(await client.history(), visible);
        await assertState(client, roomId);
      }
    }
  });
});
