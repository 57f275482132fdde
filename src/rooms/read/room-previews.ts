import { parseRoomId, type RoomId, type UserId } from '../../protocol/ids/index.ts';
import { type JsonObject, readArray, readBoolean, readString } from '../../protocol/json/index.ts';
import { roomVersionRules } from '../../protocol/room-versions/index.ts';
import type { ReadTx } from '../../storage/index.ts';
import { allowedRoomsOf } from '../join-rules.ts';
import { findMembership, findRoom, type Membership, type RoomRow } from '../store/index.ts';
import { type PublicRoom, toPublicRoom } from './public-rooms.ts';
import type { StateReader } from './state-reader.ts';

/** A room as those see it who aren't in it yet. Spec: client-server-api/#get_matrixclientv1room_summaryroomidoralias */
export interface RoomPreview extends PublicRoom {
  readonly room_version: string;
  readonly encryption?: string;
  /** The rooms whose members may join, where that is the rule. */
  readonly allowed_room_ids?: readonly RoomId[];
}

/** What an event under `m.space.child` says, as a hierarchy shows it. */
export interface SpaceChild {
  readonly type: 'm.space.child';
  readonly state_key: RoomId;
  readonly content: JsonObject;
  readonly sender: string;
  readonly origin_server_ts: number;
}

/** A room with its children, if it is a space. */
export interface SpaceRoom extends RoomPreview {
  readonly children_state: readonly SpaceChild[];
}

const ORDER_FORM = /^[\x20-\x7e]{1,50}$/;
const CHILDREN_MAX = 5_000;

/** What everybody who may know of the room sees of it. */
export async function previewOf(tx: ReadTx, states: StateReader, room: RoomRow): Promise<RoomPreview> {
  const allowed = isRestricted(room) ? await allowedRooms(tx, states, room) : [];
  return {
    ...toPublicRoom(room),
    room_version: room.version,
    ...(room.encryption !== null && { encryption: room.encryption }),
    ...(allowed.length > 0 && { allowed_room_ids: allowed }),
  };
}

/**
 * Whether a user (undefined: somebody who isn't logged in) may know of a room: because they are in it or may come in, or
 * because anybody may look in or knock.
 * Spec: client-server-api/#get_matrixclientv1roomsroomidhierarchy
 */
export async function mayKnowOf(
  tx: ReadTx,
  states: StateReader,
  room: RoomRow,
  userId: UserId | undefined,
): Promise<boolean> {
  if (room.history_visibility === 'world_readable') return true;
  const membership = userId === undefined ? undefined : await membershipIn(tx, room, userId);
  if (membership === 'ban') return false;
  if (room.join_rule === 'public' || isKnockable(room)) return true;
  if (userId === undefined) return false;
  if (membership === 'join' || membership === 'invite') return true;
  if (!isRestricted(room)) return false;
  for (const allowed of await allowedRooms(tx, states, room)) {
    const other = await findRoom(tx, allowed);
    if (other !== undefined && (await membershipIn(tx, other, userId)) === 'join') return true;
  }
  return false;
}

/** The user's membership, or undefined where there never was one. */
export async function membershipIn(
  tx: ReadTx,
  room: Pick<RoomRow, 'room_nid'>,
  userId: UserId,
): Promise<Membership | undefined> {
  return (await findMembership(tx, userId, room.room_nid))?.membership;
}

/**
 * The valid children of a space in their order; none for other rooms.
 * Spec: client-server-api/#ordering-of-children-within-a-space
 */
export async function childrenOf(
  tx: ReadTx,
  states: StateReader,
  room: RoomRow,
  suggestedOnly: boolean,
): Promise<readonly SpaceChild[]> {
  if (room.room_type !== 'm.space') return [];
  const children: SpaceChild[] = [];
  for (const { event } of await states.eventsOfType(tx, room.state_root, 'm.space.child')) {
    const roomId = parseRoomId(event.stateKey ?? '');
    if (roomId === undefined || (readArray(event.content, 'via') ?? []).length === 0) continue;
    if (suggestedOnly && readBoolean(event.content, 'suggested') !== true) continue;
    const { content, sender, originServerTs } = event;
    children.push({ type: 'm.space.child', state_key: roomId, content, sender, origin_server_ts: originServerTs });
  }
  return children.sort(byOrder).slice(0, CHILDREN_MAX);
}

function byOrder(a: SpaceChild, b: SpaceChild): number {
  const [first, second] = [orderOf(a), orderOf(b)];
  if (first !== second) {
    if (first === undefined || second === undefined) return first === undefined ? 1 : -1;
    return first < second ? -1 : 1;
  }
  return a.origin_server_ts - b.origin_server_ts || (a.state_key < b.state_key ? -1 : 1);
}

function orderOf({ content }: SpaceChild): string | undefined {
  const order = readString(content, 'order');
  return order !== undefined && ORDER_FORM.test(order) ? order : undefined;
}

/** Whether anybody may knock. */
export function isKnockable({ join_rule: rule, version }: RoomRow): boolean {
  const rules = roomVersionRules(version);
  return (
    (rule === 'knock' && rules?.knocking === true) || (rule === 'knock_restricted' && rules?.knockRestricted === true)
  );
}

/** Whether members of other rooms may join. */
export function isRestricted({ join_rule: rule, version }: RoomRow): boolean {
  const rules = roomVersionRules(version);
  return (
    (rule === 'restricted' && rules?.restricted === true) ||
    (rule === 'knock_restricted' && rules?.knockRestricted === true)
  );
}

/** The rooms that the join rule of a restricted room names. */
export async function allowedRooms(tx: ReadTx, states: StateReader, room: RoomRow): Promise<readonly RoomId[]> {
  const rule = await states.event(tx, room.state_root, 'm.room.join_rules', '');
  return rule === undefined ? [] : allowedRoomsOf(rule.event.content);
}
