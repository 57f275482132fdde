import { invalidParam } from '../../protocol/errors.ts';
import { canonicalJsonFor, Event } from '../../protocol/event/index.ts';
import { parseUserId, type RoomId, type ServerName, serverNameOf, type UserId } from '../../protocol/ids/index.ts';
import { type JsonObject, readString } from '../../protocol/json/index.ts';
import type { RoomVersionRules } from '../../protocol/room-versions/index.ts';
import type { WriteTx } from '../../storage/index.ts';
import type { MembershipNews, StreamNews } from '../news.ts';
import { findPlace, placeOutlier } from '../store/graph-rows.ts';
import {
  findMembership,
  findRoom,
  insertEvent,
  insertRoom,
  isForgottenAt,
  type Membership,
  putMembership,
} from '../store/index.ts';
import { EMPTY_DIGEST } from '../write/digest.ts';
import type { HotRoom } from '../write/hot-room.ts';
import type { ReceiveDeps } from './deps.ts';
import { outlierRow } from './outliers.ts';

/** Memberships of our users in rooms that we aren't in: invites, knocks, and their end. */
export class OutOfBand {
  readonly #deps: Pick<ReceiveDeps, 'database' | 'hub' | 'clock' | 'serverName' | 'hotRooms' | 'forgetsOnLeave'>;

  constructor(deps: Pick<ReceiveDeps, 'database' | 'hub' | 'clock' | 'serverName' | 'hotRooms' | 'forgetsOnLeave'>) {
    this.#deps = deps;
  }

  /**
   * Takes a member event of one of our users. `strippedState`: what the user is shown of the room.
   * Resolves when it is durable. What was taken before does nothing. @throws M_INVALID_PARAM for what can't be an event of the room
   */
  async put(
    rules: RoomVersionRules,
    event: Event,
    membership: Membership,
    strippedState:
      | { readonly key: 'invite_room_state' | 'knock_room_state'; readonly events: readonly JsonObject[] }
      | undefined,
  ): Promise<void> {
    const { database, hotRooms, hub } = this.#deps;
    const userId = parseUserId(event.stateKey ?? '');
    if (userId === undefined) throw new Error('a member event is about a user');
    const shown =
      strippedState === undefined ? event : withUnsigned(event, { [strippedState.key]: strippedState.events });
    const written = await database.write('main', (tx) => this.#write(tx, rules, shown, userId, membership));
    if (written === undefined) return;
    const hot = hotRooms.peek(event.roomId);
    if (hot !== undefined) hotRooms.drop(hot);
    const news: MembershipNews = { roomId: event.roomId, membership, ...written };
    hub.wake([`user:${userId}`], news);
    const stream: StreamNews = { stream: 'events', position: written.position };
    hub.wake(['stream:events', `room:${event.roomId}`], stream);
  }

  /** An event in a room that we aren't in: an invite may be taken back, a knock refused. All else is nothing to us. */
  async receive(room: HotRoom, event: Event, origin: ServerName): Promise<void> {
    const userId = parseUserId(event.stateKey ?? '');
    if (event.type !== 'm.room.member' || userId === undefined) return;
    if (serverNameOf(userId) !== this.#deps.serverName) return;
    const membership = readString(event.content, 'membership');
    if (membership !== 'leave' && membership !== 'ban') return;
    const row = await this.#deps.database.read((tx) => findMembership(tx, userId, room.roomNid));
    if (row?.membership !== 'invite' && row?.membership !== 'knock') return;
    // We can't tell who is in the room: the server of who invited may take the invite back, and vouches for others who do. A
    // knock is answered by anybody in the room.
    const inviter = serverNameOf(row.sender);
    if (row.membership === 'invite' && inviter !== origin && inviter !== serverNameOf(event.sender)) return;
    await this.put(room.rules, event, membership, undefined);
  }

  /** Undefined where the event has its place already. */
  async #write(tx: WriteTx, rules: RoomVersionRules, event: Event, userId: UserId, membership: Membership) {
    const roomNid = await ensureRoom(tx, event.roomId, rules, this.#deps.clock.now());
    const known = await findPlace(tx, event.eventId);
    // In room versions 1 and 2 a server chooses the ids of its events.
    if (known !== undefined && known.room_nid !== roomNid) throw invalidParam('Another room has an event with this id');
    if (known !== undefined && known.position !== null) return undefined;
    const position = tx.nextPosition('events');
    const facts = { roomId: event.roomId, roomNid, rules };
    const row = { ...outlierRow(facts, event, false), position };
    if (known !== undefined) await placeOutlier(tx, known.nid, row);
    const nid = known?.nid ?? (await insertEvent(tx, row));
    const forgotten = isForgottenAt(membership, this.#deps.forgetsOnLeave);
    await putMembership(tx, {
      user_id: userId,
      room_nid: roomNid,
      membership,
      event_nid: nid,
      position,
      sender: event.sender,
      forgotten: forgotten ? 1 : 0,
      display_name: readString(event.content, 'displayname') ?? null,
      avatar_url: readString(event.content, 'avatar_url') ?? null,
    });
    return { roomNid, eventNid: nid, position, forgotten };
  }
}

/**
 * The room's nid; a row without any state is made where we don't know the room.
 * @throws M_INVALID_PARAM where we know it with another version: one of the two is a lie, and its events couldn't be read
 */
export async function ensureRoom(tx: WriteTx, roomId: RoomId, rules: RoomVersionRules, nowTs: number): Promise<number> {
  const room = await findRoom(tx, roomId);
  if (room !== undefined && room.version !== rules.id) throw invalidParam(`The room has version ${room.version} here`);
  if (room !== undefined) return room.room_nid;
  return insertRoom(tx, {
    ...EMPTY_DIGEST,
    room_id: roomId,
    version: rules.id,
    state_root: 0,
    row_version: 0,
    joined_count: 0,
    invited_count: 0,
    is_public: 0,
    created_ts: nowTs,
  });
}

function withUnsigned(event: Event, unsigned: JsonObject): Event {
  const json = canonicalJsonFor({ ...event.exactPdu, unsigned }, event.rules);
  return Event.fromJson(event.eventId, json, event.rules);
}
