/** Random graphs of a room, with what the protocol core makes of each event: the measure for what servers make of them. */
import { authStateOf, checkAuth, checkAuthEvents, selectAuthEvents } from '../../src/protocol/auth/index.ts';
import type { Event } from '../../src/protocol/event/index.ts';
import { createEventIdOf, type EventId } from '../../src/protocol/ids/index.ts';
import { type JsonObject, readObject } from '../../src/protocol/json/index.ts';
import {
  resolveState,
  type StateKey,
  type StateMap,
  splitStateKey,
  stateKeyOf,
} from '../../src/protocol/state/index.ts';
import { RoomBuilder } from '../../src/testing/room-builder.ts';
import type { Chance } from './chance.ts';

/** An event as it should be judged. */
export interface Judged {
  readonly event: Event;
  readonly before: StateMap<EventId>;
  readonly after: StateMap<EventId>;
  readonly isRejected: boolean;
}

export const CREATOR = '@alice:s1.example';
const USERS = [CREATOR, '@bob:s2.example', '@carol:s2.example', '@dave:s3.example', '@erin:s1.example'] as const;
const ACTIONS = [
  'join',
  'join',
  'leave',
  'ban',
  'kick',
  'invite',
  'topic',
  'name',
  'levels',
  'rules',
  'message',
  'message',
] as const;
const ALLOWED_TRIES = 6;

/** A room that grows by chance. */
export class RandomRoom {
  readonly builder: RoomBuilder;
  readonly judged = new Map<EventId, Judged>();
  readonly #chance: Chance;
  /** Nothing follows what was before the first of these: servers that joined later would be out of the room there. */
  floor = 0;

  constructor(version: string, name: string, chance: Chance) {
    this.#chance = chance;
    this.builder = RoomBuilder.createPublic({ version, creator: CREATOR, name, content: { name } });
    const { rules } = this.builder;
    this.builder.powerLevels(CREATOR, {
      users: { ...(rules.privilegedCreators ? {} : { [CREATOR]: 100 }), [USERS[1]]: 50, [USERS[2]]: 50 },
      events: { 'm.room.topic': 0 },
    });
    for (const user of USERS.slice(1, 4)) this.builder.join(user);
    for (const event of this.builder.events) this.#judge(event);
  }

  get events(): readonly Event[] {
    return [...this.judged.values()].map(({ event }) => event);
  }

  /** The events that nothing follows. */
  get heads(): readonly EventId[] {
    const followed = new Set(this.events.flatMap((event) => event.prevEvents));
    return [...this.judged.keys()].filter((id) => !followed.has(id));
  }

  /** Takes in an event that was made elsewhere. */
  add(event: Event): void {
    this.builder.append(event);
    this.#judge(event);
  }

