import { RefusedError, toClientError, UnreachableError } from '../../federation/index.ts';
import { MatrixError, notFound } from '../../protocol/errors.ts';
import { type Event, parsePdu } from '../../protocol/event/index.ts';
import { type EventId, type RoomId, type ServerName, serverNameOf, type UserId } from '../../protocol/ids/index.ts';
import { isJsonObject, type JsonObject, readString } from '../../protocol/json/index.ts';
import { ROOM_VERSIONS, type RoomVersionRules, roomVersionRules } from '../../protocol/room-versions/index.ts';
import { findMembership } from '../store/index.ts';
import { profileContent } from '../write/memberships.ts';
import type { ReceiveDeps } from './deps.ts';
import { importRoom } from './import-room.ts';
import { newRoomDraft } from './local-leave.ts';
import { ensureRoom, type OutOfBand } from './out-of-band.ts';
import { verifyAll } from './outliers.ts';
import type { Receiver } from './receiver.ts';
import type { RoomCompletion } from './room-completion.ts';
import type { RoomQueues } from './room-queues.ts';
import { stripAll } from './shown-state.ts';
import { draftFromTemplate } from './templates.ts';

/** What one of our users wants of a room that other servers must help with. */
export interface RemoteMembershipRequest {
  readonly roomId: RoomId;
  readonly userId: UserId;
  readonly content: JsonObject;
  /** Servers that may help, in the order in which they are asked. */
  readonly via: readonly ServerName[];
}

const VERSIONS = ROOM_VERSIONS.map((rules) => rules.id);
const SERVERS_ASKED_MAX = 10;

/** Memberships of our users in rooms through other servers. Spec: server-server-api/#joining-rooms and the like */
export class RemoteMemberships {
  readonly #deps: ReceiveDeps;
  readonly #queues: RoomQueues;
  readonly #receiver: Receiver;
  readonly #outOfBand: OutOfBand;
  readonly #completion: RoomCompletion;

  constructor(
    deps: ReceiveDeps,
    queues: RoomQueues,
    receiver: Receiver,
    outOfBand: OutOfBand,
    completion: RoomCompletion,
  ) {
    this.#deps = deps;
    this.#queues = queues;
    this.#receiver = receiver;
    this.#outOfBand = outOfBand;
    this.#completion = completion;
  }

  /** Joins through the first server that lets us. @throws MatrixError 404, 403, 502 */
  join(request: RemoteMembershipRequest): Promise<EventId> {
    return this.#throughAny(request, (server) => this.#joinThrough(server, request));
  }

