/** A server that is in a room and sends what no server should: mutated events and requests, properly signed as such. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { signedAuthorization } from '../../src/federation/x-matrix.ts';
import { authStateOf, checkAuth, checkAuthEvents } from '../../src/protocol/auth/index.ts';
import { parseSigningKeyFile, type SigningKey, signJson } from '../../src/protocol/crypto/index.ts';
import {
  buildEvent,
  contentHash,
  type Event,
  makeEventId,
  parsePdu,
  redactPdu,
  requiredSigners,
  verifyContentHash,
  verifyEventSignature,
} from '../../src/protocol/event/index.ts';
import {
  createEventIdOf,
  type EventId,
  parseEventId,
  parseRoomId,
  parseServerName,
  parseUserId,
  type RoomId,
  type ServerName,
} from '../../src/protocol/ids/index.ts';
import {
  canonicalJson,
  isJsonArray,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  parseJson,
} from '../../src/protocol/json/index.ts';
import { type RoomVersionRules, roomVersionRules } from '../../src/protocol/room-versions/index.ts';
import { type NetworkServer, network } from '../../src/testing/network.ts';
import { createRoom, join } from '../../src/testing/room-client.ts';
import type { TestUser } from '../../src/testing/test-user.ts';
import type { Chance } from './chance.ts';
import { mutated, mutatedText } from './mutate.ts';

const V1 = '/_matrix/federation/v1';
const PDUS_AT_ONCE = 25;
const e = encodeURIComponent;

/** A room on the server under attack in which the hostile server has a user. */
interface HostileRoom {
  readonly rules: RoomVersionRules;
  readonly roomId: RoomId;
  /** All events that are known to be in the room. */
  readonly events: Map<EventId, Event>;
}

/** What became of an attack. */
export interface HostileReport {
  readonly statuses: ReadonlyMap<number, number>;
  readonly accepted: number;
  readonly refused: number;
}

/**
 * Sends `pduCount` mutated events and `requestCount` mutated requests to a real server.
 * @throws where the server falls, answers with 500, or accepts an event that a plain check refuses
 */
export async function attack(chance: Chance, pduCount: number, requestCount: number): Promise<HostileReport> {
  await using net = await network(2, { config: { logging: { level: 'warn' } } });
  const [victim, peer] = net.servers;
  const alice = await victim.server.register('alice');
  const mallory = await peer.server.register('mallory');
  const hostile = new Hostile(victim, peer, mallory, chance);
  for (const version of ['2', '6', '10', '11', '12']) await hostile.enter(alice, version);
  for (let sent = 0; sent < pduCount; sent += PDUS_AT_ONCE)
    await hostile.sendEvents(Math.min(PDUS_AT_ONCE, pduCount - sent));
  for (let sent = 0; sent < requestCount; sent++) await hostile.sendRequest();
  const sane = await victim.server.request('GET', '/health');
  assert.equal(sane.status, 200, 'the server is well');
  return hostile.report;
}

class Hostile {
  readonly #victim: NetworkServer;
  readonly #chance: Chance;
  readonly #mallory: TestUser;
  readonly #origin: ServerName;
  readonly #destination: ServerName;
  readonly #key: SigningKey;
  readonly #rooms: HostileRoom[] = [];
  readonly #statuses = new Map<number, number>();
  #count = 0;
  #accepted = 0;
  #refused = 0;

  constructor(victim: NetworkServer, peer: NetworkServer, mallory: TestUser, chance: Chance) {
    this.#victim = victim;
    this.#chance = chance;
    this.#mallory = mallory;
    this.#origin = need(parseServerName(peer.name));
    this.#destination = need(parseServerName(victim.name));
    this.#key = need(parseSigningKeyFile(readFileSync(path.join(peer.server.folder, 'signing.key'), 'utf8'))[0]);
  }

