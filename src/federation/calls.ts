/** The requests of the server-server API, typed: one method each. Answers are checked for their shape, events are not. */
import type { EventId, RoomAlias, RoomId, ServerName, UserId } from '../protocol/ids/index.ts';
import { parseEventId, parseRoomId, parseServerName } from '../protocol/ids/index.ts';
import {
  isJsonObject,
  type JsonObject,
  type JsonValue,
  readArray,
  readBoolean,
  readObject,
  readString,
} from '../protocol/json/index.ts';
import { IMPLICIT_ROOM_VERSION } from '../protocol/room-versions/index.ts';
import type { FederationClient } from './client.ts';
import { UnreachableError } from './errors.ts';

/** What `make_join` and its sisters answer. */
export interface MembershipTemplate {
  readonly roomVersion: string;
  /** The event to be, without hashes and signatures. */
  readonly event: JsonObject;
}

/** What `send_join` answers. */
export interface JoinedRoom {
  readonly event: JsonObject | undefined;
  readonly state: readonly JsonObject[];
  readonly authChain: readonly JsonObject[];
  readonly membersOmitted: boolean;
  readonly serversInRoom: readonly ServerName[];
}

/** A room's state by ids. */
export interface StateIds {
  readonly pduIds: readonly EventId[];
  readonly authChainIds: readonly EventId[];
}

/** Which stretch of a room's graph is asked for. Spec: server-server-api/#post_matrixfederationv1get_missing_eventsroomid */
export interface MissingEventsRequest {
  readonly earliest: readonly EventId[];
  readonly latest: readonly EventId[];
  readonly limit: number;
  readonly minDepth: number;
}

const V1 = '/_matrix/federation/v1';
const V2 = '/_matrix/federation/v2';
const MAKE_TIMEOUT_MS = 20_000;
const JOIN_TIMEOUT_MS = 180_000;
const JOIN_BYTES_MAX = 512 * 1024 * 1024;
const STATE_TIMEOUT_MS = 60_000;
const STATE_EVENT_BYTES = 16 * 1024;
const e = encodeURIComponent;

/** Calls other servers. All methods throw as `FederationClient.request` does. */
export class FederationCalls {
  readonly client: FederationClient;

  constructor(client: FederationClient) {
    this.client = client;
  }

  makeJoin(
    server: ServerName,
    roomId: RoomId,
    userId: UserId,
    versions: readonly string[],
  ): Promise<MembershipTemplate> {
    const query = versions.map((version) => `ver=${e(version)}`).join('&');
    return this.#template(server, `${V1}/make_join/${e(roomId)}/${e(userId)}?${query}`);
  }

  makeKnock(
    server: ServerName,
    roomId: RoomId,
    userId: UserId,
    versions: readonly string[],
  ): Promise<MembershipTemplate> {
    const query = versions.map((version) => `ver=${e(version)}`).join('&');
    return this.#template(server, `${V1}/make_knock/${e(roomId)}/${e(userId)}?${query}`);
  }

  makeLeave(server: ServerName, roomId: RoomId, userId: UserId): Promise<MembershipTemplate> {
    return this.#template(server, `${V1}/make_leave/${e(roomId)}/${e(userId)}`);
  }

  /** `omitMembers`: whether a part of the state will do (MSC3706). */
  async sendJoin(
    server: ServerName,
    roomId: RoomId,
    eventId: EventId,
    event: JsonObject,
    omitMembers: boolean,
  ): Promise<JoinedRoom> {
    const answer = await this.client.request({
      destination: server,
      method: 'PUT',
      path: `${V2}/send_join/${e(roomId)}/${e(eventId)}${omitMembers ? '?omit_members=true' : ''}`,
      content: event,
      timeoutMs: JOIN_TIMEOUT_MS,
      bodyBytesMax: JOIN_BYTES_MAX,
    });
    return {
      event: readObject(answer, 'event'),
      state: objectsIn(answer, 'state'),
      authChain: objectsIn(answer, 'auth_chain'),
      membersOmitted: readBoolean(answer, 'members_omitted') ?? false,
      serversInRoom: (readArray(answer, 'servers_in_room') ?? []).flatMap((name) => {
        const parsed = typeof name === 'string' ? parseServerName(name) : undefined;
        return parsed === undefined ? [] : [parsed];
      }),
    };
  }