  /** As `join`; undefined where nobody helps with a room that we are in ourselves. @throws MatrixError */
  async joinWithHelp(request: RemoteMembershipRequest): Promise<EventId | undefined> {
    try {
      return await this.join(request);
    } catch (error) {
      const isAway = error instanceof MatrixError && (error.status === 404 || error.status === 502);
      if (isAway && this.#deps.partial.findById(request.roomId) !== undefined) return undefined;
      throw error;
    }
  }

  /** Knocks through the first server that takes it. @throws MatrixError */
  knock(request: RemoteMembershipRequest): Promise<EventId> {
    return this.#throughAny(request, async (server) => {
      const { calls } = this.#deps.federation;
      const { roomId, userId } = request;
      const template = await calls.makeKnock(server, roomId, userId, VERSIONS);
      const { event, rules } = await this.#build(server, template, request, 'knock');
      const events = stripAll(await calls.sendKnock(server, roomId, event.eventId, event.exactPdu));
      await this.#outOfBand.put(rules, event, 'knock', { key: 'knock_room_state', events });
      return event.eventId;
    });
  }

  /**
   * Leaves a room that we aren't in: refuses an invite, takes back a knock. Where no server helps, the user is out all the
   * same, as far as we are concerned.
   */
  async leave(request: RemoteMembershipRequest): Promise<EventId> {
    const { roomId, userId, content } = request;
    try {
      return await this.#throughAny(request, async (server) => {
        const { calls } = this.#deps.federation;
        const { event, rules } = await this.#build(
          server,
          await calls.makeLeave(server, roomId, userId),
          request,
          'leave',
        );
        await calls.sendLeave(server, roomId, event.eventId, event.exactPdu);
        await this.#outOfBand.put(rules, event, 'leave', undefined);
        return event.eventId;
      });
    } catch (error) {
      const room = await this.#deps.hotRooms.find(roomId);
      if (room === undefined) throw error;
      this.#deps.log.info({ err: error, roomId }, 'no server helps to leave a room; the user is out here');
      const draft = newRoomDraft(room.rules, { roomId, userId, content, nowTs: this.#deps.clock.now() });
      const event = this.#deps.writer.build(room.rules, draft);
      await this.#outOfBand.put(room.rules, event, 'leave', undefined);
      return event.eventId;
    }
  }

  /** The servers that may help: those asked for, the inviter's, the one in the room's id. */
  async helpers(roomId: RoomId, userId: UserId, via: readonly ServerName[]): Promise<readonly ServerName[]> {
    const { database, hotRooms, serverName } = this.#deps;
    const room = await hotRooms.find(roomId);
    const row = room === undefined ? undefined : await database.read((tx) => findMembership(tx, userId, room.roomNid));
    const named = serverNameOf(roomId);
    const inviter = row?.membership === 'invite' ? [serverNameOf(row.sender)] : [];
    const all = new Set([...inviter, ...via, ...(named === undefined ? [] : [named])]);
    all.delete(serverName);
    return [...all].slice(0, SERVERS_ASKED_MAX);
  }

  async #throughAny(
    { roomId, userId, via }: RemoteMembershipRequest,
    attempt: (server: ServerName) => Promise<EventId>,
  ): Promise<EventId> {
    let failure: unknown;
    for (const server of await this.helpers(roomId, userId, via)) {
      try {
        return await attempt(server);
      } catch (error) {
        this.#deps.log.info({ err: error, roomId, server }, 'a server could not help with a membership');
        // A refusal says more than a server that isn't there.
        if (failure === undefined || !(error instanceof UnreachableError)) failure = error;
        if (error instanceof RefusedError && error.status === 403) break;
      }
    }
    if (failure === undefined || failure instanceof UnreachableError) {
      throw notFound('No server can be reached that knows this room');
    }
    const shown = toClientError(failure);
    throw shown instanceof MatrixError
      ? shown
      : new MatrixError('M_UNKNOWN', 'The other servers gave no usable answer', { status: 502 });
  }

  async #build(
    server: ServerName,
    template: { readonly roomVersion: string; readonly event: JsonObject },
    { roomId, userId, content }: RemoteMembershipRequest,
    membership: 'join' | 'knock' | 'leave',
  ): Promise<{ readonly event: Event; readonly rules: RoomVersionRules }> {
    const rules = roomVersionRules(template.roomVersion);
    if (rules === undefined)
      throw new MatrixError('M_INCOMPATIBLE_ROOM_VERSION', 'The room has a version that is not known here');
    const profile = membership === 'leave' ? undefined : await this.#deps.accounts.getProfile(userId);
    const authoriser = readString(
      isJsonObject(template.event.content) ? template.event.content : {},
      'join_authorised_via_users_server',
    );
    const full = {
      ...profileContent(profile),
      ...content,
      membership,
      ...(membership === 'join' && authoriser !== undefined ? { join_authorised_via_users_server: authoriser } : {}),
    };
    const draft = draftFromTemplate(template.event, rules, {
      roomId,
      userId,
      content: full,
      nowTs: this.#deps.clock.now(),
    });
    if (draft === undefined) throw new UnreachableError(server, 'the template of the event can not be read');
    return { event: this.#deps.writer.build(rules, draft), rules };
  }

  async #joinThrough(server: ServerName, request: RemoteMembershipRequest): Promise<EventId> {
    const { partialJoins, federation } = this.#deps;
    const { calls } = federation;
    const { roomId, userId } = request;
    const template = await calls.makeJoin(server, roomId, userId, VERSIONS);
    const { event, rules } = await this.#build(server, template, request, 'join');
    // What the others send us meanwhile waits until we are in.
    return this.#queues.run(roomId, async () => {
      const joined = await calls.sendJoin(server, roomId, event.eventId, event.exactPdu, partialJoins);
      const signed = joined.event === undefined ? event : await this.#cosigned(event, joined.event, rules);
      const { database, serverName, hotRooms, clock, partial } = this.#deps;
      const resident = await hotRooms.find(roomId);
      if (resident?.isResident(serverName) === true) {
        // Another of our users is in the room: the join is one more event of it.
        await this.#receiver.receiveInQueue(signed, { origin: server, relay: false });
        return signed.eventId;
      }
      const roomNid = await database.write('main', (tx) => ensureRoom(tx, roomId, rules, clock.now()));
      const servers = joined.membersOmitted ? { via: server, servers: joined.serversInRoom } : undefined;
      await importRoom(this.#deps, { roomId, roomNid, rules }, signed, { ...joined, partial: servers });
      const imported = partial.find(roomNid);
      if (imported !== undefined) this.#completion.begin(imported);
      return signed.eventId;
    });
  }

  /** Our join with the signature of the server that let us in. */
  async #cosigned(event: Event, pdu: JsonObject, rules: RoomVersionRules): Promise<Event> {
    const [signed] = await verifyAll(this.#deps, [parsePdu(pdu, rules)]);
    return signed !== undefined && signed.eventId === event.eventId ? signed : event;
  }
}
