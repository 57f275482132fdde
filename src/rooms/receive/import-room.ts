/** A room as another server gives it to whoever joins: checked, and written in bulk. */
import { authStateOf, checkAuth } from '../../protocol/auth/index.ts';
import type { Event } from '../../protocol/event/index.ts';
import {
  createEventIdOf,
  type EventId,
  parseUserId,
  type ServerName,
  serverNameOf,
  type UserId,
} from '../../protocol/ids/index.ts';
import { type JsonObject, readString } from '../../protocol/json/index.ts';
import { IMPLICIT_ROOM_VERSION } from '../../protocol/room-versions/index.ts';
import { type StateKey, stateKeyOf } from '../../protocol/state/index.ts';
import type { WriteTx } from '../../storage/index.ts';
import type { MembershipNews, StreamNews } from '../news.ts';
import { MEMBERS } from '../news.ts';
import { insertGap, nidsOf, placeOutlier } from '../store/graph-rows.ts';
import { deleteExtremities, insertMembers, replaceMembers } from '../store/import-rows.ts';
import {
  advanceRoomState,
  deletePartialRoom,
  findRoom,
  insertEvent,
  insertExtremity,
  type Membership,
  type MembershipRow,
  putPartialRoom,
} from '../store/index.ts';
import type { StateChange } from '../store/state-tree.ts';
import { digestAfter, EMPTY_DIGEST } from '../write/digest.ts';
import type { ReceiveDeps, RoomFacts } from './deps.ts';
import { memberRowOf } from './member-rows.ts';
import { type KeptEvents, keepOutliers, outlierRow, tryParse } from './outliers.ts';

/** A room as it was given. */
export interface GivenRoom {
  readonly state: readonly JsonObject[];
  readonly authChain: readonly JsonObject[];
  /** Of a room with only a part of its state (MSC3706): who gave it, and who has the rest. */
  readonly partial: { readonly via: ServerName; readonly servers: readonly ServerName[] } | undefined;
}

/**
 * Takes over a room with the join by which we got into it; what we knew of its state before is replaced. Resolves when it is
 * durable. The caller has the room's queue.
 * @throws Error where what was given doesn't make a room that allows the join
 */
export async function importRoom(deps: ReceiveDeps, room: RoomFacts, join: Event, given: GivenRoom): Promise<void> {
  const kept = await keepOutliers(deps, room, [...given.authChain, ...given.state]);
  const told = stateOf(given.state, room, kept.events, kept.rejected);
  const state = given.partial === undefined ? told : withNamedMembers(told, join, kept);
  checkCreate(room, state.get(stateKeyOf('m.room.create', '')));
  const verdict = checkAuth(join, authStateOf(state.values()));
  if (!verdict.allowed) throw new Error(`the state that was given does not allow the join: ${verdict.reason}`);
  const { database, hotRooms, hub, serverName } = deps;
  const position = await database.write('main', (tx) => writeRoom(tx, deps, room, join, state, given));
  notePartial(deps, room, position.eventNid, given);
  const hot = hotRooms.peek(room.roomId);
  if (hot !== undefined) hotRooms.drop(hot);
  const { roomId, roomNid } = room;
  const userId = parseUserId(join.stateKey ?? '');
  if (userId !== undefined && serverNameOf(userId) === serverName) {
    const news: MembershipNews = { roomId, roomNid, membership: 'join', ...position };
    hub.wake([`user:${userId}`], news);
  }
  const members: StreamNews = { stream: MEMBERS, position: position.position };
  const news: StreamNews = { stream: 'events', position: position.position };
  hub.wake([`room:${roomId}`], members);
  hub.wake([`room:${roomId}`, 'stream:events'], news);
}

function notePartial(deps: ReceiveDeps, { roomId, roomNid }: RoomFacts, joinNid: number, { partial }: GivenRoom): void {
  if (partial === undefined) deps.partial.remove(roomNid);
  else deps.partial.add({ roomId, roomNid, joinNid, via: partial.via, servers: new Set(partial.servers) });
}

/** The good ones of the state events, by key. */
function stateOf(
  pdus: readonly JsonObject[],
  room: RoomFacts,
  events: ReadonlyMap<EventId, Event>,
  rejected: ReadonlySet<EventId>,
): ReadonlyMap<StateKey, Event> {
  const asked = new Set(pdus.flatMap((pdu) => tryParse(room, pdu)?.eventId ?? []));
  const state = new Map<StateKey, Event>();
  for (const event of events.values()) {
    if (event.stateKey === undefined || rejected.has(event.eventId) || !asked.has(event.eventId)) continue;
    state.set(stateKeyOf(event.type, event.stateKey), event);
  }
  return state;
}

