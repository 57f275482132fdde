import { type AuthState, selectAuthEvents } from '../protocol/auth/index.ts';
import { generateSigningKey, type SigningKey } from '../protocol/crypto/index.ts';
import { buildEvent, type Event, makeEventId } from '../protocol/event/index.ts';
import {
  type EventId,
  parseRoomId,
  parseUserId,
  type RoomId,
  serverNameOf,
  type UserId,
} from '../protocol/ids/index.ts';
import type { JsonObject } from '../protocol/json/index.ts';
import { DEFAULT_ROOM_VERSION, type RoomVersionRules, roomVersionRules } from '../protocol/room-versions/index.ts';
import {
  type ResolutionInputs,
  type ResolutionTrace,
  resolveState,
  type StateKey,
  type StateMap,
  stateKeyOf,
} from '../protocol/state/index.ts';

/** Every server of the tests signs with this key. */
export const TEST_SIGNING_KEY: SigningKey = generateSigningKey('test', new Uint8Array(32).fill(7));

const FIRST_TS = 1_700_000_000_000;
const STEP_MS = 1000;

/** An event to add. What is left out is as a well-behaved server would make it. */
export interface BuilderEvent {
  readonly type: string;
  /** A user id, or a name for a user of `example.org`. */
  readonly sender: string;
  readonly stateKey?: string;
  readonly content?: JsonObject;
  readonly redacts?: EventId;
  /** Milliseconds; one second after the event that was added last, where left out. */
  readonly originServerTs?: number;
  readonly prevEvents?: readonly EventId[];
  readonly authEvents?: readonly EventId[];
  /** Room versions 1 and 2. */
  readonly eventId?: EventId;
}

/** What forks of a room have in common. */
interface Graph {
  readonly rules: RoomVersionRules;
  readonly name: string;
  readonly roomId: RoomId;
  readonly events: Map<EventId, Event>;
  lastTs: number;
}

/** How to start a room. */
export interface RoomBuilderOptions {
  readonly version?: string;
  readonly creator?: string;
  /** The localpart of the room's id, for tests with several rooms. */
  readonly name?: string;
  /** Goes into the create event beside what it needs. */
  readonly content?: JsonObject;
}

/** The id of a test user: `alice` is `@alice:example.org`. */
export function testUser(name: string): UserId {
  const userId = parseUserId(name.startsWith('@') ? name : `@${name}:example.org`);
  if (userId === undefined) throw new Error(`${name} is not a user`);
  return userId;
}

/** How the ids of events begin, in room versions 1 and 2: no two rooms have the same. */
function eventIdsOf(roomName: string): string {
  return roomName === 'room' ? 'event' : `${roomName}event`;
}

function requireRoomId(text: string): RoomId {
  const roomId = parseRoomId(text);
  if (roomId === undefined) throw new Error(`${text} is not a room id`);
  return roomId;
}

/**
 * Builds the DAG of a room of any version, of real signed events, for tests. Nothing is authorised: what one adds is
 * there, and takes its place in the state. A builder is one branch; `fork()` starts another one at the same point, and
 * `merge()` brings branches together by state resolution.
 *
 * ```ts
 * const room = RoomBuilder.createPublic({ version: '10', creator: 'alice' });
 * room.join('bob');
 * const other = room.fork();
 * room.ban('alice', 'bob');
 * other.setState('bob', 'm.room.topic', { topic: 'Mine' });
 * const state = room.merge(other);
 * ```
 */
export class RoomBuilder {
  readonly rules: RoomVersionRules;
  readonly roomId: RoomId;
  /** The state after the branch's last event. */
  readonly state: Map<StateKey, EventId>;
  private heads: readonly EventId[];
  private readonly graph: Graph;

  private constructor(graph: Graph, state: StateMap<EventId>, heads: readonly EventId[]) {
    this.rules = graph.rules;
    this.roomId = graph.roomId;
    this.state = new Map(state);
    this.heads = heads;
    this.graph = graph;
  }

  /** A room with nothing but its create event. */
  static create({
    version = DEFAULT_ROOM_VERSION,
    creator = 'alice',
    name = 'room',
    content = {},
  }: RoomBuilderOptions = {}): RoomBuilder {
    const rules = roomVersionRules(version);
    if (rules === undefined) throw new Error(`room version ${version} is unknown`);
    const sender = testUser(creator);
    const server = serverNameOf(sender);
    const create = buildEvent(
      {
        type: 'm.room.create',
        sender,
        stateKey: '',
        content: { room_version: version, ...(rules.creatorFromSender ? {} : { creator: sender }), ...content },
        originServerTs: FIRST_TS,
        depth: 1,
        prevEvents: [],
        authEvents: [],
        ...(rules.createEventIsRoomId ? {} : { roomId: requireRoomId(`!${name}:${server}`) }),
        ...(rules.eventIds === 'in-event' ? { eventId: makeEventId(`${eventIdsOf(name)}0`, server) } : {}),
      },
      rules,
      server,
      TEST_SIGNING_KEY,
    );
    const graph = { rules, name, roomId: create.roomId, events: new Map([[create.eventId, create]]), lastTs: FIRST_TS };
    return new RoomBuilder(graph, new Map([[stateKeyOf('m.room.create', ''), create.eventId]]), [create.eventId]);
  }

