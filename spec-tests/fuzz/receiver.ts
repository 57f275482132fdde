/** A server's rooms on a real database that gets a random room's events, and asks the room for what it lacks. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { systemClock } from '../../src/clock.ts';
import { makeConfig } from '../../src/config/index.ts';
import { FederationCalls, type JoinedRoom } from '../../src/federation/calls.ts';
import { Federation, federationMigrations } from '../../src/federation/index.ts';
import { putServerKeys } from '../../src/federation/keys/key-store.ts';
import { generateSigningKey, type SigningKey } from '../../src/protocol/crypto/index.ts';
import { type Event, parsePdu } from '../../src/protocol/event/index.ts';
import {
  createEventIdOf,
  type EventId,
  parseServerName,
  parseUserId,
  type RoomId,
} from '../../src/protocol/ids/index.ts';
import { isJsonObject, type JsonObject, parseJson } from '../../src/protocol/json/index.ts';
import { DEFAULT_ROOM_VERSION } from '../../src/protocol/room-versions/index.ts';
import { type StateMap, stateKeyOf } from '../../src/protocol/state/index.ts';
import { Rooms } from '../../src/rooms/index.ts';
import { DUMMY_EVENT, eventsStream, roomsMigrations } from '../../src/rooms/store/index.ts';
import { type Database, joinMigrations, openDatabase } from '../../src/storage/index.ts';
import { Hub } from '../../src/streams/index.ts';
import { TEST_SIGNING_KEY } from '../../src/testing/room-builder.ts';
import type { Chance } from './chance.ts';
import { membersOf, type RandomRoom } from './random-room.ts';

const ORIGIN = need(parseServerName('s1.example'));
const RECEIVERS = ['r1.example', 'r2.example', 'r3.example'] as const;

/** Three servers that have nothing in common but the rooms. The last one joins them with a part of their state (MSC3902). */
export async function openReceivers(): Promise<{ readonly receivers: readonly FuzzReceiver[] } & AsyncDisposable> {
  await using parts = new AsyncDisposableStack();
  const folder = await mkdtemp(path.join(tmpdir(), 'inglenook-fuzz-'));
  parts.defer(() => rm(folder, { recursive: true, force: true }));
  const keys = RECEIVERS.map((_, index) => generateSigningKey('fuzz', new Uint8Array(32).fill(index + 1)));
  const receivers: FuzzReceiver[] = [];
  for (const [index, name] of RECEIVERS.entries()) {
    const migrations = joinMigrations(roomsMigrations, federationMigrations);
    const file = { dialect: 'sqlite', path: path.join(folder, `${name}.db`) } as const;
    const database = parts.use(await openDatabase(file, migrations, { clock: systemClock, streams: [eventsStream] }));
    await knowKeys(database, keys);
    const receiver = new FuzzReceiver(name, need(keys[index]), database, index === RECEIVERS.length - 1);
    parts.use(receiver);
    receivers.push(receiver);
  }
  const running = parts.move();
  return { receivers, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

async function knowKeys(database: Database, receiverKeys: readonly SigningKey[]): Promise<void> {
  const owners: [string, SigningKey][] = ['s1.example', 's2.example', 's3.example'].map((name) => [
    name,
    TEST_SIGNING_KEY,
  ]);
  for (const [index, name] of RECEIVERS.entries()) owners.push([name, need(receiverKeys[index])]);
  const rows = owners.map(([name, key]) => ({
    server_name: need(parseServerName(name)),
    key_id: key.keyId,
    public_key: key.publicKey,
    valid_until_ts: Number.MAX_SAFE_INTEGER,
    is_old: 0,
    fetched_ts: 1,
    json: '{}',
  }));
  await database.write('main', (tx) => putServerKeys(tx, rows));
}

/** One of them. */
export class FuzzReceiver implements AsyncDisposable {
  readonly name: string;
  readonly rooms: Rooms;
  readonly #database: Database;
  readonly #calls: RoomCalls;
  readonly #federation: Federation;
  readonly #isPartial: boolean;

  constructor(name: string, key: SigningKey, database: Database, isPartial: boolean) {
    this.name = name;
    this.#isPartial = isPartial;
    this.#database = database;
    const serverName = need(parseServerName(name));
    this.#federation = new Federation({
      database,
      clock: systemClock,
      config: makeConfig({}, tmpdir()),
      serverName,
      signingKeys: [key],
      userAgent: 'fuzz',
      random: () => 0,
    });
    this.#calls = new RoomCalls(this.#federation.calls.client);
    this.rooms = new Rooms({
      database,
      hub: new Hub(),
      clock: systemClock,
      serverName,
      signingKey: key,
      defaultVersion: DEFAULT_ROOM_VERSION,
      accounts: { getProfile: async () => undefined, ignoredUsers: async () => new Set() },
      federation: { calls: this.#calls, signatures: this.#federation.signatures, lookups: this.#federation.lookups },
      log: {
        info: () => undefined,
        warn: (fields, message) => {
          throw new Error(`${message}: ${JSON.stringify(fields, Object.getOwnPropertyNames(fields))}`, {
            cause: fields,
          });
        },
      },
    });
  }

  /** Joins a room, by an event of its own. */
  async join(room: RandomRoom): Promise<void> {
    this.#calls.room = room;
    if (this.#isPartial) {
      const { promise: isGiven, resolve: give } = Promise.withResolvers<void>();
      this.#calls.withheld = { joinId: undefined, isGiven, give };
    }
    await this.rooms.join({ roomId: room.builder.roomId, userId: need(parseUserId(`@u:${this.name}`)), via: [ORIGIN] });
  }

  /** Feeds events; none may fail for an error of ours. What it fetches, it gets in pieces, and now and then it doesn't. */
  async feed(room: RandomRoom, events: readonly Event[], chance: Chance): Promise<void> {
    this.#calls.room = room;
    this.#calls.chance = chance;
    const federated = need(this.rooms.federated);
    for (let start = 0; start < events.length; ) {
      const count = 1 + chance.below(6);
      const outcomes = await federated.receiver.receive(ORIGIN, events.slice(start, start + count).map(pduOf));
      for (const [id, error] of outcomes) assert.notEqual(error, 'internal error', id);
      start += count;
    }
  }

  /** Gives the members whom it joined the room without; resolves when the room is whole. */
  async complete(room: RandomRoom): Promise<void> {
    this.#calls.withheld?.give();
    assert.ok(await this.rooms.partial.isWhole(room.builder.roomId), 'it becomes whole');
  }

  /** What the server brought together by events of its own is part of the room. */
  async #adopt(room: RandomRoom, ids: readonly EventId[]): Promise<void> {
    const unknown = ids.filter((id) => !room.judged.has(id));
    for (const { event } of await this.#database.read((tx) => this.rooms.events.byIds(tx, unknown))) {
      await this.#adopt(room, event.prevEvents);
      if (!room.judged.has(event.eventId)) room.add(event);
    }
  }

  /** What the server made of each event, and the room, is what the protocol core makes of them. */
  async check(room: RandomRoom): Promise<void> {
    const { events: reader, stateTree, stateKeys } = this.rooms;
    const { roomId } = room.builder;
    await this.#adopt(room, await this.extremities(roomId));
    await this.#database.read(async (tx) => {
      const stored = await reader.byIds(tx, [...room.judged.keys()]);
      const byId = new Map(stored.map((one) => [one.event.eventId, one]));
      for (const { event, before, isRejected } of room.judged.values()) {
        if (event.isCreate) continue;
        const one = byId.get(event.eventId);
        if (one === undefined && event.type === DUMMY_EVENT) continue;
        assert(one, `${event.eventId} is there`);
        // What was before the server's own join it has only as members of states.
        if (!one.isPlaced) continue;
        assert.equal(
          one.isRejected,
          isRejected,
          `${event.type} ${event.eventId} is ${isRejected ? '' : 'not '}rejected`,
        );
        const pairs = await stateTree.entries(tx, one.stateBefore);
        const names = await stateKeys.names(tx, [...pairs.keys()]);
        const state = new Map<string, EventId>();
        const members = await reader.byNids(tx, [...pairs.values()]);
        const ids = new Map(members.map((member) => [member.nid, member.event.eventId]));
        for (const [keyNid, nid] of pairs) {
          const key = need(names.get(keyNid));
          state.set(stateKeyOf(key.type, key.stateKey), need(ids.get(nid)));
        }
        assert.deepEqual(sorted(state), sorted(before), `the state before ${event.type} ${event.eventId}`);
      }
    });
    const snapshot = need(await this.rooms.snapshot(roomId));
    const expected = room.stateAfter(snapshot.extremities);
    const state = new Map<string, EventId>();
    for (const [type, stateKey, entry] of snapshot.state.entries())
      state.set(stateKeyOf(type, stateKey), entry.eventId);
    assert.deepEqual(sorted(state), sorted(expected), 'the current state');
    const members = membersOf(room, expected);
    assert.deepEqual(sorted(new Map(snapshot.members())), sorted(members), 'the members');
    assert.equal(snapshot.joinedCount, [...members.values()].filter((is) => is === 'join').length, 'the joined');
    const topic = room.builder.event(expected.get(stateKeyOf('m.room.topic', '')))?.content.topic ?? null;
    assert.equal(snapshot.digest.topic, topic, 'the topic in the digest');
  }

  async extremities(roomId: RoomId): Promise<readonly EventId[]> {
    return need(await this.rooms.snapshot(roomId)).extremities;
  }

  /** The types of the events that clients see in a room. */
  async timelineTypes(roomId: RoomId): Promise<readonly string[]> {
    const { roomNid } = need(await this.rooms.snapshot(roomId));
    const range = { from: 0, dir: 'f', limit: 1_000 } as const;
    const stored = await this.#database.read((tx) => this.rooms.events.inRoom(tx, roomNid, range));
    return stored.map(({ event }) => event.type);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.rooms.federated?.completion[Symbol.asyncDispose]();
    await this.#federation[Symbol.asyncDispose]();
  }
}