  async sendLeave(server: ServerName, roomId: RoomId, eventId: EventId, event: JsonObject): Promise<void> {
    const path = `${V2}/send_leave/${e(roomId)}/${e(eventId)}`;
    await this.client.request({ destination: server, method: 'PUT', path, content: event, timeoutMs: MAKE_TIMEOUT_MS });
  }

  /** Resolves with what the server shows of the room: whole events, or stripped ones from older servers. */
  async sendKnock(
    server: ServerName,
    roomId: RoomId,
    eventId: EventId,
    event: JsonObject,
  ): Promise<readonly JsonObject[]> {
    const path = `${V1}/send_knock/${e(roomId)}/${e(eventId)}`;
    const answer = await this.client.request({ destination: server, method: 'PUT', path, content: event });
    return objectsIn(answer, 'knock_room_state');
  }

  /** Resolves with the invite, signed by the invited user's server too. */
  async invite(server: ServerName, roomId: RoomId, eventId: EventId, invite: JsonObject): Promise<JsonObject> {
    const path = `${V2}/invite/${e(roomId)}/${e(eventId)}`;
    const answer = await this.client.request({ destination: server, method: 'PUT', path, content: invite });
    return this.#object(server, answer, 'event');
  }

  /** Asks the server of who invited somebody by e-mail for the invite of one of our users, who proves to be that somebody. */
  async exchangeThirdPartyInvite(server: ServerName, roomId: RoomId, invite: JsonObject): Promise<void> {
    const path = `${V1}/exchange_third_party_invite/${e(roomId)}`;
    await this.client.request({ destination: server, method: 'PUT', path, content: invite });
  }

  /** Sends a transaction; resolves with what was said of each event. */
  async sendTransaction(
    server: ServerName,
    txnId: string,
    transaction: JsonObject,
    timeoutMs: number,
  ): Promise<JsonObject> {
    const path = `${V1}/send/${e(txnId)}`;
    const answer = await this.client.request({
      destination: server,
      method: 'PUT',
      path,
      content: transaction,
      timeoutMs,
    });
    return readObject(answer, 'pdus') ?? {};
  }

  /** The events between what we have (`earliest`) and `latest`, oldest first. */
  async missingEvents(server: ServerName, roomId: RoomId, asked: MissingEventsRequest): Promise<readonly JsonObject[]> {
    const answer = await this.client.request({
      destination: server,
      method: 'POST',
      path: `${V1}/get_missing_events/${e(roomId)}`,
      content: {
        earliest_events: asked.earliest,
        latest_events: asked.latest,
        limit: asked.limit,
        min_depth: asked.minDepth,
      },
    });
    return objectsIn(answer, 'events').slice(0, asked.limit);
  }