/** With those of the members who were left out whom the join names as its auth events: our invite, who gave it. */
function withNamedMembers(
  state: ReadonlyMap<StateKey, Event>,
  join: Event,
  { events, rejected }: KeptEvents,
): ReadonlyMap<StateKey, Event> {
  const all = new Map(state);
  for (const id of join.authEvents) {
    const event = events.get(id);
    if (event?.type !== 'm.room.member' || event.stateKey === undefined || rejected.has(id)) continue;
    const key = stateKeyOf(event.type, event.stateKey);
    if (!all.has(key)) all.set(key, event);
  }
  return all;
}

/** @throws Error where it isn't the create event of the room */
export function checkCreate(room: RoomFacts, create: Event | undefined): void {
  if (create === undefined) throw new Error('the state that was given has no create event');
  const version = readString(create.content, 'room_version') ?? IMPLICIT_ROOM_VERSION;
  if (version !== room.rules.id) throw new Error(`the room has version ${version}, not ${room.rules.id}`);
  if (room.rules.createEventIsRoomId && createEventIdOf(room.roomId) !== create.eventId) {
    throw new Error('the create event is of another room');
  }
}

async function writeRoom(
  tx: WriteTx,
  deps: ReceiveDeps,
  room: RoomFacts,
  join: Event,
  state: ReadonlyMap<StateKey, Event>,
  { partial }: GivenRoom,
): Promise<{ eventNid: number; position: number }> {
  const { stateTree, stateKeys } = deps;
  const { roomNid } = room;
  const row = await findRoom(tx, room.roomId);
  if (row === undefined) throw new Error('the room has a row');
  const nids = await nidsOf(tx, [join.eventId, ...[...state.values()].map((event) => event.eventId)]);
  const pairs: StateChange[] = [];
  for (const event of state.values()) {
    const keyNid = await stateKeys.intern(tx, event.type, event.stateKey ?? '');
    pairs.push([keyNid, nids.get(event.eventId)]);
  }
  const before = await stateTree.build(tx, pairs);
  const position = tx.nextPosition('events');
  const joinRow = { ...outlierRow(room, join, false), position, state_before: before };
  const known = nids.get(join.eventId);
  if (known !== undefined) await placeOutlier(tx, known, joinRow);
  const joinNid = known ?? (await insertEvent(tx, joinRow));
  const joinKey = await stateKeys.intern(tx, join.type, join.stateKey ?? '');
  const after = await stateTree.update(tx, before, [[joinKey, joinNid]]);
  const counts = await writeMembers(
    tx,
    roomNid,
    [...state.values(), join],
    (event) => {
      return event === join ? joinNid : (nids.get(event.eventId) ?? 0);
    },
    position,
  );
  await deleteExtremities(tx, roomNid);
  await insertExtremity(tx, roomNid, joinNid);
  for (const missing of join.prevEvents) await insertGap(tx, roomNid, missing, joinNid);
  let digest = EMPTY_DIGEST;
  for (const event of state.values()) digest = digestAfter(digest, event);
  const isOurs = await advanceRoomState(tx, roomNid, row.row_version, { ...digest, state_root: after, ...counts });
  if (!isOurs) throw new Error('the room was written to meanwhile');
  if (partial === undefined) await deletePartialRoom(tx, roomNid);
  else {
    const servers = JSON.stringify(partial.servers);
    await putPartialRoom(tx, {
      room_nid: roomNid,
      join_nid: joinNid,
      via: partial.via,
      servers,
      completed_position: null,
    });
  }
  return { eventNid: joinNid, position };
}

/** Later events of a user count. */
async function writeMembers(
  tx: WriteTx,
  roomNid: number,
  events: readonly Event[],
  nidOf: (event: Event) => number,
  position: number,
): Promise<{ joined_count: number; invited_count: number }> {
  const members = new Map<UserId, MembershipRow>();
  for (const event of events) {
    const row = memberRowOf(event, { roomNid, nid: nidOf(event) });
    if (row !== undefined) members.set(row.user_id, { ...row, position });
  }
  const rows = [...members.values()];
  await replaceMembers(tx, roomNid);
  await insertMembers(tx, rows);
  const count = (membership: Membership) => rows.filter((row) => row.membership === membership).length;
  return { joined_count: count('join'), invited_count: count('invite') };
}