  /** A room that its creator has joined, with power levels, open to everybody. */
  static createPublic(options: RoomBuilderOptions = {}): RoomBuilder {
    const room = RoomBuilder.create(options);
    const creator = room.create.sender;
    room.join(creator);
    room.powerLevels(creator, { users: room.rules.privilegedCreators ? {} : { [creator]: 100 } });
    room.setState(creator, 'm.room.join_rules', { join_rule: 'public' });
    return room;
  }

  get create(): Event {
    const create = this.find('m.room.create');
    if (create === undefined) throw new Error('the room has no create event');
    return create;
  }

  /** The ids of the branch's last events. */
  get forwardExtremities(): readonly EventId[] {
    return this.heads;
  }

  /** All events of all branches, in the order in which they were added. */
  get events(): readonly Event[] {
    return [...this.graph.events.values()];
  }

  /** The state as the authorization rules take it. */
  get authState(): AuthState {
    const state = new Map(this.state);
    return { get: (type, stateKey) => this.event(state.get(stateKeyOf(type, stateKey))) };
  }

  /** Every event of the room, for state resolution. */
  get inputs(): ResolutionInputs {
    return { event: (id) => this.graph.events.get(id) };
  }

  /** The event of this id. */
  event(id: EventId | undefined): Event | undefined {
    return id === undefined ? undefined : this.graph.events.get(id);
  }

  /** The event in the branch's state. */
  find(type: string, stateKey = ''): Event | undefined {
    return this.event(this.state.get(stateKeyOf(type, stateKey)));
  }

  /** Makes an event after the branch's last ones, without adding it. */
  build(draft: BuilderEvent): Event {
    const { type, stateKey, content = {} } = draft;
    const sender = testUser(draft.sender);
    const prevEvents = draft.prevEvents ?? this.heads;
    const server = serverNameOf(sender);
    const originServerTs = draft.originServerTs ?? this.graph.lastTs + STEP_MS;
    const inEvent = this.rules.eventIds === 'in-event';
    const eventId = draft.eventId ?? makeEventId(`${eventIdsOf(this.graph.name)}${this.graph.events.size}`, server);
    return buildEvent(
      {
        roomId: this.roomId,
        type,
        sender,
        content,
        originServerTs,
        depth: 1 + Math.max(0, ...prevEvents.map((id) => this.event(id)?.depth ?? 0)),
        prevEvents,
        authEvents: draft.authEvents ?? this.selectAuthEvents({ type, sender, stateKey, content }),
        ...(stateKey === undefined ? {} : { stateKey }),
        ...(draft.redacts === undefined ? {} : { redacts: draft.redacts }),
        ...(inEvent ? { eventId } : {}),
      },
      this.rules,
      server,
      TEST_SIGNING_KEY,
    );
  }

  /** Makes an event and adds it. */
  add(draft: BuilderEvent): Event {
    return this.append(this.build(draft));
  }

  /** Adds an event that was made elsewhere. */
  append(event: Event): Event {
    this.graph.events.set(event.eventId, event);
    this.graph.lastTs = Math.max(this.graph.lastTs, event.originServerTs);
    this.heads = [event.eventId];
    if (event.stateKey !== undefined) this.state.set(stateKeyOf(event.type, event.stateKey), event.eventId);
    return event;
  }

  /** A message. */
  send(sender: string, body: string): Event {
    return this.add({ type: 'm.room.message', sender, content: { msgtype: 'm.text', body } });
  }

  setState(sender: string, type: string, content: JsonObject, stateKey = ''): Event {
    return this.add({ type, sender, stateKey, content });
  }

  member(sender: string, target: string, membership: string, content: JsonObject = {}): Event {
    return this.setState(sender, 'm.room.member', { ...content, membership }, testUser(target));
  }

  join(user: string, content: JsonObject = {}): Event {
    return this.member(user, user, 'join', content);
  }

  leave(user: string): Event {
    return this.member(user, user, 'leave');
  }

  invite(sender: string, target: string): Event {
    return this.member(sender, target, 'invite');
  }

  kick(sender: string, target: string): Event {
    return this.member(sender, target, 'leave');
  }

  ban(sender: string, target: string): Event {
    return this.member(sender, target, 'ban');
  }

  powerLevels(sender: string, content: JsonObject): Event {
    return this.setState(sender, 'm.room.power_levels', content);
  }

  /** Another branch from here. It knows the events of this one, and both know what the other adds. */
  fork(): RoomBuilder {
    return new RoomBuilder(this.graph, this.state, this.heads);
  }

  /** Resolves the states of this branch and others, and goes on after all of them. */
  merge(...others: readonly RoomBuilder[]): StateMap<EventId> {
    const state = this.resolve(...others);
    this.heads = [...new Set([...this.heads, ...others.flatMap(({ heads }) => heads)])];
    this.state.clear();
    for (const [key, id] of state) this.state.set(key, id);
    return state;
  }

  /** The resolution of the states of this branch and others. */
  resolve(...others: readonly RoomBuilder[]): StateMap<EventId> {
    return this.resolveTraced(undefined, ...others);
  }

  /** As `resolve`, telling each step. */
  resolveTraced(trace: ResolutionTrace | undefined, ...others: readonly RoomBuilder[]): StateMap<EventId> {
    return resolveState(this.rules, [this.state, ...others.map(({ state }) => state)], this.inputs, trace);
  }

  private selectAuthEvents(draft: Parameters<typeof selectAuthEvents>[0]): readonly EventId[] {
    return selectAuthEvents(draft, this.rules).flatMap(
      ([type, stateKey]) => this.state.get(stateKeyOf(type, stateKey)) ?? [],
    );
  }
}