  async backfill(
    server: ServerName,
    roomId: RoomId,
    from: readonly EventId[],
    limit: number,
  ): Promise<readonly JsonObject[]> {
    const query = [...from.map((eventId) => `v=${e(eventId)}`), `limit=${limit}`].join('&');
    return objectsIn(await this.#get(server, `${V1}/backfill/${e(roomId)}?${query}`), 'pdus').slice(0, limit);
  }

  /** The event, or undefined where the server doesn't send any. */
  async event(server: ServerName, eventId: EventId): Promise<JsonObject | undefined> {
    const [event] = objectsIn(await this.#get(server, `${V1}/event/${e(eventId)}`), 'pdus');
    return event;
  }

  async eventAuth(server: ServerName, roomId: RoomId, eventId: EventId): Promise<readonly JsonObject[]> {
    return objectsIn(
      await this.#get(server, `${V1}/event_auth/${e(roomId)}/${e(eventId)}`, STATE_TIMEOUT_MS),
      'auth_chain',
    );
  }

  async stateIds(server: ServerName, roomId: RoomId, eventId: EventId): Promise<StateIds> {
    const path = `${V1}/state_ids/${e(roomId)}?event_id=${e(eventId)}`;
    const answer = await this.#get(server, path, STATE_TIMEOUT_MS);
    return { pduIds: idsIn(answer, 'pdu_ids'), authChainIds: idsIn(answer, 'auth_chain_ids') };
  }

  async state(server: ServerName, roomId: RoomId, eventId: EventId, eventsMax: number) {
    const answer = await this.client.request({
      destination: server,
      method: 'GET',
      path: `${V1}/state/${e(roomId)}?event_id=${e(eventId)}`,
      timeoutMs: JOIN_TIMEOUT_MS,
      bodyBytesMax: Math.min(JOIN_BYTES_MAX, (eventsMax + 100) * STATE_EVENT_BYTES),
    });
    const [state, authChain] = [objectsIn(answer, 'pdus'), objectsIn(answer, 'auth_chain')];
    return { state: state.slice(0, eventsMax), authChain: authChain.slice(0, eventsMax) };
  }

  /** Where an alias of another server leads. */
  async directory(
    server: ServerName,
    alias: RoomAlias,
  ): Promise<{ readonly roomId: RoomId; readonly servers: readonly ServerName[] }> {
    const answer = await this.#get(server, `${V1}/query/directory?room_alias=${e(alias)}`);
    const roomId = parseRoomId(readString(answer, 'room_id') ?? '');
    if (roomId === undefined) throw new UnreachableError(server, 'the answer names no room');
    const servers = (readArray(answer, 'servers') ?? []).flatMap((name) => {
      const parsed = typeof name === 'string' ? parseServerName(name) : undefined;
      return parsed === undefined ? [] : [parsed];
    });
    return { roomId, servers };
  }

  profile(server: ServerName, userId: UserId, field?: string): Promise<JsonObject> {
    const suffix = field === undefined ? '' : `&field=${e(field)}`;
    return this.#get(server, `${V1}/query/profile?user_id=${e(userId)}${suffix}`, MAKE_TIMEOUT_MS);
  }

  publicRooms(server: ServerName, body: JsonObject): Promise<JsonObject> {
    return this.client.request({ destination: server, method: 'POST', path: `${V1}/publicRooms`, content: body });
  }

  userDevices(server: ServerName, userId: UserId): Promise<JsonObject> {
    return this.#get(server, `${V1}/user/devices/${e(userId)}`);
  }

  /** Asks a policy server to sign an event; resolves with its signatures. */
  askPolicyServer(server: ServerName, event: JsonObject, timeoutMs: number): Promise<JsonObject> {
    const path = '/_matrix/policy/v1/sign';
    return this.client.request({ destination: server, method: 'POST', path, content: event, timeoutMs });
  }

  queryKeys(server: ServerName, deviceKeys: JsonObject, timeoutMs: number): Promise<JsonObject> {
    const path = `${V1}/user/keys/query`;
    return this.client.request({
      destination: server,
      method: 'POST',
      path,
      content: { device_keys: deviceKeys },
      timeoutMs,
    });
  }

  claimKeys(server: ServerName, oneTimeKeys: JsonObject, timeoutMs: number): Promise<JsonObject> {
    const content = { one_time_keys: oneTimeKeys };
    const path = `${V1}/user/keys/claim`;
    return this.client.request({ destination: server, method: 'POST', path, content, timeoutMs });
  }

  #get(server: ServerName, path: string, timeoutMs?: number): Promise<JsonObject> {
    const timeout = timeoutMs === undefined ? {} : { timeoutMs };
    return this.client.request({ destination: server, method: 'GET', path, ...timeout });
  }

  async #template(server: ServerName, path: string): Promise<MembershipTemplate> {
    const answer = await this.#get(server, path, MAKE_TIMEOUT_MS);
    const event = this.#object(server, answer, 'event');
    return { roomVersion: readString(answer, 'room_version') ?? IMPLICIT_ROOM_VERSION, event };
  }

  #object(server: ServerName, answer: JsonObject, key: string): JsonObject {
    const value = readObject(answer, key);
    if (value === undefined) throw new UnreachableError(server, `the answer has no ${key}`);
    return value;
  }
}

function objectsIn(answer: JsonObject, key: string): readonly JsonObject[] {
  return (readArray(answer, key) ?? []).filter((value: JsonValue) => isJsonObject(value));
}

function idsIn(answer: JsonObject, key: string): readonly EventId[] {
  return (readArray(answer, key) ?? []).flatMap((value) => {
    const eventId = typeof value === 'string' ? parseEventId(value) : undefined;
    return eventId === undefined ? [] : [eventId];
  });
}