  get report(): HostileReport {
    return { statuses: this.#statuses, accepted: this.#accepted, refused: this.#refused };
  }

  /** Makes a room on the victim and brings the hostile user into it. */
  async enter(alice: TestUser, version: string): Promise<void> {
    const roomId = need(parseRoomId(await createRoom(alice, { room_version: version })));
    await join(this.#mallory, roomId, this.#victim.name);
    const rules = need(roomVersionRules(version));
    const events = new Map<EventId, Event>();
    const template = await this.#request('GET', `${V1}/make_leave/${e(roomId)}/${e(this.#mallory.userId)}`);
    const at = need(idsIn(template.body.event.prev_events)[0]);
    const state = await this.#request('GET', `${V1}/state/${e(roomId)}?event_id=${e(at)}`);
    const last = await this.#request('GET', `${V1}/event/${e(at)}`);
    for (const pdu of [...state.body.pdus, ...state.body.auth_chain, ...last.body.pdus]) {
      const event = parsePdu(pdu, rules);
      events.set(event.eventId, event);
    }
    this.#rooms.push({ rules, roomId, events });
  }

  /** One transaction of events, each of which is good but for a mutation. */
  async sendEvents(count: number): Promise<void> {
    const room = this.#chance.pick(this.#rooms);
    const base = await this.#template(room);
    const made = Array.from({ length: count }, () => this.#hostilePdu(room, base));
    // What no signature can cover spoils the whole transaction: now and then it may.
    const pdus = this.#chance.is(0.05) ? made : made.filter((pdu) => this.#isSignable(pdu));
    const answer = await this.#request('PUT', `${V1}/send/h${this.#count++}`, {
      origin: this.#origin,
      origin_server_ts: Date.now(),
      pdus,
    });
    if (pdus.every((pdu) => this.#isSignable(pdu))) assert.equal(answer.status, 200, answer.bytes.toString());
    else assert.ok(answer.status < 500, answer.bytes.toString());
    for (const [id, outcome] of Object.entries(answer.body.pdus ?? {})) {
      assert.notEqual(JSON.stringify(outcome), '{"error":"internal error"}', `${id}: ${JSON.stringify(pdus)}`);
    }
    for (const pdu of pdus) await this.#recheck(room, pdu);
  }

  /** One request whose path, query, body or header is mutated. */
  async sendRequest(): Promise<void> {
    const chance = this.#chance;
    const { roomId, events } = chance.pick(this.#rooms);
    const eventId = chance.pick([...events.keys()]);
    const body: JsonObject = { earliest_events: [eventId], latest_events: [eventId], limit: 5, min_depth: 0 };
    const [method, target, content] = chance.pick<readonly ['GET' | 'PUT' | 'POST', string, JsonObject?]>([
      ['GET', `${V1}/event/${e(eventId)}`],
      ['GET', `${V1}/state/${e(roomId)}?event_id=${e(eventId)}`],
      ['GET', `${V1}/state_ids/${e(roomId)}?event_id=${e(eventId)}`],
      ['GET', `${V1}/backfill/${e(roomId)}?v=${e(eventId)}&limit=5`],
      ['GET', `${V1}/event_auth/${e(roomId)}/${e(eventId)}`],
      ['POST', `${V1}/get_missing_events/${e(roomId)}`, body],
      ['GET', `${V1}/make_join/${e(roomId)}/${e(this.#mallory.userId)}?ver=10&ver=12`],
      ['GET', `${V1}/make_knock/${e(roomId)}/${e(this.#mallory.userId)}?ver=10`],
      ['GET', `${V1}/timestamp_to_event/${e(roomId)}?ts=1&dir=f`],
      ['GET', `${V1}/query/profile?user_id=${e(`@alice:${this.#destination}`)}`],
      ['GET', `${V1}/query/directory?room_alias=${e(`#x:${this.#destination}`)}`],
      ['GET', `${V1}/hierarchy/${e(roomId)}`],
      ['GET', `${V1}/user/devices/${e(`@alice:${this.#destination}`)}`],
      ['GET', `${V1}/publicRooms?limit=1`],
      ['POST', `${V1}/publicRooms`, { limit: 1, filter: { generic_search_term: 'x' } }],
      ['POST', `${V1}/user/keys/query`, { device_keys: { [`@alice:${this.#destination}`]: [] } }],
      [
        'POST',
        `${V1}/user/keys/claim`,
        { one_time_keys: { [`@alice:${this.#destination}`]: { X: 'signed_curve25519' } } },
      ],
      [
        'PUT',
        `${V1}/send/m${this.#count++}`,
        { origin: this.#origin, origin_server_ts: 1, pdus: [], edus: [this.#edu(roomId, eventId)] },
      ],
      ['PUT', `/_matrix/federation/v2/send_join/${e(roomId)}/${e(eventId)}`, need(events.get(eventId)).pdu],
      ['PUT', `/_matrix/federation/v2/send_leave/${e(roomId)}/${e(eventId)}`, need(events.get(eventId)).pdu],
      [
        'PUT',
        `/_matrix/federation/v2/invite/${e(roomId)}/${e(eventId)}`,
        { room_version: '10', event: need(events.get(eventId)).pdu, invite_room_state: [] },
      ],
    ]);
    const kind = chance.below(4);
    const path = kind === 0 ? this.#mutatedPath(target) : target;
    const sent =
      kind === 1 && content !== undefined
        ? mutated(content, chance)
        : kind === 2 && content !== undefined
          ? mutated(mutated(content, chance), chance)
          : content;
    const answer = await this.#request(method, path, sent, kind === 3);
    assert.ok(
      answer.status < 500 || answer.status === 501 || answer.status === 502,
      `${method} ${path} ${JSON.stringify(sent)}: ${answer.status} ${answer.bytes}`,
    );
  }

  #edu(roomId: RoomId, eventId: EventId): JsonObject {
    const userId = this.#mallory.userId;
    return this.#chance.pick<JsonObject>([
      { edu_type: 'm.typing', content: { room_id: roomId, user_id: userId, typing: true } },
      {
        edu_type: 'm.receipt',
        content: { [roomId]: { 'm.read': { [userId]: { data: { ts: 1 }, event_ids: [eventId] } } } },
      },
      { edu_type: 'm.presence', content: { push: [{ user_id: userId, presence: 'online', last_active_ago: 1 }] } },
      { edu_type: 'm.device_list_update', content: { user_id: userId, device_id: 'X', stream_id: 1, prev_id: [] } },
      { edu_type: 'm.signing_key_update', content: { user_id: userId, master_key: {} } },
      {
        edu_type: 'm.direct_to_device',
        content: {
          sender: userId,
          type: 'x',
          message_id: `m${this.#count++}`,
          messages: { [`@alice:${this.#destination}`]: { '*': {} } },
        },
      },
    ]);
  }

  #mutatedPath(target: string): string {
    const made = mutatedText(target, this.#chance);
    // Only what can be sent at all.
    return /^\/[\x21-\x7e]*$/.test(made) ? made : target;
  }

  /** A good event of the hostile user at the end of the room. */
  async #template(room: HostileRoom): Promise<JsonObject> {
    const target = `${V1}/make_leave/${e(room.roomId)}/${e(this.#mallory.userId)}`;
    const { event } = (await this.#request('GET', target)).body;
    const sender = need(parseUserId(this.#mallory.userId));
    const hashes = new Map<EventId, string>();
    const made = buildEvent(
      {
        roomId: room.roomId,
        type: 'm.room.message',
        sender,
        content: { msgtype: 'm.text', body: 'x' },
        originServerTs: Date.now(),
        depth: event.depth,
        prevEvents: idsIn(event.prev_events).slice(0, 20),
        authEvents: idsIn(event.auth_events).filter((id) => room.events.get(id)?.type !== 'm.room.join_rules'),
        ...(room.rules.eventIds === 'in-event'
          ? { eventId: makeEventId(`h${this.#count++}`, this.#origin), referenceHashes: hashes }
          : {}),
      },
      room.rules,
      this.#origin,
      this.#key,
    );
    return made.pdu;
  }

  #hostilePdu(room: HostileRoom, good: JsonObject): JsonObject {
    const chance = this.#chance;
    const own = room.rules.eventIds === 'in-event' ? { event_id: `$h${this.#count++}:${this.#origin}` } : {};
    let pdu: JsonObject = { ...good, ...own, content: { msgtype: 'm.text', body: `${this.#count++}` } };
    if (chance.is(0.3)) pdu = this.#asState(pdu);
    const changes = chance.below(3);
    for (let change = 0; change < changes; change++) pdu = mutated(pdu, chance);
    return chance.is(0.75) ? this.#sign(room, pdu) : pdu;
  }

  #asState(pdu: JsonObject): JsonObject {
    const userId = this.#mallory.userId;
    const state = (type: string, key: string, content: JsonObject) => ({ ...pdu, type, state_key: key, content });
    return this.#chance.pick([
      state('m.room.member', userId, { membership: 'join', displayname: `${this.#count++}` }),
      state('m.room.member', `@alice:${this.#destination}`, { membership: 'ban' }),
      state('m.room.power_levels', '', { users: { [userId]: 100 } }),
      state('m.room.create', '', { room_version: '6', creator: userId }),
      state('m.room.join_rules', '', { join_rule: 'invite' }),
      state('m.room.topic', '', { topic: 'mine' }),
    ]);
  }

  #isSignable(pdu: JsonObject): boolean {
    try {
      signJson(pdu, this.#origin, this.#key);
      return (
        !JSON.stringify(pdu).includes('\\ud800') &&
        canonicalJson(pdu) === canonicalJson(parseJsonObject(JSON.stringify(pdu)))
      );
    } catch {
      return false;
    }
  }

  /** Hashes and signs whatever it is. */
  #sign(room: HostileRoom, pdu: JsonObject): JsonObject {
    try {
      const hashed: JsonObject = { ...pdu, hashes: { sha256: contentHash(pdu) } };
      const signed = signJson(redactPdu(hashed, room.rules), this.#origin, this.#key);
      return { ...hashed, signatures: signed.signatures ?? {} };
    } catch {
      return pdu;
    }
  }

  /** An event that the server serves must stand a check from scratch. */
  async #recheck(room: HostileRoom, pdu: JsonObject): Promise<void> {
    let event: Event;
    try {
      event = parsePdu(pdu, room.rules);
    } catch {
      this.#refused++;
      return;
    }
    if (room.events.has(event.eventId)) return;
    const served = await this.#request('GET', `${V1}/event/${e(event.eventId)}`);
    if (served.status !== 200) {
      this.#refused++;
      return;
    }
    const what = `${JSON.stringify(pdu)} was accepted`;
    const shown: Event = parsePdu(served.body.pdus[0], room.rules);
    assert.equal(event.roomId, room.roomId, what);
    for (const server of requiredSigners(event)) {
      assert.equal(server, this.#origin, what);
      assert.ok(await verifyEventSignature(event, server, this.#key.keyId, this.#key.publicKey), what);
    }
    if (!verifyContentHash(event)) assert.ok(!verifyContentHash(shown), `${what} with a false hash`);
    const implied = room.rules.createEventIsRoomId ? createEventIdOf(room.roomId) : undefined;
    const authEvents = event.authEvents.map((id) => need(room.events.get(id), `${what} with an unknown auth event`));
    const create = implied === undefined ? [] : [need(room.events.get(implied))];
    assert.deepEqual(checkAuthEvents(shown, authEvents), { allowed: true }, what);
    assert.deepEqual(checkAuth(shown, authStateOf([...create, ...authEvents])), { allowed: true }, what);
    room.events.set(event.eventId, shown);
    this.#accepted++;
  }

  async #request(method: 'GET' | 'PUT' | 'POST', target: string, content?: JsonObject, spoil = false) {
    const destination = this.#destination;
    const parts = { destination, method, path: target, content };
    let authorization: string;
    try {
      authorization = signedAuthorization(this.#origin, this.#key, parts);
    } catch {
      // What can't be signed, such as numbers out of range, is sent with a signature of something else.
      authorization = signedAuthorization(this.#origin, this.#key, { ...parts, content: {} });
    }
    if (spoil) authorization = mutatedText(authorization, this.#chance).replaceAll(/[^\x20-\x7e]/g, 'x');
    const body = content === undefined ? undefined : JSON.stringify(content);
    const answer = await this.#victim.server.request(method, target, { body, headers: { authorization } });
    this.#statuses.set(answer.status, (this.#statuses.get(answer.status) ?? 0) + 1);
    return answer;
  }
}

/** Ids, or in room versions 1 and 2 ids with hashes. */
function idsIn(values: JsonValue): readonly EventId[] {
  const all = isJsonArray(values) ? values : [];
  return all.flatMap((value) => {
    const text = isJsonArray(value) ? value[0] : value;
    return typeof text === 'string' ? (parseEventId(text) ?? []) : [];
  });
}

function parseJsonObject(text: string): JsonObject {
  const value = parseJson(text);
  if (!isJsonObject(value)) throw new Error('an object');
  return value;
}

function need<T>(value: T | undefined, message = 'it is there'): T {
  if (value === undefined) throw new Error(message);
  return value;
}