/** The room answers for all servers. */
class RoomCalls extends FederationCalls {
  room: RandomRoom | undefined;
  chance: Chance | undefined;
  /** Members that the join is answered without, until they are given. */
  withheld: { joinId: EventId | undefined; readonly isGiven: Promise<void>; readonly give: () => void } | undefined;

  override async makeJoin(_server: unknown, _roomId: RoomId, userId: string) {
    const { builder, heads } = this.#room;
    const draft = { type: 'm.room.member', sender: userId, stateKey: userId, content: { membership: 'join' } };
    const { prev_events, auth_events, depth } = pduOf(builder.build({ ...draft, prevEvents: heads }));
    return {
      roomVersion: builder.rules.id,
      event: { prev_events: need(prev_events), auth_events: need(auth_events), depth: need(depth) },
    };
  }

  override async sendJoin(_server: unknown, _roomId: RoomId, _eventId: EventId, pdu: JsonObject): Promise<JoinedRoom> {
    const event = parsePdu(pdu, this.#room.builder.rules);
    const before = this.#room.stateAfter(event.prevEvents);
    this.#room.add(event);
    const all = this.#events(before.values());
    const { withheld } = this;
    if (withheld !== undefined) withheld.joinId = event.eventId;
    const state = withheld === undefined ? all : all.filter((one) => one.type !== 'm.room.member');
    return {
      event: pdu,
      state,
      authChain: this.#authChain([event, ...state.map((one) => parsePdu(one, this.#room.builder.rules))]),
      membersOmitted: withheld !== undefined,
      serversInRoom: [ORIGIN],
    };
  }

  override async missingEvents(
    _server: unknown,
    _roomId: RoomId,
    asked: Parameters<FederationCalls['missingEvents']>[2],
  ) {
    if (this.chance?.is(0.1) === true) throw new Error('not now');
    const stop = new Set(asked.earliest);
    const found: Event[] = [];
    let open = this.#eventsOf(asked.latest).flatMap((event) => event.prevEvents);
    const limit = this.chance?.pick([1, 5, 20, asked.limit]) ?? asked.limit;
    const seen = new Set<EventId>();
    while (open.length > 0 && found.length < limit) {
      const next: EventId[] = [];
      for (const event of this.#eventsOf(open)) {
        if (stop.has(event.eventId) || seen.has(event.eventId) || event.depth < asked.minDepth) continue;
        seen.add(event.eventId);
        found.push(event);
        next.push(...event.prevEvents);
      }
      open = next;
    }
    return found.map(pduOf);
  }

  override async eventAuth(_server: unknown, _roomId: RoomId, eventId: EventId) {
    return this.#authChain(this.#eventsOf([eventId]));
  }

  override async stateIds(_server: unknown, _roomId: RoomId, eventId: EventId) {
    if (eventId === this.withheld?.joinId) await this.withheld.isGiven;
    const before = this.#before(eventId);
    const chain = this.#authChain(this.#eventsOf(before.values()));
    return {
      pduIds: [...before.values()],
      authChainIds: chain.map((pdu) => parsePdu(pdu, this.#room.builder.rules).eventId),
    };
  }

  override async state(_server: unknown, _roomId: RoomId, eventId: EventId) {
    const before = this.#before(eventId);
    return { state: this.#events(before.values()), authChain: this.#authChain(this.#eventsOf(before.values())) };
  }

  override async event(_server: unknown, eventId: EventId) {
    return pduOf(need(this.#room.builder.event(eventId)));
  }

  get #room(): RandomRoom {
    return need(this.room);
  }

  #before(eventId: EventId): StateMap<EventId> {
    return need(this.#room.judged.get(eventId)).before;
  }

  #eventsOf(ids: Iterable<EventId>): Event[] {
    return [...ids].flatMap((id) => this.#room.builder.event(id) ?? []);
  }

  #events(ids: Iterable<EventId>): JsonObject[] {
    return this.#eventsOf(ids).map(pduOf);
  }

  #authChain(starts: readonly Event[]): JsonObject[] {
    const chain = new Map<EventId, Event>();
    const open = [...starts];
    for (let event = open.pop(); event !== undefined; event = open.pop()) {
      const create = event.rules.createEventIsRoomId && !event.isCreate ? createEventIdOf(event.roomId) : undefined;
      for (const auth of this.#eventsOf(create === undefined ? event.authEvents : [create, ...event.authEvents])) {
        if (chain.has(auth.eventId)) continue;
        chain.set(auth.eventId, auth);
        open.push(auth);
      }
    }
    return [...chain.values()].map(pduOf);
  }
}

function sorted<T>(map: ReadonlyMap<string, T>): readonly (readonly [string, T])[] {
  return [...map].toSorted(([a], [b]) => (a < b ? -1 : 1));
}

function pduOf(event: Event): JsonObject {
  const pdu = parseJson(event.json);
  if (!isJsonObject(pdu)) throw new Error('an event is an object');
  return pdu;
}

function need<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('it is there');
  return value;
}
