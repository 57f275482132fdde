import { checkAuth, refusalText } from '../../protocol/auth/index.ts';
import { badJson, forbidden, invalidParam, MatrixError, notFound } from '../../protocol/errors.ts';
import { BadPduError, type Event, parsePdu } from '../../protocol/event/index.ts';
import {
  type EventId,
  parseUserId,
  type RoomId,
  type ServerName,
  serverNameOf,
  type UserId,
} from '../../protocol/ids/index.ts';
import { type JsonObject, type JsonValue, readString } from '../../protocol/json/index.ts';
import type { RoomVersionRules } from '../../protocol/room-versions/index.ts';
import type { HotRoom } from '../write/hot-room.ts';
import { type Admission, admissionTo } from '../write/restricted.ts';
import type { ReceiveDeps } from './deps.ts';
import { verifyAll } from './outliers.ts';
import type { Receiver } from './receiver.ts';
import { isServerAllowed } from './server-acl.ts';

/** The memberships that users of other servers take through us. */
export type ServedMembership = 'join' | 'leave' | 'knock';

/** A member event that another server is to complete and sign. */
export interface Template {
  readonly roomVersion: string;
  readonly event: JsonObject;
}

/** Who asks for a template. */
export interface TemplateRequest {
  readonly origin: ServerName;
  readonly roomId: RoomId;
  readonly userId: UserId;
  /** The room versions that the other server knows; undefined: it doesn't say, as for leaving. */
  readonly versions: readonly string[] | undefined;
}

/** A member event that another server completed and signed. */
export interface SentEvent {
  readonly origin: ServerName;
  readonly roomId: RoomId;
  readonly eventId: EventId;
  readonly pdu: JsonObject;
}

/** Lets users of other servers join, leave and knock through us. Spec: server-server-api/#joining-rooms and the like */
export class ServeMemberships {
  readonly #deps: ReceiveDeps;
  readonly #receiver: Receiver;

  constructor(deps: ReceiveDeps, receiver: Receiver) {
    this.#deps = deps;
    this.#receiver = receiver;
  }

