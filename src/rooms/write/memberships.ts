import { forbidden, MatrixError, notFound } from '../../protocol/errors.ts';
import { type EventId, type RoomId, type ServerName, serverNameOf, type UserId } from '../../protocol/ids/index.ts';
import { type JsonObject, type JsonValue, readString } from '../../protocol/json/index.ts';
import type { MembershipNews } from '../news.ts';
import type { FederatedRooms } from '../receive/index.ts';
import { findMembership, forgetMembership, listRoomsOfUser, type Membership } from '../store/index.ts';
import { assertJoined, isSameContent } from './checks.ts';
import type { MemberProfile, WriteDeps } from './deps.ts';
import type { HotRoom } from './hot-room.ts';
import type { MembershipRequest, OwnMembershipRequest } from './membership-requests.ts';
import { type Admission, admissionTo } from './restricted.ts';
import type { Decision } from './room-writer.ts';

/** Changes who is in a room. Spec: client-server-api/#room-membership */
export class Memberships {
  readonly #deps: WriteDeps;

  constructor(deps: WriteDeps) {
    this.#deps = deps;
  }

  /**
   * Joins a room; a member stays one.
   * @throws MatrixError 404 for an unknown room, 403 `M_FORBIDDEN` or `M_GUEST_ACCESS_FORBIDDEN`
   */
  async join(request: OwnMembershipRequest): Promise<EventId> {
    const { roomId, userId } = request;
    const remote = await this.#remoteFor(roomId, userId);
    if (remote !== undefined && this.#deps.shadows.has(userId)) return this.#deps.shadows.newId();
    if (remote !== undefined) this.#deps.limits.joinsRemote(userId);
    const joined = await remote?.memberships.joinWithHelp(remoteRequest(request));
    if (joined !== undefined) return joined;
    if ((await this.#deps.hotRooms.find(roomId))?.isJoined(userId) !== true) this.#deps.limits.joins(roomId);
    const admission = await admissionTo(this.#deps, roomId, userId);
    const profile = await this.#deps.accounts.getProfile(userId);
    let predecessor: RoomId | undefined;
    const eventId = await this.#deps.writer.append(roomId, (room) => {
      predecessor = undefined;
      if (request.isGuest === true) assertOpenToGuests(room);
      const wasJoined = room.isJoined(userId);
      if (wasJoined && request.content === undefined) return already(room, userId);
      if (!wasJoined) predecessor = room.predecessor();
      const { join_authorised_via_users_server: _ours, ...asked } = request.content ?? {};
      const content = memberContent('join', { ...profileContent(profile), ...asked }, request.reason);
      return decide(room, userId, userId, { ...content, ...authoriser(room, userId, admission, wasJoined) });
    });
    if (predecessor !== undefined) await this.#deps.personalSettings.copy(userId, predecessor, roomId);
    return eventId;
  }

  /** Leaves a room, rejects an invite, or takes back a knock; who has left already stays so. */
  async leave(request: OwnMembershipRequest): Promise<EventId> {
    const { roomId, userId, reason, content } = request;
    const room = await this.#deps.hotRooms.find(roomId);
    const membership = room?.membership(userId);
    const remote = membership === 'invite' || membership === 'knock' ? await this.#remoteFor(roomId) : undefined;
    if (remote !== undefined) return remote.memberships.leave(remoteRequest(request));
    return this.#deps.writer.append(roomId, (room) => {
      if (room.membership(userId) === 'leave') return already(room, userId);
      if (request.isForced !== true) this.#deps.notices.assertMayReject(room, userId);
      return decide(room, userId, userId, memberContent('leave', content ?? {}, reason));
    });
  }

  /** Asks to be let in. @throws MatrixError 404 for an unknown room, 403 where the room takes no knocks */
  async knock(request: OwnMembershipRequest): Promise<EventId> {
    const { roomId, userId, reason, content } = request;
    const remote = await this.#remoteFor(roomId);
    if (remote !== undefined && this.#deps.shadows.has(userId)) return this.#deps.shadows.newId();
    if (remote !== undefined) return remote.memberships.knock(remoteRequest(request));
    const profile = profileContent(await this.#deps.accounts.getProfile(userId));
    return this.#deps.writer.append(roomId, (room) => {
      if (room.membership(userId) === 'knock') return already(room, userId);
      return decide(room, userId, userId, memberContent('knock', { ...profile, ...content }, reason));
    });
  }

