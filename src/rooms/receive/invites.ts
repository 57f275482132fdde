import { RefusedError, toClientError } from '../../federation/index.ts';
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
import { type JsonObject, readString } from '../../protocol/json/index.ts';
import { roomVersionRules } from '../../protocol/room-versions/index.ts';
import { assertJoined } from '../write/checks.ts';
import type { ReceiveDeps } from './deps.ts';
import type { OutOfBand } from './out-of-band.ts';
import { verifyAll } from './outliers.ts';
import type { Receiver } from './receiver.ts';
import { isServerAllowed } from './server-acl.ts';
import { shownState, stripAll } from './shown-state.ts';

/** An invite that came from another server. */
export interface IncomingInvite {
  readonly origin: ServerName;
  readonly roomId: RoomId;
  readonly eventId: EventId;
  readonly roomVersion: string;
  readonly event: JsonObject;
  readonly roomState: readonly JsonObject[];
}

/** Invites between servers. Spec: server-server-api/#inviting-to-a-room */
export class Invites {
  readonly #deps: ReceiveDeps;
  readonly #receiver: Receiver;
  readonly #outOfBand: OutOfBand;

  constructor(deps: ReceiveDeps, receiver: Receiver, outOfBand: OutOfBand) {
    this.#deps = deps;
    this.#receiver = receiver;
    this.#outOfBand = outOfBand;
  }

  /** Invites a user of another server, which signs the invite before it counts. @throws MatrixError 403, 502 */
  async send(roomId: RoomId, sender: UserId, target: UserId, content: JsonObject): Promise<EventId> {
    const { writer, federation, shadows } = this.#deps;
    const server = serverNameOf(target);
    let shown: readonly Event[] = [];
    const event = await writer.draft(roomId, (room) => {
      // Who invited somebody by e-mail may have left since.
      if (content.third_party_invite === undefined) assertJoined(room, sender);
      // Nobody of another server could ever join; the auth rules look only at who sends.
      if (room.figures.digest.federate === 0) throw forbidden('This room is not open to other servers');
      shown = shownState(room, sender);
      return { type: 'm.room.member', sender, stateKey: target, content };
    });
    if (shadows.has(sender)) return event.eventId;
    const answer = await federation.calls
      .invite(server, roomId, event.eventId, {
        event: event.exactPdu,
        room_version: event.rules.id,
        invite_room_state: shown.map((one) => one.exactPdu),
      })
      .catch((error: unknown) => {
        throw refusalOf(error);
      });
    const [signed] = await verifyAll(this.#deps, [parsePdu(answer, event.rules)]);
    if (signed === undefined || signed.eventId !== event.eventId) {
      throw new MatrixError('M_UNKNOWN', `${server} answered with another event`, { status: 502 });
    }
    await this.#put(signed, false);
    return signed.eventId;
  }

  /** Puts a third-party invite of one of our users, in another server's user's name, into its room and sends it on. */
  async put(event: Event): Promise<void> {
    await this.#put(event, true);
  }

  async #put(event: Event, relay: boolean): Promise<void> {
    await this.#receiver.receiveOne(event, { origin: this.#deps.serverName, relay });
    if (!(await this.#receiver.isAccepted(event.eventId)))
      throw forbidden('The room changed: the invite is no longer allowed');
  }

  /** What of a room is shown to another server one of whose users knocks: whole events, its creation among them. */
  shownTo(roomId: RoomId): Promise<readonly JsonObject[]> {
    return this.#deps.writer.read(roomId, (room) => shownState(room, undefined).map((event) => event.exactPdu));
  }

  /** Takes an invite of one of our users; resolves with the event, signed by us too. @throws MatrixError 400, 403, 404 */
  async receive(invite: IncomingInvite): Promise<JsonObject> {
    const { origin, roomId, eventId } = invite;
    const { hotRooms, serverName, accounts, invitePolicy, writer, limits } = this.#deps;
    limits.inviteFrom(origin);
    const rules = roomVersionRules(invite.roomVersion);
    if (rules === undefined) {
      throw new MatrixError('M_INCOMPATIBLE_ROOM_VERSION', 'The room has a version that is not known here', {
        fields: { room_version: invite.roomVersion },
      });
    }
    const event = parseOrRefuse(() => parsePdu(invite.event, rules));
    const target = parseUserId(event.stateKey ?? '');
    if (event.roomId !== roomId || event.eventId !== eventId)
      throw invalidParam('The event is not the one that the path names');
    if (
      event.type !== 'm.room.member' ||
      readString(event.content, 'membership') !== 'invite' ||
      target === undefined
    ) {
      throw invalidParam('The event is not an invite');
    }
    if (serverNameOf(target) !== serverName) throw invalidParam('The invited user is not of this server');
    if (serverNameOf(event.sender) !== origin) throw invalidParam('The sender is not of your server');
    const room = await hotRooms.find(roomId);
    // What we sign depends on the version: by another one it would be another event.
    if (room !== undefined && room.rules.id !== rules.id) throw invalidParam(`The room has version ${room.rules.id}`);
    if (room?.isResident(serverName) === true) await this.#assertAllowed(roomId, origin);
    const [verified] = await verifyAll(this.#deps, [event]);
    if (verified === undefined) throw invalidParam('The signature is not valid');
    if ((await accounts.getProfile(target)) === undefined) throw notFound('There is no such user');
    limits.invited(target);
    if (await invitePolicy.blocksInvites(target, event.sender)) {
      throw new MatrixError('M_INVITE_BLOCKED', 'This user does not accept invites');
    }
    const signed = writer.countersign(verified);
    // In a room that we are in, the invite comes like any other event.
    if (room?.isResident(serverName) !== true) {
      const events = stripAll(invite.roomState);
      await this.#outOfBand.put(rules, signed, 'invite', { key: 'invite_room_state', events });
    }
    return signed.exactPdu;
  }

  /** Spec: server-server-api/#server-access-control-lists-acls. @throws M_FORBIDDEN */
  #assertAllowed(roomId: RoomId, origin: ServerName): Promise<void> {
    return this.#deps.writer.read(roomId, (room) => {
      if (!isServerAllowed(room.stateEvent('m.room.server_acl', '')?.content, origin))
        throw forbidden('Your server is not allowed in this room');
    });
  }
}

/** What our user is told whose invite another server didn't take. Spec: client-server-api/#post_matrixclientv3roomsroomidinvite */
function refusalOf(error: unknown): unknown {
  if (!(error instanceof RefusedError)) return toClientError(error);
  const reason = error.reason ?? 'The invite was refused';
  if (error.errcode === 'M_INCOMPATIBLE_ROOM_VERSION') return new MatrixError('M_UNSUPPORTED_ROOM_VERSION', reason);
  if (error.status !== 403) return toClientError(error);
  return error.errcode === 'M_INVITE_BLOCKED' ? new MatrixError('M_INVITE_BLOCKED', reason) : forbidden(reason);
}

function parseOrRefuse(parse: () => Event): Event {
  try {
    return parse();
  } catch (error) {
    if (error instanceof BadPduError) throw badJson(error.message);
    throw error;
  }
}
