/**
 * Whose devices a client must look at again, and whose no more.
 * Spec: client-server-api/#e2e-extensions-to-sync
 */
import { serverNameOf, type UserId } from '../protocol/ids/index.ts';
import { readString } from '../protocol/json/index.ts';
import { MEMBERS, type MemberPosition } from '../rooms/index.ts';
import type { ReadTx } from '../storage/index.ts';
import type { SyncToken } from '../streams/index.ts';
import type { OnlineUser, UserRoom } from './online-user.ts';
import type { SyncRooms } from './ports.ts';
import { eventAt, type StatePoint, stateAtPosition } from './state-at.ts';

/** What changes of devices are asked of. */
export interface ChangedDevices {
  /** Whose keys changed after `from` up to `to`. */
  changedBetween(tx: ReadTx, from: number, to: number): Promise<readonly UserId[]>;
  /** Whose keys a user signed after `from` up to `to`. */
  signedBetween(tx: ReadTx, signer: UserId, from: number, to: number): Promise<readonly UserId[]>;
}

export interface DeviceListChanges {
  /** Users with other keys, and those who share a room only since. */
  readonly changed: readonly UserId[];
  /** Users who share no room any more. */
  readonly left: readonly UserId[];
}

/** Whether there may be changes since a token: no query. */
export function hasDeviceListNews(user: OnlineUser, since: SyncToken): boolean {
  return user.newest('device_lists') > since.deviceLists || user.newest(MEMBERS) > since.events;
}

/** The changes for a user after `from` up to `to`. The user's own devices count too. */
export async function deviceListChanges(
  tx: ReadTx,
  rooms: SyncRooms,
  devices: ChangedDevices,
  user: OnlineUser,
  { from, to }: { readonly from: SyncToken; readonly to: SyncToken },
): Promise<DeviceListChanges> {
  const listed = [...user.rooms.values()];
  const joined = listed.filter((room) => room.membership === 'join').map((room) => room.roomNid);
  const changed = new Set<UserId>();
  const left = new Set<UserId>();
  if (user.newest('device_lists') > from.deviceLists) {
    const all = await devices.changedBetween(tx, from.deviceLists, to.deviceLists);
    if (all.includes(user.userId)) changed.add(user.userId);
    for (const { user_id: userId } of await rooms.joinedAmong(tx, joined, all)) changed.add(userId);
    const signed = await devices.signedBetween(tx, user.userId, from.deviceLists, to.deviceLists);
    for (const userId of signed) changed.add(userId);
  }
  if (user.newest(MEMBERS) > from.events) {
    const moved = await movedUsers(new Past(tx, rooms, from.events), user.userId, listed);
    for (const userId of moved.come) changed.add(userId);
    for (const userId of moved.gone) left.add(userId);
  }
  return { changed: [...changed], left: [...left] };
}

interface Moved {
  readonly come: readonly UserId[];
  readonly gone: readonly UserId[];
}

/** Who shares a room with the user now and did not then, and the other way round. */
async function movedUsers(past: Past, userId: UserId, listed: readonly UserRoom[]): Promise<Moved> {
  const { tx, rooms, position } = past;
  const now = listed.filter((room) => room.membership === 'join').map((room) => room.roomNid);
  const then: number[] = [];
  for (const room of listed) {
    const isJoined = room.membership === 'join';
    if (room.position <= position ? isJoined : await past.wasJoined(room.roomNid, userId)) then.push(room.roomNid);
  }
  const moves = (await rooms.membersMovedAfter(tx, then, position)).filter((row) => row.user_id !== userId);
  const { candidates, sharedThen } = await candidatesOf(past, moves);
  const inNow = new Set(now);
  const stays = moves.filter((row) => inNow.has(row.room_nid));
  const back = await usersBack(past, userId, stays);
  const inBoth = inNow.intersection(new Set(then));
  const ownMoves = [...now, ...then].filter((nid) => !inBoth.has(nid));
  for (const other of ownMoves.length === 0 ? [] : await rooms.joinedIn(tx, ownMoves)) candidates.add(other);
  candidates.delete(userId);
  if (candidates.size === 0) return { come: back, gone: [] };
  const users = [...candidates];
  const sharedNow = new Set((await rooms.joinedAmong(tx, now, users)).map((row) => row.user_id));
  for (const row of await rooms.joinedAmong(tx, then, users)) {
    if (row.position <= position) sharedThen.add(row.user_id);
  }
  return {
    come: [...back, ...users.filter((other) => sharedNow.has(other) && !sharedThen.has(other))],
    gone: users.filter((other) => sharedThen.has(other) && !sharedNow.has(other)),
  };
}

/**
 * Users of other servers who left and came again: while they were away, their server may have told nothing of their
 * devices. Users of ours are known all the time.
 */
async function usersBack(past: Past, userId: UserId, moves: readonly MemberPosition[]): Promise<readonly UserId[]> {
  const back = new Set<UserId>();
  for (const { user_id: other, room_nid: roomNid, membership, position } of moves) {
    if (membership !== 'join' || serverNameOf(other) === serverNameOf(userId) || back.has(other)) continue;
    if (!(await past.wasJoined(roomNid, other))) continue;
    const before = new Past(past.tx, past.rooms, position - 1);
    if (!(await before.wasJoined(roomNid, other))) back.add(other);
  }
  return [...back];
}

/** Of those who moved: who did join or leave, and who was joined then. */
async function candidatesOf(past: Past, moves: readonly MemberPosition[]) {
  const candidates = new Set<UserId>();
  const sharedThen = new Set<UserId>();
  for (const { user_id: userId, room_nid: roomNid, membership } of moves) {
    const wasJoined = await past.wasJoined(roomNid, userId);
    if (wasJoined) sharedThen.add(userId);
    if (wasJoined !== (membership === 'join')) candidates.add(userId);
  }
  return { candidates, sharedThen };
}

/** Rooms as they were at a position. */
class Past {
  readonly tx: ReadTx;
  readonly rooms: SyncRooms;
  readonly position: number;
  readonly #states = new Map<number, StatePoint | undefined>();

  constructor(tx: ReadTx, rooms: SyncRooms, position: number) {
    this.tx = tx;
    this.rooms = rooms;
    this.position = position;
  }

  async wasJoined(roomNid: number, userId: UserId): Promise<boolean> {
    // Then its members weren't known.
    if (this.rooms.completedAt(roomNid) > this.position) return false;
    const state = await this.#state(roomNid);
    const nid = state && (await eventAt(this.tx, this.rooms, state, 'm.room.member', userId));
    if (nid === undefined) return false;
    const [member] = await this.rooms.eventsByNids(this.tx, [nid]);
    return member !== undefined && readString(member.event.content, 'membership') === 'join';
  }

  async #state(roomNid: number): Promise<StatePoint | undefined> {
    if (!this.#states.has(roomNid)) {
      this.#states.set(roomNid, await stateAtPosition(this.tx, this.rooms, roomNid, this.position));
    }
    return this.#states.get(roomNid);
  }
}