  /** The state that the states after these events make. */
  stateAfter(ids: readonly EventId[]): StateMap<EventId> {
    const states = ids.map((id) => this.#need(id).after);
    return resolveState(this.builder.rules, states, this.#inputs);
  }

  /** Adds random events, some of which no server may accept. */
  grow(count: number): void {
    for (let index = 0; index < count; index++) {
      let event = this.#randomEvent();
      // Most of what happens is allowed.
      for (let tries = 0; tries < ALLOWED_TRIES && !this.#isAllowed(event) && !this.#chance.is(0.05); tries++) {
        event = this.#randomEvent();
      }
      this.add(event);
    }
  }

  /** A message after all heads, by somebody who may send it; undefined where nobody may. */
  close(): Event | undefined {
    const heads = this.heads.slice(0, 20);
    const state = this.stateAfter(heads);
    for (const sender of USERS) {
      const event = this.#build(heads, state, { type: 'm.room.message', sender, content: { body: 'closing' } });
      if (!this.#isAllowed(event)) continue;
      this.add(event);
      return event;
    }
    return undefined;
  }

  #randomEvent(): Event {
    const chance = this.#chance;
    const recent = this.events
      .slice(this.floor)
      .slice(-12)
      .map(({ eventId }) => eventId);
    const from = chance.is(0.75) ? this.heads : recent;
    const prev = chance.shuffled(from).slice(0, chance.is(0.7) ? 1 : 1 + chance.below(3));
    const state = this.stateAfter(prev);
    // Now and then an event names what authorised it on another branch.
    const auth = chance.is(0.05) ? this.#need(chance.pick(recent)).after : state;
    const [sender, target] = [chance.pick(USERS), chance.pick(USERS)];
    const member = (stateKey: string, membership: string) => ({
      type: 'm.room.member',
      sender,
      stateKey,
      content: { membership },
    });
    const action = chance.pick(ACTIONS);
    switch (action) {
      case 'join':
      case 'leave':
        return this.#build(prev, auth, member(sender, action));
      case 'kick':
        return this.#build(prev, auth, member(target, 'leave'));
      case 'ban':
      case 'invite':
        return this.#build(prev, auth, member(target, action));
      case 'rules': {
        const content = { join_rule: chance.pick(['public', 'public', 'invite']) };
        return this.#build(prev, auth, { type: 'm.room.join_rules', sender, stateKey: '', content });
      }
      case 'levels': {
        const levels = this.builder.event(state.get(stateKeyOf('m.room.power_levels', '')))?.content ?? {};
        const users = { ...readObject(levels, 'users'), [target]: chance.pick([0, 10, 50, 100]) };
        if (this.builder.rules.privilegedCreators) delete users[CREATOR];
        return this.#build(prev, auth, {
          type: 'm.room.power_levels',
          sender,
          stateKey: '',
          content: { ...levels, users, ...(chance.is(0.2) ? { ban: chance.pick([0, 50, 100]) } : {}) },
        });
      }
      case 'message':
        return this.#build(prev, auth, { type: 'm.room.message', sender, content: { body: 'x' } });
      default:
        return this.#build(prev, auth, {
          type: `m.room.${action}`,
          sender,
          stateKey: '',
          content: { [action]: `${sender} ${chance.below(1000)}` },
        });
    }
  }

  #build(
    prevEvents: readonly EventId[],
    auth: StateMap<EventId>,
    draft: { readonly type: string; readonly sender: string; readonly stateKey?: string; readonly content: JsonObject },
  ): Event {
    const selected = selectAuthEvents({ ...draft, stateKey: draft.stateKey }, this.builder.rules);
    return this.builder.build({
      ...draft,
      prevEvents,
      // Few timestamps, so that ties are common.
      originServerTs: 1_700_000_100_000 + this.#chance.below(4),
      authEvents: selected.flatMap(([type, stateKey]) => auth.get(stateKeyOf(type, stateKey)) ?? []),
    });
  }

  #isAllowed(event: Event): boolean {
    return !this.#isRejected(event, this.stateAfter(event.prevEvents));
  }

  #judge(event: Event): void {
    const before = event.prevEvents.length === 0 ? new Map<StateKey, EventId>() : this.stateAfter(event.prevEvents);
    const isRejected = !event.isCreate && this.#isRejected(event, before);
    const after = new Map(before);
    if (!isRejected && event.stateKey !== undefined) after.set(stateKeyOf(event.type, event.stateKey), event.eventId);
    this.judged.set(event.eventId, { event, before, after, isRejected });
  }

  #isRejected(event: Event, before: StateMap<EventId>): boolean {
    const authEvents = event.authEvents.map((id) => this.#need(id).event);
    const isRejected = (id: EventId) => this.#need(id).isRejected;
    if (!checkAuthEvents(event, authEvents, { isRejected }).allowed) return true;
    const implied = event.rules.createEventIsRoomId ? createEventIdOf(event.roomId) : undefined;
    const create = implied === undefined ? [] : [this.#need(implied).event];
    if (!checkAuth(event, authStateOf([...create, ...authEvents])).allowed) return true;
    return !checkAuth(event, authStateOf([...before.values()].map((id) => this.#need(id).event))).allowed;
  }

  get #inputs() {
    return {
      event: (id: EventId) => this.builder.event(id),
      isRejected: (id: EventId) => this.judged.get(id)?.isRejected ?? false,
    };
  }

  #need(id: EventId): Judged {
    const judged = this.judged.get(id);
    if (judged === undefined) throw new Error(`${id} is in the room`);
    return judged;
  }
}

/** The members of a state with their memberships, and how many are joined. */
export function membersOf(room: RandomRoom, state: StateMap<EventId>): ReadonlyMap<string, unknown> {
  const members = new Map<string, unknown>();
  for (const [key, id] of state) {
    const [type, stateKey] = splitStateKey(key);
    if (type === 'm.room.member') members.set(stateKey, room.builder.event(id)?.content.membership);
  }
  return members;
}