  /** Invites a user; one who is invited stays so. @throws MatrixError 403 `M_FORBIDDEN` or `M_INVITE_BLOCKED` */
  async invite({ roomId, sender, target, reason, content }: MembershipRequest): Promise<EventId> {
    await this.#deps.writer.read(roomId, (room) => assertJoined(room, sender));
    const invitation = await this.invitation(sender, target, reason, content);
    const { federated, serverName } = this.#deps;
    if (serverNameOf(target) !== serverName) {
      if (federated === undefined) throw forbidden('This server does not talk to others');
      const invited = await this.#deps.writer.read(roomId, (room) => {
        return room.membership(target) === 'invite' ? room.entry('m.room.member', target)?.eventId : undefined;
      });
      return invited ?? federated.invites.send(roomId, sender, target, invitation);
    }
    return this.#deps.writer.append(roomId, (room) => {
      if (room.membership(target) === 'invite') {
        assertJoined(room, sender);
        return already(room, target);
      }
      return decide(room, sender, target, invitation);
    });
  }

  /** The content of an invite. @throws MatrixError 403 `M_INVITE_BLOCKED` */
  async invitation(
    sender: UserId,
    target: UserId,
    reason?: string | undefined,
    content?: JsonObject | undefined,
  ): Promise<JsonObject> {
    const { accounts, invitePolicy, limits, notices, serverName } = this.#deps;
    if (!notices.isFrom(sender)) limits.invited(target);
    if (serverNameOf(target) !== serverName) return memberContent('invite', content ?? {}, reason);
    if (await invitePolicy.blocksInvites(target, sender)) {
      throw new MatrixError('M_INVITE_BLOCKED', 'This user does not accept invites');
    }
    return memberContent('invite', { ...profileContent(await accounts.getProfile(target)), ...content }, reason);
  }

  /** Makes another user leave, or refuses a knock, or takes back an invite. */
  async kick({ roomId, sender, target, reason, content }: MembershipRequest): Promise<EventId> {
    return this.#deps.writer.append(roomId, (room) => {
      assertJoined(room, sender);
      const membership = room.membership(target);
      if (membership === undefined || membership === 'leave' || membership === 'ban') {
        throw forbidden('The user is not in this room');
      }
      return decide(room, sender, target, memberContent('leave', content ?? {}, reason));
    });
  }

  /** Bans a user, be they in the room or not. */
  async ban({ roomId, sender, target, reason, content }: MembershipRequest): Promise<EventId> {
    return this.#deps.writer.append(roomId, (room) => {
      assertJoined(room, sender);
      return decide(room, sender, target, memberContent('ban', content ?? {}, reason));
    });
  }

  /** Lifts a ban. @throws MatrixError `M_BAD_STATE` where there is none */
  async unban({ roomId, sender, target, reason, content }: MembershipRequest): Promise<EventId> {
    return this.#deps.writer.append(roomId, (room) => {
      assertJoined(room, sender);
      const decision = decide(room, sender, target, memberContent('leave', content ?? {}, reason));
      const { ban } = room.power();
      if (room.power().users(sender) < ban) throw forbidden('You may not lift bans in this room');
      if (room.membership(target) !== 'ban') throw new MatrixError('M_BAD_STATE', 'The user is not banned');
      return decision;
    });
  }

  /** Any change of a membership by its whole content, as through `PUT …/state/m.room.member/…`. */
  async set(sender: UserId, roomId: RoomId, target: UserId, content: JsonObject, isGuest: boolean): Promise<EventId> {
    const membership = readString(content, 'membership');
    const own = { roomId, userId: sender, content, isGuest };
    if (sender === target && membership === 'join') {
      this.#deps.limits.joinsAsState(sender);
      return this.join(own);
    }
    if (sender === target && membership === 'knock') return this.knock(own);
    if (membership === 'invite') {
      this.#deps.limits.invites(sender, 1);
      return this.invite({ roomId, sender, target, content });
    }
    return this.#deps.writer.append(roomId, (room) => {
      if (sender === target) this.#deps.notices.assertMayReject(room, target);
      return decide(room, sender, target, content);
    });
  }

  /** Forgets a room that the user has left. @throws MatrixError 400 `M_UNKNOWN` where the user is in it */
  async forget(roomId: RoomId, userId: UserId): Promise<void> {
    const room = await this.#deps.hotRooms.find(roomId);
    const membership = room?.membership(userId);
    if (room === undefined || membership === undefined) throw notFound('You were never in this room');
    if (membership !== 'leave' && membership !== 'ban') {
      throw new MatrixError('M_UNKNOWN', `User ${userId} is in room ${roomId}`);
    }
    const { database, hub } = this.#deps;
    const { roomNid } = room;
    await database.write('main', async (tx) => {
      const row = await findMembership(tx, userId, roomNid);
      // The user may be back by now.
      if (row === undefined || (row.membership !== 'leave' && row.membership !== 'ban')) return;
      await forgetMembership(tx, userId, roomNid);
      const { membership: left, event_nid: eventNid, position } = row;
      const news: MembershipNews = { roomId, roomNid, membership: left, eventNid, position, forgotten: true };
      tx.onCommit(() => hub.wake([`user:${userId}`], news));
    });
  }

  /** The rooms where the user's membership is one of the given ones. */
  async roomsOf(userId: UserId, memberships: readonly Membership[]): Promise<readonly RoomId[]> {
    const rows = await this.#deps.database.read((tx) => listRoomsOfUser(tx, userId));
    return rows.filter((row) => memberships.includes(row.membership)).map((row) => row.room_id);
  }

  /** Sends the user's membership again with the profile of now, unless it says that already or the user isn't joined. */
  async publishProfile(roomId: RoomId, userId: UserId): Promise<void> {
    const profile = await this.#deps.accounts.getProfile(userId);
    await this.#deps.writer.append(roomId, (room) => {
      const current = room.stateEvent('m.room.member', userId);
      if (current === undefined || !room.isJoined(userId)) throw forbidden('The user is not in this room');
      const { displayname: _name, avatar_url: _avatar, ...rest } = current.content;
      // A reason or an authorisation belongs to the join itself.
      const { reason: _reason, join_authorised_via_users_server: _authoriser, ...kept } = rest;
      const content = { ...kept, ...profileContent(profile) };
      const before = { ...kept, ...shown(current.content) };
      if (isSameContent(content, before)) return { already: current.eventId };
      return { type: 'm.room.member', sender: userId, stateKey: userId, content };
    });
  }

  /** What helps with a room that nobody of this server is in. @throws MatrixError 404 where nothing can */
  async #remoteFor(roomId: RoomId, joining?: UserId): Promise<FederatedRooms | undefined> {
    const { hotRooms, federated, partial, serverName } = this.#deps;
    const room = await hotRooms.find(roomId);
    if (room?.isResident(serverName) === true) {
      // Who may join is known to those who know all of the room.
      const isKnown = joining === undefined || room.isJoined(joining) || partial.find(room.roomNid) === undefined;
      return isKnown ? undefined : federated;
    }
    // A room that was always only ours can be gone back to, if its rules let one.
    if (room !== undefined && isOursAlone(room, serverName)) return undefined;
    if (federated === undefined && room === undefined) throw notFound('That room does not appear to exist');
    return federated;
  }
}