  /** @throws MatrixError 400 for another version, 403, 404 for a room that we aren't in */
  async template(membership: ServedMembership, request: TemplateRequest): Promise<Template> {
    const { roomId, origin, userId, versions } = request;
    if (serverNameOf(userId) !== origin) throw forbidden('The user is not of your server');
    await this.assertServed(roomId, origin);
    if (membership !== 'leave') this.assertWhole(roomId);
    if (membership === 'join') this.#deps.limits.joins(roomId);
    const admission = membership === 'join' ? await admissionTo(this.#deps, roomId, userId) : undefined;
    return this.#deps.writer.read(roomId, (room) => {
      const { rules } = room;
      if (versions !== undefined && !versions.includes(rules.id)) throw incompatible(rules);
      const content = { membership, ...(admission === undefined ? {} : this.#authoriser(room, userId, admission)) };
      const draft = { type: 'm.room.member', sender: userId, stateKey: userId, content };
      const event = this.#deps.writer.template(room, draft);
      const verdict = checkAuth(event, room.auth);
      if (!verdict.allowed) throw forbidden(refusalText(verdict));
      return { roomVersion: rules.id, event: templateOf(event, roomId, origin) };
    });
  }

  /**
   * Takes a member event into the room, with our signature where we vouch for a join. Resolves with it when it is durable.
   * @throws MatrixError 400, 403, 404
   */
  async accept(membership: ServedMembership, { origin, roomId, eventId, pdu }: SentEvent): Promise<Event> {
    await this.assertServed(roomId, origin);
    if (membership !== 'leave') this.assertWhole(roomId);
    const room = await this.#deps.hotRooms.find(roomId);
    if (room === undefined) throw notFound('That room is not known here');
    const event = parseOrRefuse(pdu, room.rules);
    const user = parseUserId(event.stateKey ?? '');
    if (event.roomId !== roomId || event.eventId !== eventId)
      throw invalidParam('The event is not the one that the path names');
    if (event.type !== 'm.room.member' || readString(event.content, 'membership') !== membership) {
      throw invalidParam(`The event is not a ${membership}`);
    }
    if (user === undefined || user !== event.sender || serverNameOf(user) !== origin) {
      throw invalidParam('The event is not of a user of your server about themselves');
    }
    const signed = this.#vouches(event) ? await this.#vouchFor(event, user) : event;
    const [verified] = await verifyAll(this.#deps, [signed]);
    if (verified === undefined) throw invalidParam('The signature is not valid');
    await this.#receiver.receiveOne(verified, { origin, relay: true }).catch((error: unknown) => {
      throw error instanceof Error && error.name === 'DroppedEventError' ? forbidden(error.message) : error;
    });
    if (!(await this.#receiver.isAccepted(eventId))) throw forbidden('The room does not allow this');
    return verified;
  }

  /** @throws MatrixError 404 for a room that we aren't in, 403 where the room's ACL excludes the server */
  async assertServed(roomId: RoomId, origin: ServerName): Promise<void> {
    const { hotRooms, serverName, writer } = this.#deps;
    const room = await hotRooms.find(roomId);
    if (room?.isResident(serverName) !== true) throw notFound('That room is not known here');
    await writer.read(roomId, (now) => {
      if (!isServerAllowed(now.stateEvent('m.room.server_acl', '')?.content, origin)) {
        throw forbidden('Your server is not allowed in this room');
      }
    });
  }

  /** @throws MatrixError 404 while we know only a part of the room ourselves (MSC3902): others have to be asked */
  assertWhole(roomId: RoomId): void {
    if (this.#deps.partial.findById(roomId) === undefined) return;
    throw notFound('This server has joined the room a moment ago and cannot help with it yet');
  }

  #vouches(event: Event): boolean {
    const authoriser = parseUserId(readString(event.content, 'join_authorised_via_users_server') ?? '');
    return event.rules.restricted && authoriser !== undefined && serverNameOf(authoriser) === this.#deps.serverName;
  }

  /** The conditions are checked again: anybody may send a join that names one of our users. */
  async #vouchFor(event: Event, user: UserId): Promise<Event> {
    const admission = await admissionTo(this.#deps, event.roomId, user);
    await this.#deps.writer.read(event.roomId, (room) => this.#authoriser(room, user, admission));
    return this.#deps.writer.countersign(event);
  }

  /** Who of us vouches for a join to a restricted room. Spec: client-server-api/#restricted-rooms */
  #authoriser(room: HotRoom, userId: UserId, admission: Admission): JsonObject {
    const rule = room.figures.digest.join_rule;
    if (room.isJoined(userId) || room.membership(userId) === 'invite' || !room.rules.restricted) return {};
    if (rule !== 'restricted' && rule !== 'knock_restricted') return {};
    if (!admission.isMet) {
      if (!admission.isKnown)
        throw new MatrixError('M_UNABLE_TO_AUTHORISE_JOIN', 'This server cannot tell who may join');
      throw forbidden('The user is in none of the rooms whose members may join');
    }
    const found = admission.authoriserIn(room);
    if (found === undefined) throw new MatrixError('M_UNABLE_TO_GRANT_JOIN', 'Nobody here may let the user in');
    return { join_authorised_via_users_server: found };
  }
}

function incompatible(rules: RoomVersionRules): MatrixError {
  return new MatrixError('M_INCOMPATIBLE_ROOM_VERSION', 'Your server does not know the version of this room', {
    fields: { room_version: rules.id },
  });
}

/** What is left to the other server to fill in is taken out. */
function templateOf(event: Event, roomId: RoomId, origin: ServerName): JsonObject {
  const { hashes: _hashes, signatures: _signatures, event_id: _eventId, ...rest } = event.pdu;
  const fields: Record<string, JsonValue | undefined> = { ...rest, room_id: roomId, origin };
  return Object.fromEntries(
    Object.entries(fields).filter((entry): entry is [string, JsonValue] => entry[1] !== undefined),
  );
}

function parseOrRefuse(pdu: JsonObject, rules: RoomVersionRules): Event {
  try {
    return parsePdu(pdu, rules);
  } catch (error) {
    if (error instanceof BadPduError) throw badJson(error.message);
    throw error;
  }
}