/** The proposal of a membership; the same content by the same sender changes nothing. */
function decide(room: HotRoom, sender: UserId, target: UserId, content: JsonObject): Decision {
  const current = room.stateEvent('m.room.member', target);
  if (current !== undefined && current.sender === sender && isSameContent(current.content, content)) {
    return { already: current.eventId };
  }
  return { type: 'm.room.member', sender, stateKey: target, content };
}

function already(room: HotRoom, userId: UserId): Decision {
  const entry = room.entry('m.room.member', userId);
  if (entry === undefined) throw new Error(`${userId} has a membership without an event`);
  return { already: entry.eventId };
}

function memberContent(membership: Membership, content: JsonObject, reason: string | undefined): JsonObject {
  return { ...content, membership, ...(reason === undefined ? {} : { reason }) };
}

/** What member events show of a profile. */
export function profileContent(profile: MemberProfile | undefined): JsonObject {
  const content: Record<string, JsonValue> = {};
  if (profile?.displayname !== undefined) content.displayname = profile.displayname;
  if (profile?.avatarUrl !== undefined) content.avatar_url = profile.avatarUrl;
  return content;
}

function shown(content: JsonObject): JsonObject {
  return profileContent({
    displayname: readString(content, 'displayname'),
    avatarUrl: readString(content, 'avatar_url'),
  });
}

/** Spec: client-server-api/#guest-access */
function assertOpenToGuests(room: HotRoom): void {
  if (room.figures.digest.guest_access !== 'can_join') {
    throw new MatrixError('M_GUEST_ACCESS_FORBIDDEN', 'Guests may not join this room');
  }
}

/** Who vouches for a join to a restricted room. Nobody has to for those who are invited or in the room. */
function authoriser(room: HotRoom, userId: UserId, admission: Admission, wasJoined: boolean): JsonObject {
  if (wasJoined || room.membership(userId) === 'invite') return {};
  const rule = room.figures.digest.join_rule;
  if (!room.rules.restricted || (rule !== 'restricted' && rule !== 'knock_restricted')) return {};
  if (!admission.isMet) throw forbidden('You are in none of the rooms whose members may join');
  const found = admission.authoriserIn(room);
  if (found === undefined) throw new MatrixError('M_UNABLE_TO_GRANT_JOIN', 'Nobody here may let you in');
  return { join_authorised_via_users_server: found };
}

/** Whether nobody of another server was ever in the room. */
function isOursAlone(room: HotRoom, serverName: ServerName): boolean {
  return room.committed.stateRoot !== 0 && room.members.areAllOf(serverName);
}

function remoteRequest({ roomId, userId, reason, content, via }: OwnMembershipRequest) {
  const full = { ...content, ...(reason === undefined ? {} : { reason }) };
  return { roomId, userId, content: full, via: via ?? [] };
}
